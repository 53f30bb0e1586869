"""Where crops come from: gradient map, probability map, crop plan of one photo.

Crops are drawn at training time from the plan and are copies: nothing ever writes into the photo,
while the published program adds the discriminator's noise to it, where it piles up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import ImageError
from kernelgan_fast.gan.config import TrainConfig

if TYPE_CHECKING:
    from torch import Tensor

_GREY = (0.299, 0.587, 0.114)
_FRAME = 5
_QUANTILE = 0.97
_BOX = 5
_BAND = 64
# Keys' cubic (a = -1/2) stretched to scale 2: exact binary fractions of sum 1.
_HALF_TAPS = tuple(tap / 256 for tap in (-3, -9, 29, 111, 111, 29, -9, -3))

Plane = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class CropPlan:
    """A photo ready for training and the distributions of its crops' corners.

    Corners are even: cell (i, j) of a grid is the crop whose top-left pixel is (2i, 2j).

    Attributes:
        image: (3, H, W) contiguous, uint8 or float32 in [0, 1], H and W even.
        generator_cdf: (rows, cols) float64, running sum in C order of the corner probabilities of
            the generator's crops; the last element is exactly 1.
        discriminator_cdf: the same for the discriminator's crops.
    """

    image: Tensor
    generator_cdf: Tensor
    discriminator_cdf: Tensor


def plan_crops(pixels: NDArray[Any], config: TrainConfig, *, real: bool = False) -> CropPlan:
    """Prepare a photo: cut its border, find where its gradients are.

    Args:
        pixels: (H, W, 3) uint8, or float32 in [0, 1]; copied, never written to.
        config: crop sizes and how many pixels synthetic images lose on each side.
        real: the photo is a real one and keeps its border.

    Returns:
        The plan; the image keeps the dtype of `pixels`.

    Raises:
        ImageError: wrong shape or dtype, too small for a crop, or without any contrast.

    Source: paper section 4.1.
    """
    import torch

    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.float32):
        raise ImageError(
            "a photo must be (height, width, 3) of uint8 or float32, "
            f"got {pixels.shape} of {pixels.dtype}; convert it."
        )
    shave = 0 if real else config.shave
    height, width = (side - 2 * shave for side in pixels.shape[:2])
    height, width = height - height % 2, width - width % 2
    if min(height, width) < config.crop:
        least = smallest_side(config, real=real)
        raise ImageError(
            f"a photo must be at least {least} x {least} px ({config.crop} px crops, "
            f"{shave} px cut off each side), got {pixels.shape[0]} x {pixels.shape[1]}; "
            "use a larger photo."
        )
    cut = pixels[shave : shave + height, shave : shave + width]
    grey = _grey(cut)
    if grey.min() == grey.max():
        raise ImageError(
            "a photo must have contrast, got one of a single grey value inside its border; "
            "use another photo."
        )
    small = _halve(grey)
    fine = gradient_map(grey)
    del grey
    discriminator_cdf = _corner_cdf(fine, config.discriminator_crop)
    del fine
    coarse = gradient_map(small).repeat(2, axis=0).repeat(2, axis=1)
    generator_cdf = _corner_cdf(coarse, config.crop)
    return CropPlan(
        image=torch.from_numpy(cut.transpose(2, 0, 1).copy(order="C")),
        generator_cdf=torch.from_numpy(generator_cdf),
        discriminator_cdf=torch.from_numpy(discriminator_cdf),
    )


def smallest_side(config: TrainConfig, *, real: bool = False) -> int:
    """The least side, in pixels, of a photo that training can take its crops from."""
    return config.crop + (0 if real else 2 * config.shave)


def gradient_map(grey: Plane) -> Plane:
    """Say how much each pixel is worth as a crop's neighbourhood.

    |d/dx| and |d/dy|, each made 1 at and above its 97th percentile and 0 below, and the gradient's
    magnitude as it is; each zero in a frame of 5 px and divided by its sum; the three added,
    smoothed by a 5 x 5 box, divided by the mean.

    Args:
        grey: (H, W) floating, any scale.

    Returns:
        (H, W) of the same dtype, at least 0, of mean 1; all 0 where the picture inside the frame
        has no gradient. A direction that is flat at its percentile adds nothing.

    Source: paper section 4.1; thresholds as the published program runs, where the percentile
        applies to the two directions but not to the magnitude.
    """
    total = np.zeros_like(grey)
    if min(grey.shape) <= 2 * _FRAME:
        return total
    # The frame hides the border, so differences are needed inside it only.
    inner, after = slice(_FRAME, -_FRAME), slice(_FRAME + 1, 1 - _FRAME)
    before = slice(_FRAME - 1, -_FRAME - 1)
    down = _distance(grey[before, inner], grey[after, inner])
    across = _distance(grey[inner, before], grey[inner, after])
    view = total[inner, inner]
    np.multiply(down, down, out=view)
    view += across * across
    np.sqrt(view, out=view)
    weight = float(view.sum(dtype=np.float64))
    if weight > 0:
        view /= weight
    # The frame's zeros come first in sorted order, so the index among all pixels shifts by them.
    rank = int(_QUANTILE * grey.size) + 1 - (grey.size - down.size)
    for direction in (across, down):
        threshold = np.partition(direction, rank, axis=None)[rank] if rank >= 0 else 0
        if threshold > 0:
            high = direction >= threshold
            view += high * grey.dtype.type(1 / np.count_nonzero(high))
    _box(total, _BOX)
    mean = float(total.mean(dtype=np.float64))
    if mean > 0:
        total /= mean
    return total


def probability_map(gradients: Plane, crop: int) -> Plane:
    """Turn a gradient map into the probability of each pixel to be a crop's centre.

    Args:
        gradients: (H, W) from `gradient_map`.
        crop: side of the crops.

    Returns:
        (H, W) of the same dtype and sum 1: the map smoothed by a box of crop//2, zero in a frame of
        crop//2; uniform where that leaves nothing.

    Source: paper section 4.1.
    """
    half = crop // 2
    smooth: Plane = gradients.copy()
    _box(smooth, half)
    smooth[:half] = smooth[-half:] = smooth[:, :half] = smooth[:, -half:] = 0
    total = float(smooth.sum(dtype=np.float64))
    if total > 0:
        smooth /= total
    else:
        smooth[...] = 1 / smooth.size
    return smooth


def _distance(one: Plane, other: Plane) -> Plane:
    difference: Plane = one - other
    np.abs(difference, out=difference)
    return difference


def _box(plane: Plane, size: int) -> None:
    """Replace each value by the mean of a size x size box around it, zeros beyond the border.

    Running sums in float64, a band of lines at a time, so that no second plane is needed. An even
    box reaches one further back than forth.
    """
    back, forth = size // 2 + 1, size - size // 2 - 1
    for lines in (plane, plane.T):
        count = lines.shape[1]
        for first in range(0, len(lines), _BAND):
            band = lines[first : first + _BAND]
            running = np.zeros((len(band), count + back + forth), dtype=np.float64)
            np.cumsum(band, axis=1, dtype=np.float64, out=running[:, back : back + count])
            running[:, back + count :] = running[:, back + count - 1 : back + count]
            np.subtract(
                running[:, back + forth :], running[:, :count], out=band, casting="same_kind"
            )
            band /= size
    # Sums that cancel may leave a trace below zero.
    np.maximum(plane, 0, out=plane)


def _corner_cdf(gradients: Plane, crop: int) -> NDArray[np.float64]:
    """Running sum over even corners of the probability of the centres that lead to each."""
    summed: NDArray[np.float64] = probability_map(gradients, crop).astype(np.float64, copy=False)
    for axis, side in enumerate(gradients.shape):
        corner = np.clip(np.arange(side) - crop // 2, 0, side - crop) // 2
        first = np.searchsorted(corner, np.arange((side - crop) // 2 + 1))
        summed = np.add.reduceat(summed, first, axis=axis)
    cdf = np.cumsum(summed).reshape(summed.shape)
    cdf /= cdf[-1, -1]
    return cdf


def _grey(pixels: NDArray[Any]) -> NDArray[np.float32]:
    grey = pixels[:, :, 0] * np.float32(_GREY[0])
    for channel in (1, 2):
        grey += pixels[:, :, channel] * np.float32(_GREY[channel])
    return grey


def _halve(plane: Plane) -> Plane:
    """Antialiased bicubic half of a plane of even sides, with half-sample symmetric borders."""
    reach = len(_HALF_TAPS) // 2 - 1
    for axis in (0, 1):
        lines = np.moveaxis(plane, axis, 0)
        padded = np.pad(lines, [(reach, reach), (0, 0)], mode="symmetric")
        half = np.zeros((len(lines) // 2, lines.shape[1]), dtype=plane.dtype)
        for index, tap in enumerate(_HALF_TAPS):
            half += padded[index : index + 2 * len(half) - 1 : 2] * plane.dtype.type(tap)
        plane = np.moveaxis(half, 0, axis)
    return np.ascontiguousarray(plane)
