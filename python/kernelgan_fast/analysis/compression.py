"""JPEG compression of a photo: its quantisation table, and what it did to the pixels.

The table comes from the JPEG file, or is recognised in the pixels of a photo that was a JPEG
earlier: the cosine coefficients of its 8 x 8 blocks then lie near multiples of the steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erfinv

from kernelgan_fast.analysis.noise import RADIUS, SIDE, Noise, luma, tiled, transform

Table = NDArray[np.int64]

# The luma table that the IJG program scales to a quality (JPEG standard, annex K, table K.1).
_ANNEX_K = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)

# In the compression level, steps of this many grey levels (about quality 25) and more count as 1.
# Frequencies (u, v) of the 8 x 8 block with u + v at most _LOW_FREQUENCIES carry what a viewer sees
# first.
_LARGEST_STEP, _LOW_FREQUENCIES = 32.0, 4

# Share of each RGB channel's variance that white noise keeps in luma.
_LUMA_SHARE = math.sqrt(0.299**2 + 0.587**2 + 0.114**2)

# Measured on the CC0 photos: RMS of what 4:2:0 JPEG does to RGB, by that to luma.
_RGB_BY_LUMA = 1.25

# A table is recognised in the pixels if the coefficients lie as near to multiples of its steps as
# this part of what rounding leaves (docs/in_the_wild.md). _ROUNDING is the standard deviation of
# luma when each channel is rounded to 8 bits.
_RECOGNISED, _FEWEST_USES, _FEWEST_FREQUENCIES = 0.35, 8, 6
_ROUNDING = math.sqrt((0.299**2 + 0.587**2 + 0.114**2) / 12)
_QUALITIES = range(10, 97)
_SAMPLED_BLOCKS, _MEASURED_BLOCKS, _GRID_SAMPLES = 1024, 16384, 1024

# Blocks with the least energy in all other coefficients show the noise of one coefficient.
_SMOOTH_SHARE, _FEWEST_BLOCKS, _MOST_COUNTED, _FEWEST_NONZERO = 0.15, 60, 4.0, 6
_HIDDEN_BELOW = 0.8


@dataclass(frozen=True, eq=False)
class Compression:
    """JPEG compression of a photo.

    Attributes:
        quality: of the IJG program whose table is nearest, 1 to 100.
        table: (8, 8) steps of the luma coefficients in grey levels.
        error: root mean square error of the RGB channels that it caused, in grey levels, as
            predicted from the table and the coefficients of luma. Colour that 4:2:0 averages away
            counts as in most photos; photos of colour noise lose more.
        from_file: True if the table was in the file, False if it was recognised in the pixels.
        offset: row and column, 0 to 7, at which the 8 x 8 grid begins.
    """

    quality: int
    table: Table
    error: float
    from_file: bool
    offset: tuple[int, int] = (0, 0)

    @property
    def level(self) -> float:
        """Strength of the compression in (0, 1], see `compression_level`."""
        return compression_level(self.table)

    def facts(self) -> dict[str, object]:
        """Values for a record."""
        return {
            "quality": self.quality,
            "error": round(self.error, 3),
            "from_file": self.from_file,
            "offset": list(self.offset),
        }


def compression_level(luma_quantisation_table: Sequence[int] | ArrayLike) -> float:
    """Summarise the luma quantisation table of a JPEG file as one number.

    Args:
        luma_quantisation_table: 64 steps, row by row, as Pillow's `Image.quantization[0]`.

    Returns:
        In (0, 1]: root mean square of the steps of the low frequencies over 32, at most 1.
        Quality 95, 90, 75, 50 and 30 of libjpeg are about 0.05, 0.10, 0.25, 0.48 and 0.81. A photo
        that was never compressed has level 0.
    """
    steps = np.asarray(luma_quantisation_table, dtype=np.float64).reshape(SIDE, SIDE)
    row, column = np.indices(steps.shape)
    low = steps[row + column <= _LOW_FREQUENCIES]
    return min(1.0, float(np.sqrt(np.mean(low**2))) / _LARGEST_STEP)


def ijg_table(quality: int) -> Table:
    """Give the luma table of the IJG program for a quality of 1 to 100, (8, 8)."""
    factor = 5000 // quality if quality < 50 else 200 - 2 * quality
    table: Table = np.clip((_ANNEX_K * factor + 50) // 100, 1, 255).astype(np.int64)
    return table


def nearest_quality(table: Table) -> int:
    """Give the quality of the IJG program whose luma table is nearest in logarithms."""
    logs = np.log(np.maximum(table, 1))
    return min(range(1, 101), key=lambda q: float(np.abs(np.log(ijg_table(q)) - logs).sum()))


def measure_compression(
    pixels: NDArray[np.generic], quantisation: Sequence[Sequence[int]] | None = None
) -> tuple[Compression | None, Noise | None]:
    """Measure the compression of a photo, and the noise that is visible beneath it.

    Args:
        pixels: (H, W, 3), uint8, or floating point in [0, 1].
        quantisation: (8, 8) luma table of the JPEG file that the pixels are from; None if they
            are not from a JPEG.

    Returns:
        The compression and the noise before it, or None twice if no compression is recognised.
    """
    plane = luma(pixels) - 128
    if min(plane.shape) < 2 * SIDE:
        return None, None
    # Most photos still have the grid of the file, and noise can hide where it begins.
    for offset in dict.fromkeys([(0, 0), _grid(plane)]):
        blocks = tiled(plane, *offset)
        tables = [ijg_table(quality) for quality in _QUALITIES]
        tables += [table.T for table in tables]  # photos may have been turned
        if quantisation is not None:
            given = np.maximum(np.array(quantisation, dtype=np.int64), 1)  # files may hold zeros
            tables = [given, given.T]
        table = _recognise(transform(_spread(blocks, _SAMPLED_BLOCKS)), tables)
        if table is not None:
            break
    else:
        if quantisation is None:
            return None, None
        # So little is left of the photo that nothing can be recognised.
        offset, table = (0, 0), tables[0]
        blocks = tiled(plane)
    coefficients = transform(_spread(blocks, _MEASURED_BLOCKS))
    found = Compression(
        nearest_quality(table),
        table,
        _error(coefficients, table),
        from_file=quantisation is not None,
        offset=offset,
    )
    return found, _noise(coefficients, table)


def _spread(blocks: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Take every nth block, so that at most `most` remain."""
    return blocks[:: -(-len(blocks) // most)]


def _grid(plane: NDArray[np.float32]) -> tuple[int, int]:
    """Find where blocks begin: there pixels differ more from their neighbours than elsewhere."""
    offsets = []
    for turned in (plane, plane.T):
        turned = turned[:, :: max(turned.shape[1] // _GRID_SAMPLES, 1)]
        step = np.diff(turned, axis=0)
        # What is left of a step when the slope to both sides is taken away.
        jump = np.abs(step[1:-1] - (step[:-2] + step[2:]) / 2)
        by_row = np.minimum(jump, 8).mean(axis=1)
        first = (np.arange(len(by_row)) + 2) % SIDE
        offsets.append(int(np.argmax([by_row[first == phase].mean() for phase in range(SIDE)])))
    return offsets[0], offsets[1]


def _recognise(coefficients: NDArray[np.float32], tables: Sequence[Table]) -> Table | None:
    """Give the table at whose multiples the coefficients lie; None if there is none."""
    best, most = None, 0.0
    for table in tables:
        units = coefficients / table
        whole = np.rint(units)
        used = whole != 0
        used[:, 0, 0] = False
        counts = used.sum(axis=0)
        frequent = counts >= _FEWEST_USES
        if frequent.sum() < _FEWEST_FREQUENCIES:
            continue
        # 1 if all lie at multiples, 0 if they lie anywhere. Each frequency counts once, because
        # a gradient gives a few frequencies the same value in all blocks.
        nearness = (np.cos(2 * np.pi * (units - whole)) * used).sum(axis=0)[frequent]
        mean = float((nearness / counts[frequent]).mean())
        # What rounding the decoded pixels leaves of it, and twice that for clipped ones.
        spread = 2 * np.pi * _ROUNDING / table[frequent]
        least = _RECOGNISED * float(np.exp(-(spread**2) / 2).mean())
        # Finer tables have multiples everywhere, so certainty decides and not nearness alone.
        certainty = mean * math.sqrt(counts.sum())
        if mean > least and certainty > most:
            best, most = table, certainty
    return best


def _error(coefficients: NDArray[np.float32], table: Table) -> float:
    """Predict the RMS error of the RGB channels.

    Coefficients before quantisation are taken as Laplacian. The scale of each follows from the
    share of nonzero ones; where nearly all are zero it is extrapolated by a power law of the
    frequency. The error of a nonzero coefficient is that of rounding, of a zero its own value.
    """
    steps = table.astype(np.float64).ravel()
    whole = np.rint(coefficients / table).reshape(-1, SIDE * SIDE)
    count, nonzero = len(whole), (whole != 0).sum(axis=0)
    radius = np.maximum(RADIUS.ravel(), 1.0)
    known = (nonzero >= 5) & (nonzero < 0.98 * count)
    known[0] = False
    share = np.clip(nonzero / count, 1e-9, 0.98)
    logs = np.log(steps / 2 / -np.log(share))
    most = np.log(steps / 2 / -np.log(np.clip((nonzero + 1) / (count + 2), 1e-9, 0.98)))
    fitted = np.full(len(steps), math.log(0.3))
    if len(np.unique(radius[known])) >= 3:
        law = np.polyfit(
            np.log(radius[known]), logs[known], 1, w=np.sqrt(nonzero[known].clip(5, 200))
        )
        fitted = np.polyval(law, np.log(radius))
    scale = np.exp(np.where(known, logs, np.minimum(fitted, most)))
    half = steps / 2 / scale
    lost = scale**2 * (2 - np.exp(-half) * (half**2 + 2 * half + 2))
    variance = np.exp(-half) * steps**2 / 12 + lost
    variance[0] = steps[0] ** 2 / 12
    return _RGB_BY_LUMA * math.sqrt(variance.mean())


def _noise(coefficients: NDArray[np.float32], table: Table) -> Noise:
    """Measure the noise before compression from how often smooth blocks have a coefficient.

    A coefficient that holds noise alone is nonzero if the noise exceeds half a step, so that the
    share of nonzero ones gives the ratio of the noise to the step.
    """
    brightness = coefficients[:, 0, 0] / SIDE + 128
    usable = (brightness > 12) & (brightness < 243)
    sizes = np.minimum(np.abs(np.rint(coefficients[usable] / table)), _MOST_COUNTED)
    if len(sizes) < _FEWEST_BLOCKS:
        return Noise((0.0, 0.0, 0.0), 0.0, 0.0, measured=False)
    sizes[:, 0, 0] = 0
    total = sizes.sum(axis=(1, 2))
    count = max(int(len(sizes) * _SMOOTH_SHARE), _FEWEST_BLOCKS)
    values, bounds = [], []
    for row, col in np.argwhere(math.sqrt(2) <= RADIUS):
        own = sizes[:, row, col]
        others = total - own
        smooth = own[others <= np.partition(others, count - 1)[count - 1]]
        nonzero = int((smooth > 0).sum())
        share = (nonzero + 0.5) / (len(smooth) + 1)
        sigma = float(table[row, col] / 2 / (math.sqrt(2) * erfinv(1 - share)))
        bounds.append(sigma)
        if nonzero >= _FEWEST_NONZERO:
            values.append(sigma)
    # Few informative coefficients hold texture as well: the lowest ones count.
    quantile = 0.1 if len(values) < 40 else 0.3
    sigma = float(np.quantile(values, quantile)) if len(values) >= 3 else min(bounds)
    finest = float(np.sort(table.ravel())[:6].mean())
    level = sigma / _LUMA_SHARE
    return Noise((level,) * 3, level, 0.0, measured=sigma > _HIDDEN_BELOW * finest)
