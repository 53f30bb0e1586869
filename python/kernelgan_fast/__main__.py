"""`python -m kernelgan_fast` is the command `kernelgan-fast`."""

from __future__ import annotations

import sys

from kernelgan_fast.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
