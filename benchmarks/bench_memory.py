"""The most memory that whole jobs on a photo of 12 megapixels take, each in a process of its own.

    python benchmarks/bench_memory.py [--methods LIST] [--out FILE]

The photo is made by enlarging a committed one; a training is cut short, since it needs no more
later than at first.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from measure import memory_of, write
from stages import METHODS, enlarged

WIDTH, HEIGHT = 4000, 3000
ESTIMATE = """
from kernelgan_fast import estimate
estimate(sys.argv[1], **{sys.argv[2]: sys.argv[3]}, iterations=int(sys.argv[4]))
"""
UPSCALE = """
from kernelgan_fast import upscale
upscale(sys.argv[1], kernel="bicubic", method=sys.argv[2])
"""


def main() -> None:
    from PIL import Image

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", default=",".join(METHODS), help="of `upscale`")
    parser.add_argument("--out", type=Path, help="write the JSON here too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder) / "twelve.png")
        Image.fromarray(enlarged(WIDTH, HEIGHT)).save(file, compress_level=1)
        figures = {
            "unit": "MiB above `import torch`",
            "photo": (WIDTH, HEIGHT),
            "estimate": {
                "spectral": memory_of(ESTIMATE, file, "method", "spectral", "0"),
                "paper": memory_of(ESTIMATE, file, "profile", "paper", "20"),
            },
            "upscale": {
                name: memory_of(UPSCALE, file, name) for name in options.methods.split(",")
            },
        }
    write("memory", figures, options.out)


if __name__ == "__main__":
    main()
