"""What Ray's workers are made to do in tests, before they do anything else."""

from __future__ import annotations

import os
import time
from pathlib import Path

import ray

from kernelgan_fast.estimation.result import PhotoResult
from kernelgan_fast.jobs.estimate import PhotoWork, Task


def hinder() -> None:
    """Die of a photo called poison.png, and never begin those from the name in HELD on.

    On the machine whose id is in DOOMED get stuck and leave the file STUCK; elsewhere wait for it.
    """
    real = PhotoWork.prepare
    held, stuck = os.environ.get("HELD"), Path(os.environ.get("STUCK", "/"))

    def prepare(self: PhotoWork, photo: Path) -> Task | PhotoResult:
        if photo.name == "poison.png":
            os._exit(1)
        while held is not None and photo.name >= held:
            time.sleep(0.01)  # until the task is cancelled
        if os.environ.get("DOOMED") == ray.get_runtime_context().get_node_id():
            stuck.touch()
            while True:
                time.sleep(1)  # until the machine is lost
        while not stuck.exists():
            time.sleep(0.01)
        return real(self, photo)

    PhotoWork.prepare = prepare  # type: ignore[method-assign]
