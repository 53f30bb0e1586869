"""CUDA graphs: what all who capture one must share."""

from __future__ import annotations

import threading

# torch allows one capture at a time in a process.
CAPTURING = threading.Lock()
