"""The photos and drawings to train on, in memory, and crops of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kernelgan_fast.errors import InputError
from kernelgan_fast.images import find_images, read_image
from kernelgan_fast.training.drawings import drawing

# Photos are drawn at full size, where JPEG and lenses leave them soft, and at half, where they are
# as sharp as the pixels allow.
_HALF_SIZE = 0.8

# Skies and blurred backgrounds teach nothing: of so many crops drawn the most detailed is taken.
_DRAWN = 3

# Part of the crops that shows a drawing, and of the others that is grey, where there are drawings.
DRAWN_PART, _GREY_PART = 0.1, 0.08
_DRAWING_SIDE = 384


class PhotoStore:
    """Photos decoded once, at full and half size, and drawings.

    Args:
        paths: Files; each side must be at least `crop` px.
        crop: Side of the largest crop that will be asked for, px.
        device: Where the pixels are kept.
        drawings: How many drawings to make.

    Raises:
        ImageError: A photo cannot be read.
        InputError: No photo is large enough.
    """

    def __init__(
        self, paths: Sequence[Path], crop: int, device: torch.device, drawings: int = 0
    ) -> None:
        sizes = ([], [])  # type: tuple[list[Tensor], list[Tensor]]
        for path in paths:
            pixels = read_image(path).pixels
            if pixels.dtype != np.uint8:
                pixels = np.rint(pixels * np.float32(255)).astype(np.uint8)
            for kept, version in zip(sizes, (pixels, _half(pixels)), strict=True):
                if min(version.shape[:2]) >= crop:
                    kept.append(_planes(version, device))
        self._full, self._half = sizes
        if not self._full:
            raise InputError(
                f"at least one photo must have sides of {crop} px or more, of {len(paths)} photos "
                "none has; train on larger photos"
            )
        self._areas = {id(kept): _areas(kept) for kept in sizes}
        random = np.random.default_rng(0)
        side = max(crop, _DRAWING_SIDE)
        self._drawings = [_planes(drawing(side, random), device) for _ in range(drawings)]

    @property
    def least(self) -> int:
        """The shortest side of any photo kept, px: the largest crop that every photo allows."""
        return min(min(photo.shape[1:]) for photo in (*self._full, *self._half))

    def crops(self, count: int, side: int, random: np.random.Generator) -> Tensor:
        """Draw detailed crops, turned and mirrored at random: (count, 3, side, side) in [0, 1].

        With drawings, a tenth of the crops shows one, and some of the others are grey.
        """
        chosen = []
        for _ in range(count):
            if self._drawings and random.random() < DRAWN_PART:
                picture = self._drawings[int(random.integers(len(self._drawings)))]
                chosen.append(_cut(picture, side, random))
                continue
            drawn = [self._crop(side, random) for _ in range(_DRAWN)]
            crop = max(drawn, key=_detail)
            if self._drawings and random.random() < _GREY_PART:
                crop = crop[1:2].expand(3, -1, -1)
            chosen.append(crop)
        return torch.stack(chosen).float() / 255

    def _crop(self, side: int, random: np.random.Generator) -> Tensor:
        kept = self._half if self._half and random.random() < _HALF_SIZE else self._full
        place = float(random.random())
        index = int(np.searchsorted(self._areas[id(kept)], place, side="right"))
        return _cut(kept[min(index, len(kept) - 1)], side, random)


def _planes(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], device: torch.device
) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1))).to(device)


def _areas(photos: Sequence[Tensor]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Cumulated parts of the area."""
    areas = np.array([photo.shape[1] * photo.shape[2] for photo in photos], dtype=float)
    cumulated: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.cumsum(areas) / areas.sum()
    return cumulated


def _cut(picture: Tensor, side: int, random: np.random.Generator) -> Tensor:
    top = int(random.integers(picture.shape[1] - side + 1))
    left = int(random.integers(picture.shape[2] - side + 1))
    crop = picture[:, top : top + side, left : left + side]
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
    """Mean difference of neighbours in the green plane, on every second row and column of pixels.

    Three crops are looked at per crop used, so this must be quick.
    """
    green = crop[1].short()
    return float(
        (green[::2, 1:] - green[::2, :-1]).abs().float().mean()
        + (green[1:, ::2] - green[:-1, ::2]).abs().float().mean()
    )


def _half(
    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    from PIL import Image

    height, width = pixels.shape[:2]
    size = (max(1, width // 2), max(1, height // 2))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))
