"""The photos super-resolution is measured on: LR photos, HR photos and true kernels.

lr_x2/NAME.png       the LR photos
hr/NAME.png          the true ones; gt/ in DIV2KRK
gt_k_x2/NAME.mat     the true kernels, if there are any
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from kernelgan_fast.errors import InputError
from kernelgan_fast.evaluation.pairs import kernel_files, key, natural
from kernelgan_fast.images import find_images

SCALES = (2, 4)
_HIGH_FOLDERS = ("hr", "gt")


@dataclass(frozen=True)
class SrPhoto:
    """One photo of a test set.

    Attributes:
        name: the LR file's, without its suffix.
        key: what its files have in common, see `pairs.key`.
        low, high: the LR and the HR photo.
        true_kernel: the file, if there is one.
    """

    name: str
    key: str
    low: Path
    high: Path
    true_kernel: Path | None


@dataclass(frozen=True)
class SrSet:
    """A test set at one scale.

    Attributes:
        folder: where it is.
        scale: how many times smaller the LR photos are.
        photos: in the order of their names, numbers counted.
        without_high: LR photos that have no HR photo.
    """

    folder: Path
    scale: int
    photos: tuple[SrPhoto, ...]
    without_high: tuple[Path, ...]

    def chosen(self, wanted: Sequence[str] | int) -> SrSet:
        """The same with some of its photos.

        Args:
            wanted: how many, from the first; or patterns of names, such as "im_1*".

        Raises:
            InputError: that is none of them.
        """
        if isinstance(wanted, int):
            photos = self.photos[: max(wanted, 0)]
        else:
            photos = tuple(
                photo
                for photo in self.photos
                if any(fnmatchcase(photo.name, pattern) for pattern in wanted)
            )
        if not photos:
            names = ", ".join(photo.name for photo in self.photos[:3])
            raise InputError(
                f"at least one photo must be chosen, got {wanted!r} of {len(self.photos)} "
                f"({names}, ...); give a number or a pattern of names"
            )
        return replace(self, photos=photos)


def find_set(
    folder: str | os.PathLike[str],
    scale: int,
    *,
    high: str | os.PathLike[str] | None = None,
) -> SrSet:
    """Find the photos of a test set.

    Args:
        folder: as `degrade` writes it, or DIV2KRK.
        scale: 2 or 4.
        high: the folder of the HR photos, if they are not in hr/ or gt/ of `folder`.

    Raises:
        InputError: a folder is not there or holds no photos, no photo has an HR photo, or two
            files stand for one photo.
    """
    place = Path(folder)
    if scale not in SCALES:
        raise InputError(f"super-resolution is measured at scale 2 or 4, got {scale!r}")
    low = place / f"lr_x{scale}"
    if not low.is_dir():
        raise InputError(
            f"a test set must have LR photos in lr_x{scale}/, got {place} without; "
            "`kernelgan-fast degrade` makes them"
        )
    lows, highs = _by_key(low), _by_key(_high_folder(place, high))
    stored = place / f"gt_k_x{scale}"
    kernels = kernel_files(stored, scale, "true kernels") if stored.is_dir() else {}
    ordered = sorted(lows, key=natural)
    photos = tuple(
        SrPhoto(lows[name].stem, name, lows[name], highs[name], kernels.get(name))
        for name in ordered
        if name in highs
    )
    if not photos:
        raise InputError(
            f"LR and HR photos must share names, got {lows[ordered[0]].name} and "
            f"{min(highs.values()).name}; rename one side"
        )
    return SrSet(place, scale, photos, tuple(lows[name] for name in ordered if name not in highs))


def _high_folder(place: Path, high: str | os.PathLike[str] | None) -> Path:
    if high is not None:
        return Path(high)
    for name in _HIGH_FOLDERS:
        if (place / name).is_dir():
            return place / name
    raise InputError(
        f"a test set must have HR photos in hr/ or gt/, got {place} without; "
        "say with --hr where they are"
    )


def _by_key(folder: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in find_images([folder]):
        first = found.setdefault(key(path), path)
        if first != path:
            raise InputError(
                f"{first} and {path} stand for the same photo; keep one of them in {folder}"
            )
    return found
