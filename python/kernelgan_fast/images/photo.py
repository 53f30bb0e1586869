"""Arrays and tensors as photos: checked, and never written to."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError

ALPHA_IGNORED = "alpha channel ignored"
GREY_REPEATED = "grey photo: one channel serves as all three"

Pixels = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Photo:
    """A photo ready for use.

    Attributes:
        pixels: (H, W, 3), C-contiguous, uint8 in [0, 255] or float32 in [0, 1]. It may share
            memory with the array it was made from and is never written to.
        notes: what was changed on the way, in words fit for a user.
        source: the path as given, or "array" or "tensor".
        quantisation: (8, 8) steps of the luma coefficients of the JPEG file that the pixels are
            from, row by row; None if they are not from a JPEG file.
    """

    pixels: Pixels
    notes: tuple[str, ...] = ()
    source: str = "array"
    quantisation: tuple[tuple[int, ...], ...] | None = None


def as_photo(image: object) -> Photo:
    """Take an array or tensor as a photo; it is checked, and never written to.

    Args:
        image: a numpy array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), or a torch tensor (H, W),
            (1, H, W), (3, H, W) or (4, H, W) on any device; uint8 in [0, 255], uint16 in
            [0, 65535] or floating point in [0, 1]. A fourth channel (alpha) is ignored. A `Photo`
            is returned as it is.

    Returns:
        The photo; a contiguous (H, W, 3) uint8 or float32 array is shared, not copied.

    Raises:
        ImageError: another type, dtype or shape, no pixels, NaN, infinity, or out of range.
    """
    if isinstance(image, Photo):
        return image
    torch = sys.modules.get("torch")  # where torch was never imported nothing is a tensor
    if torch is not None and isinstance(image, torch.Tensor):
        pixels, notes = _checked(_tensor_to_array(image), "tensor")
        return Photo(pixels, notes, "tensor")
    if isinstance(image, np.ndarray):
        pixels, notes = _checked(image, "array")
        return Photo(pixels, notes, "array")
    raise ImageError(
        "a photo must be a path, a numpy array or a torch tensor, "
        f"got {type(image).__name__}; convert it with numpy.asarray(...) first"
    )


def _tensor_to_array(tensor: Any) -> Pixels:
    """Bring a torch tensor to numpy, channels last."""
    shape = tuple(tensor.shape)
    if len(shape) == 3 and shape[0] not in (1, 3, 4):
        raise ImageError(
            f"a tensor must be (3, H, W), (1, H, W) or (H, W), got {shape}; "
            "put the channels first, as with permute(2, 0, 1)"
        )
    if len(shape) not in (2, 3):
        raise ImageError(
            f"a tensor must be (3, H, W), (1, H, W) or (H, W), got {shape}; "
            "give several photos as a list"
        )
    tensor = tensor.detach().cpu()
    if "bfloat16" in str(tensor.dtype):  # numpy has no such type
        tensor = tensor.float()
    array = cast("Pixels", tensor.numpy())
    return array if len(shape) == 2 else np.moveaxis(array, 0, -1)


def _checked(array: Pixels, name: str) -> tuple[Pixels, tuple[str, ...]]:
    """Give the pixels as contiguous (H, W, 3) uint8 or float32 in [0, 1], with notes."""
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 3, 4)):
        first = array.ndim == 3 and array.shape[0] in (1, 3, 4)
        advice = "use numpy.moveaxis(a, 0, -1)" if first else "give one photo, channels last"
        raise ImageError(
            f"{name}: an array must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), "
            f"got {array.shape}; {advice}"
        )
    if array.size == 0:
        raise ImageError(f"{name}: a photo must have pixels, got shape {array.shape}")
    notes: tuple[str, ...] = ()
    if array.ndim == 3 and array.shape[2] == 4:
        array, notes = array[:, :, :3], (ALPHA_IGNORED,)
    array = eight_bits_or_unit(array, name)
    if array.ndim == 2 or array.shape[2] == 1:
        grey = array.reshape(*array.shape[:2], 1)
        return np.repeat(grey, 3, axis=2), (*notes, GREY_REPEATED)
    return np.ascontiguousarray(array), notes


def eight_bits_or_unit(array: Pixels, name: str) -> Pixels:
    """Check type and range: uint8 is kept, uint16 and floats become float32 in [0, 1].

    Args:
        array: of any shape.
        name: of the photo, for the error.

    Raises:
        ImageError: another type, NaN, infinity, or out of range.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.uint16:
        return np.divide(array, 65535, dtype=np.float32)
    if array.dtype.kind != "f":
        raise ImageError(
            f"{name}: pixels must be uint8, uint16 or floating point in [0, 1], got "
            f"{array.dtype}; convert with astype(numpy.uint8) if the values are 0..255"
        )
    low, high = float(array.min()), float(array.max())  # NaN passes through min and max
    if not np.isfinite(low + high):
        raise ImageError(f"{name}: pixels must be finite, got NaN or infinity; replace them")
    if low < 0 or high > 1:
        advice = "clip them to [0, 1]"
        if low >= 0 and high > 2:
            advice = f"divide by {255 if high <= 255 else 65535}"
        elif low >= -1 and high <= 1 and low < -0.25:
            advice = "if they were scaled to [-1, 1], use (x + 1) / 2"
        raise ImageError(
            f"{name}: floating point pixels must lie in [0, 1], got {low:.6g}..{high:.6g}; {advice}"
        )
    return array.astype(np.float32, copy=False)
