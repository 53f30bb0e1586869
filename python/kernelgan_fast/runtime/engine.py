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
from kernelgan_fast.runtime.model_metadata import ModelMetadata, read_metadata
from kernelgan_fast.runtime.session import Bound, Session
from kernelgan_fast.sr.conditioning import Conditioning


class Engine:
    """A model that enlarges photos, opened.

    Args:
        path: the model.
        device, threads: see `Session`.

    Attributes:
        path: the model.
        metadata: what the model says of itself.
        identity: the same for the same file.

    Raises:
        InputError: it cannot be used to enlarge photos.
        DeviceUnavailable: it would not run where it was asked to.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, device: str = "cpu", threads: int | None = None
    ) -> None:
        self.path = os.fspath(path)
        self._session = Session(path, device=device, threads=threads)
        self.metadata = read_metadata(self._session.properties, self.path)
        _check_inputs_and_outputs(self._session, self.metadata, self.path)
        self.identity = hashlib.sha256(Path(path).read_bytes()).hexdigest()

    def upscaler(self, kernel: BlurKernel, conditioning: Conditioning) -> EngineUpscaler:
        """Prepare the model for one kernel.

        Args:
            kernel: Ignored where the model has its own.
            conditioning: Ignored where the model has its own. A model without an input for the
                compression gets the compression error as part of the noise.

        Raises:
            InputError: the kernel is for another scale, or does not fit into the model's.
        """
        if self.metadata.kernel is not None:
            return EngineUpscaler(self, {})
        if kernel.scale != self.metadata.scale:
            raise InputError(
                f"the model is for scale {self.metadata.scale}, the kernel for {kernel.scale}; "
                "export a model of the kernel's scale"
            )
        told = {
            "kernel": framed(kernel, self.metadata.kernel_size),
            "noise": np.array([conditioning.total_noise or 0.0], np.float32),
            "kernel_error": np.array([conditioning.kernel_error], np.float32),
        }
        if "compression" in self._session.inputs:
            told["noise"] = np.array([conditioning.noise or 0.0], np.float32)
            told["compression"] = np.array([conditioning.compression], np.float32)
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
        self.scale = engine.metadata.scale
        self.context = engine.metadata.context
        self.multiple = engine.metadata.multiple
        self._bound = engine.bind(told)

    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        image = np.ascontiguousarray(low.cpu().numpy(), np.float32)
        return torch.from_numpy(self._bound.run(image=image))


# Lengths that each side of an input or output may be fixed at. Photos have sides of any length.
_Sides = tuple[tuple[int, ...], ...]
_IMAGE: _Sides = ((1,), (3,), (), ())


def _check_inputs_and_outputs(session: Session, metadata: ModelMetadata, name: str) -> None:
    """Compare a model with what it says of itself, before a photo is read."""
    wanted: dict[str, _Sides] = {"image": _IMAGE}
    if metadata.kernel is None:
        size = (metadata.kernel_size,)
        wanted |= {"kernel": (size, size), "noise": ((1,),), "kernel_error": ((1,),)}
        if "compression" in session.inputs:  # models of newer weights take it
            wanted["compression"] = ((1,),)
    if set(session.inputs) != set(wanted):
        raise InputError(
            f"{name}: the model must take {', '.join(wanted)}, got "
            f"{', '.join(session.inputs) or 'nothing'}; export it again"
        )
    (output, shape), *_ = session.outputs.items()
    for key, got, sides in (
        *((key, session.inputs[key], sides) for key, sides in wanted.items()),
        (output, shape, _IMAGE),
    ):
        fits = len(got) == len(sides) and all(
            side in fixed or not isinstance(side, int)
            for side, fixed in zip(got, sides, strict=True)
        )
        if not fits or session.types[key] != "tensor(float)":
            words = "n, 3, any height, any width" if sides is _IMAGE else _words(sides)
            raise InputError(
                f"{name}: {key} must be ({words}) of tensor(float), got "
                f"({', '.join(map(str, got))}) of {session.types[key]}; export the model again"
            )


def _words(sides: _Sides) -> str:
    return ", ".join(str(side) for (side,) in sides)


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
