"""The photos to train on, in memory, and crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.images import find_images, read_image

# Photos are drawn at full size, where JPEG and lenses leave them soft, and at half, where they are
# as sharp as the pixels allow.
_HALF_SIZE = 0.8

# Skies and blurred backgrounds teach nothing: of so many crops drawn the most detailed is taken.
_DRAWN = 3


class PhotoStore:
    """Photos decoded once, at full and half size.

    Args:
        paths: the files; each side must be at least `crop` px.
        crop: side of the largest crop that will be asked for, px.
        device: where the pixels are kept.

    Raises:
        ImageError: a photo cannot be read.
        InputError: no photo is large enough.
    """

    def __init__(self, paths: Sequence[Path], crop: int, device: torch.device) -> None:
        sizes = ([], [])  # type: tuple[list[Tensor], list[Tensor]]
        for path in paths:
            pixels = read_image(path).pixels
            if pixels.dtype != np.uint8:
                pixels = np.rint(pixels * np.float32(255)).astype(np.uint8)
            for kept, version in zip(sizes, (pixels, _half(pixels)), strict=True):
                if min(version.shape[:2]) >= crop:
                    planes = np.ascontiguousarray(version.transpose(2, 0, 1))
                    kept.append(torch.from_numpy(planes).to(device))
        self._full, self._half = sizes
        if not self._full:
            raise InputError(
                f"at least one photo must have sides of {crop} px or more, of {len(paths)} photos "
                "none has; train on larger photos"
            )

    @property
    def least(self) -> int:
        """The shortest side of any photo kept, px: the largest crop that is sure to be had."""
        return min(min(photo.shape[1:]) for photo in (*self._full, *self._half))

    def crops(self, count: int, side: int, random: np.random.Generator) -> Tensor:
        """Draw detailed crops, turned and mirrored at random: (count, 3, side, side) in [0, 1]."""
        chosen = []
        for _ in range(count):
            drawn = [self._crop(side, random) for _ in range(_DRAWN)]
            chosen.append(max(drawn, key=_detail))
        return torch.stack(chosen).float() / 255

    def _crop(self, side: int, random: np.random.Generator) -> Tensor:
        shelf = self._half if self._half and random.random() < _HALF_SIZE else self._full
        areas = np.array([photo.shape[1] * photo.shape[2] for photo in shelf], dtype=float)
        photo = shelf[int(random.choice(len(shelf), p=areas / areas.sum()))]
        top = int(random.integers(photo.shape[1] - side + 1))
        left = int(random.integers(photo.shape[2] - side + 1))
        crop = photo[:, top : top + side, left : left + side]
        crop = torch.rot90(crop, int(random.integers(4)), (1, 2))
        return crop.flip(2) if random.random() < 0.5 else crop


def split(folder: str | Path, held_out: int, seed: int) -> tuple[list[Path], list[Path]]:
    """The photos of a folder to train on, and those kept back to check with, by seed.

    Raises:
        ImageError: no photo is there.
        InputError: none would be left to train on.
    """
    paths = find_images([folder])
    if not 0 < held_out < len(paths):
        raise InputError(
            f"the photos held out must be 1 to {len(paths) - 1} of the {len(paths)} in {folder}, "
            f"got {held_out}"
        )
    order = np.random.default_rng(seed).permutation(len(paths))
    kept = set(order[:held_out].tolist())
    return (
        [path for index, path in enumerate(paths) if index not in kept],
        [path for index, path in enumerate(paths) if index in kept],
    )


def _detail(crop: Tensor) -> float:
    """Mean difference of neighbours in the green plane."""
    green = crop[1].float()
    return float(
        (green[1:] - green[:-1]).abs().mean() + (green[:, 1:] - green[:, :-1]).abs().mean()
    )


def _half(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from PIL import Image

    height, width = pixels.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
