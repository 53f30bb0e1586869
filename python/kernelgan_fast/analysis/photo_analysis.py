"""Everything that is measured on a photo before it is enlarged or its kernel is estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.analysis import content
from kernelgan_fast.analysis.compression import Compression, measure_compression
from kernelgan_fast.analysis.content import NO_FRAME, Frame, find_overlay
from kernelgan_fast.analysis.enlarged import earlier_enlargement
from kernelgan_fast.analysis.noise import Noise, levels, mean_level, measure_noise
from kernelgan_fast.images import Photo

# Photos deeper than 8 bits whose values end below this part of the range are stretched.
_STRETCH_BELOW = 0.75

# Content is judged on this many rows and columns at most, taken from the middle.
_JUDGED_SIDE = 2048

_LEAST_SIDE = 16


@dataclass(frozen=True, eq=False)
class PhotoAnalysis:
    """Properties of a photo.

    Noise and errors are in grey levels of 255, relative to `white`.

    Attributes:
        noise: of the sensor, before compression.
        compression: JPEG compression that the photo went through; None if none is visible.
        white: value that counts as white, in (0, 1]; below 1 for data that fill a part of their
            range only, such as 12 bits in 16 or reflectance.
        frame: single-coloured bars or margins around the content.
        neutral: whether red, green and blue are equal within one level.
        drawn: whether it is a drawing, text, a chart or pixel art rather than a photo.
        quantised: whether it has at most 64 colours.
        interlaced: whether the rows of moving parts alternate between two points in time.
        enlarged: factor of an earlier enlargement; None if none is visible.
        overlay: (H, W) within the frame, true on and near burnt-in text and drawings; None if there
            are none.
        night_sky: whether bright points lie on a dark even background.
    """

    noise: Noise
    compression: Compression | None = None
    white: float = 1.0
    frame: Frame = NO_FRAME
    neutral: bool = False
    drawn: bool = False
    quantised: bool = False
    interlaced: bool = False
    enlarged: float | None = None
    overlay: NDArray[np.bool_] | None = None
    night_sky: bool = False

    @property
    def bicubic_only(self) -> bool:
        """Whether no kernel describes how the pixels came about, so that only bicubic is safe."""
        return self.interlaced or self.quantised

    @property
    def notes(self) -> tuple[str, ...]:
        """What the user should know, one sentence each."""
        found = []
        if self.interlaced:
            found.append(
                "rows alternate between two points in time (interlaced): the photo was enlarged "
                "bicubically; deinterlace it first for a sharper result"
            )
        if self.enlarged is not None:
            found.append(
                f"the photo was enlarged before by a factor of about {self.enlarged:g}: there is "
                "no finer detail to recover; enlarge the original if you have it"
            )
        if self.quantised:
            found.append(
                "the picture has at most 64 colours, so it was enlarged bicubically: no kernel "
                "explains its steps"
            )
        elif self.drawn:
            found.append(
                "the picture is drawn (text, lines or flat areas): its spectrum tells no kernel, "
                "so the bicubic kernel was used unless another one was given"
            )
        return tuple(found)

    def facts(self) -> dict[str, object]:
        """Values for a record, ready for JSON."""
        return {
            "noise": self.noise.facts(),
            "compression": None if self.compression is None else self.compression.facts(),
            "white": round(self.white, 6),
            "frame": list(self.frame),
            "neutral": self.neutral,
            "drawn": self.drawn,
            "quantised": self.quantised,
            "interlaced": self.interlaced,
            "enlarged": self.enlarged,
            "overlay": 0.0 if self.overlay is None else round(float(self.overlay.mean()), 4),
            "night_sky": self.night_sky,
        }

    def summary(self) -> str:
        """Describe noise and compression in a few words, such as "noise 4.2, JPEG 75"."""
        noise = self.noise
        words = [f"noise {noise.level:.1f}" if noise.measured else "noise not visible"]
        if self.compression is not None:
            words.append(f"JPEG {self.compression.quality}")
        return ", ".join(words)


def analyse_photo(photo: Photo) -> PhotoAnalysis:
    """Measure a photo.

    Args:
        photo: (H, W, 3), uint8, or float32 in [0, 1]; never written to. Photos with a side below
            16 px are too small to measure and count as free of noise.

    Returns:
        The analysis.
    """
    white = effective_white(photo.pixels)
    pixels = stretched(photo.pixels, white)
    # The grid of blocks begins at the corner of the file, not of what a frame surrounds.
    compression, noise = measure_compression(pixels, photo.quantisation)
    frame = content.find_frame(pixels, compressed=compression is not None)
    inside = frame.inside(pixels)
    if min(inside.shape[:2]) < _LEAST_SIDE:
        return PhotoAnalysis(Noise((0.0, 0.0, 0.0), 0.0, 0.0, measured=False), white=white)
    judged = levels(_middle(inside))
    neutral, drawn = content.is_neutral(judged), content.is_drawn(judged)
    if drawn and photo.quantisation is None:
        compression = None  # a drawing's flat areas and lines look like anything
    if noise is None:
        noise = measure_noise(inside)
    if drawn:
        noise = Noise((0.0, 0.0, 0.0), 0.0, 0.0)
    combs = content.comb_shares(judged)
    # Blocks of JPEG and patterns of single pixels have the rhythm of an enlargement.
    rhythmic = drawn or compression is not None or min(combs) > content.COMB_SHARE
    return PhotoAnalysis(
        noise,
        compression,
        white,
        frame,
        neutral,
        drawn,
        # Deep data are counted in 256 levels, where faint detail has few colours.
        quantised=photo.pixels.dtype == np.uint8 and content.is_quantised(judged),
        interlaced=not drawn and content.is_interlaced(combs),
        enlarged=None if rhythmic else earlier_enlargement(judged.mean(axis=2)),
        overlay=None if drawn else find_overlay(mean_level(inside)),
        night_sky=content.is_night_sky(judged),
    )


def effective_white(pixels: NDArray[Any]) -> float:
    """Find the value that counts as white.

    Args:
        pixels: (H, W, 3), uint8, or float32 in [0, 1].

    Returns:
        1 for 8 bits and for data that reach the upper quarter of their range; else a little more
        than the largest value.
    """
    if pixels.dtype == np.uint8:
        return 1.0
    largest = float(pixels.max())
    if largest <= 0 or largest >= _STRETCH_BELOW:
        return 1.0
    return min(1.02 * largest, 1.0)


def stretched(pixels: NDArray[Any], white: float) -> NDArray[Any]:
    """Give pixels relative to `white`; the same array if that is 1."""
    return pixels if white == 1.0 else pixels / np.float32(white)


def _middle(pixels: NDArray[Any]) -> NDArray[Any]:
    height, width = pixels.shape[:2]
    top, left = (max(side - _JUDGED_SIDE, 0) // 2 for side in (height, width))
    return pixels[top : top + _JUDGED_SIDE, left : left + _JUDGED_SIDE]
