"""What Ray's workers are made to do in tests, before they do anything else."""

from __future__ import annotations

import os
import time
from pathlib import Path

from kernelgan_fast.runs.result import PhotoResult
from kernelgan_fast.runs.work import PhotoWork, Task


def hinder() -> None:
    """Take a quarter of a second more for a photo, and die of one called poison.png."""
    real = PhotoWork.prepare

    def prepare(self: PhotoWork, photo: Path) -> Task | PhotoResult:
        time.sleep(0.25)
        if photo.name == "poison.png":
            os._exit(1)
        return real(self, photo)

    PhotoWork.prepare = prepare  # type: ignore[method-assign]
