"""A model file in the place of a method: what `upscale --engine` runs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.runtime.card import read_card
from kernelgan_fast.runtime.session import Bound, Session


class Engine:
    """A model that enlarges photos, opened.

    Args:
        path: the model.
        device, threads: see `Session`.

    Attributes:
        card: what the model says of itself.
        identity: the same for the same file.

    Raises:
        InputError: it cannot be used to enlarge photos.
        DeviceUnavailable: it would not run where it was asked to.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, device: str = "cpu", threads: int | None = None
    ) -> None:
        self._session = Session(path, device=device, threads=threads)
        self.card = read_card(self._session.properties, os.fspath(path))
        self.identity = hashlib.sha256(Path(path).read_bytes()).hexdigest()

    def upscaler(
        self, kernel: BlurKernel, noise: float | None, kernel_error: float
    ) -> EngineUpscaler:
        """Make it ready for one kernel.

        Args:
            kernel: ignored where the model has its own.
            noise, kernel_error: as in `Options`; ignored where the model has its own.

        Raises:
            InputError: the kernel is for another scale, or does not fit into the model's.
        """
        if self.card.kernel is not None:
            return EngineUpscaler(self, {})
        if kernel.scale != self.card.scale:
            raise InputError(
                f"the model is for scale {self.card.scale}, the kernel for {kernel.scale}; "
                "export a model of the kernel's scale"
            )
        told = {
            "kernel": framed(kernel, self.card.kernel_size),
            "noise": np.array([noise or 0.0], np.float32),
            "kernel_error": np.array([kernel_error], np.float32),
        }
        return EngineUpscaler(self, told)

    def bind(self, told: Mapping[str, NDArray[np.float32]]) -> Bound:
        """Bring the inputs besides the photo to where the model runs; see `Session.bind`."""
        return self._session.bind(**told)


class EngineUpscaler:
    """See `Upscaler`.

    Args:
        engine: the model.
        told: its inputs besides the photo, which all tiles share.
    """

    def __init__(self, engine: Engine, told: Mapping[str, NDArray[np.float32]]) -> None:
        self.scale = engine.card.scale
        self.context = engine.card.context
        self.multiple = engine.card.multiple
        self._bound = engine.bind(told)

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        image = np.ascontiguousarray(low.cpu().numpy(), np.float32)
        return torch.from_numpy(self._bound.run(image=image))


def framed(kernel: BlurKernel, size: int) -> NDArray[np.float32]:
    """Set a kernel into the middle of a larger frame of zeros, which changes nothing.

    Args:
        kernel: odd-sized.
        size: of the frame, odd.

    Returns:
        (size, size) float32.

    Raises:
        InputError: the kernel is larger.
    """
    margin = (size - kernel.size) // 2
    if margin < 0:
        raise InputError(
            f"the model takes kernels up to {size} x {size}, got {kernel.size} x {kernel.size}; "
            f"export one with --size {kernel.size}"
        )
    return np.pad(kernel.array, margin).astype(np.float32)
