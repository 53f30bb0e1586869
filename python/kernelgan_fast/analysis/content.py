"""What a picture shows: frames, drawings, interlaced rows, neutral colours, a night sky."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.analysis.noise import levels

Levels = NDArray[np.float32]

# A row belongs to a frame if its values differ by less than this from those of the border row.
_FRAME_SPREAD, _LARGEST_FRAME = 2.0, 0.45
_LEAST_FRAME = 2

# Compression spreads an edge over the blocks that hold it, of 16 rows where colour is halved. The
# content differs from the bar by more than this many times what is spread.
_RINGING_ROWS, _EDGE_RATIO = 16, 5.0

# Share of pixels that equal both earlier neighbours: photos reach 0.24, drawings begin at 0.5.
# The smallest number of colours in a photo of at least 64 x 64 px is above 2000 (200 if grey).
_DRAWN_FLAT = 0.35
_FEWEST_COLOURS, _FEWEST_GREYS, _COUNTED_PIXELS = 256, 24, 64 * 64

# Pictures of so few colours have lost the gradations that enlarging needs.
_QUANTISED = 64

# Blocks in which adjacent rows differ more than rows at distance 2. Photos have none; of a photo
# whose moving parts are interlaced the moving parts count.
_COMB_SIDE, _COMB_RATIO, _COMB_LEVELS = 8, 1.25, 2.0
COMB_SHARE, _COMB_EXCESS = 0.04, 5.0

_NEUTRAL = 1.0

# A sky: most pixels lie within a narrow band about a dark median, hardly any below it.
_SKY_SHARE, _SKY_BAND, _SKY_BRIGHTEST = 0.9, 5.0, 0.4
_SKY_BELOW, _SKY_PEAK = 0.002, 25.0


# An edge is strong if four neighbours span this many grey levels, and sharp if this part of it
# lies between two of them.
_STRONG, _SHARP = 60.0, 0.8

# Cells of this side are suspect if they have so many sharp pixels, and so large a share of them.
_CELL, _FEWEST_SHARP, _SHARP_SHARE = 16, 3, 0.12

# Of an overlay: share of sharp pixels within it, beside it, and of the photo that it may cover.
# 66 photos without an overlay do not meet all three (docs/in_the_wild.md).
_WITHIN, _BESIDE, _LARGEST, _SMALLEST = 0.25, 0.005, 0.3, 0.003


class Frame(NamedTuple):
    """Width of a single-coloured frame in pixels, 0 where there is none."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0

    def inside(self, pixels: NDArray[np.generic]) -> NDArray[np.generic]:
        """Give the part of (H, W, …) within the frame, a view."""
        height, width = pixels.shape[:2]
        return pixels[self.top : height - self.bottom, self.left : width - self.right]


NO_FRAME = Frame()


def find_frame(pixels: NDArray[np.generic], *, compressed: bool = False) -> Frame:
    """Find letterbox bars, margins and frames of one colour.

    Args:
        pixels: (H, W, 3), uint8, or floating point in [0, 1].
        compressed: whether JPEG compression was found, which spreads the content's edge over the
            last blocks of a bar.

    Returns:
        The frame; each part is 0 or at least 2 px wide and covers at most 45 % of the side.
    """
    top, bottom = _bars(pixels, compressed)
    left, right = _bars(pixels.swapaxes(0, 1), compressed)
    return Frame(top, bottom, left, right)


def _bars(pixels: NDArray[np.generic], compressed: bool) -> tuple[int, int]:
    found = []
    most = int(len(pixels) * _LARGEST_FRAME)
    for rows in (pixels, pixels[::-1]):
        colour = np.median(levels(rows[0]), axis=0)
        count, difference = 0, 0.0
        while count < most:
            away = np.abs(levels(rows[count]) - colour)
            difference = float(away.mean())
            if away.max() > _FRAME_SPREAD:
                break
            count += 1
        # A photo that fades into one colour has no frame: the border is where it fades.
        sharp = count < most and difference > 2 * _FRAME_SPREAD
        clean = count if count >= _LEAST_FRAME and sharp else 0
        if compressed and count >= _LEAST_FRAME:
            ringing = rows[count : min(count + _RINGING_ROWS + 1, most)]
            found.append(_edge(np.abs(levels(ringing) - colour).mean(axis=(1, 2)), count) or clean)
        else:
            found.append(clean)
    return found[0], found[1]


def _edge(differences: NDArray[np.float32], count: int) -> int:
    """Give the row at which the content begins behind rows of ringing; 0 if there is no edge.

    Args:
        differences: mean difference from the bar of the rows behind its clean part.
        count: rows of the clean part.
    """
    largest = 1.0
    for row, difference in enumerate(differences):
        if difference > _EDGE_RATIO * largest:
            return count + row
        largest = max(largest, float(difference))
    return 0


def flat_share(values: Levels) -> float:
    """Give the share of pixels of (H, W, 3) that equal their upper and their left neighbour."""
    if min(values.shape[:2]) < 2:
        return 0.0
    same = np.ones((values.shape[0] - 1, values.shape[1] - 1), dtype=bool)
    for channel in np.moveaxis(values, 2, 0):
        own = channel[1:, 1:]
        same &= (own == channel[:-1, 1:]) & (own == channel[1:, :-1])
    return float(same.mean())


def is_drawn(values: Levels) -> bool:
    """Tell drawings, text, charts and pixel art from photos.

    Args:
        values: (H, W, 3) in grey levels of 0 to 255, without a frame.
    """
    if flat_share(values) > _DRAWN_FLAT:
        return True
    least = _FEWEST_GREYS if is_neutral(values) else _FEWEST_COLOURS
    large = values.shape[0] * values.shape[1] >= _COUNTED_PIXELS
    return large and colours(values, least) < least


def is_quantised(values: Levels) -> bool:
    """Tell pictures of at most 64 colours, such as pixel art, palettes and scans of 1 bit.

    Args:
        values: (H, W, 3) in grey levels of 0 to 255, without a frame.
    """
    large = values.shape[0] * values.shape[1] >= _COUNTED_PIXELS
    return large and colours(values, _QUANTISED + 1) <= _QUANTISED


def colours(values: Levels, most: int) -> int:
    """Count the colours of (H, W, 3) grey levels; not further than `most`."""
    # Most photos exceed any number of interest within their first rows.
    rows = max(16 * most // values.shape[1], 1)
    count = len(np.unique(_codes(values[:rows])))
    return min(count if count >= most else len(np.unique(_codes(values))), most)


def _codes(values: Levels) -> NDArray[np.int64]:
    """Give each colour of (H, W, 3) grey levels a number."""
    red, green, blue = (
        np.rint(values[..., channel]).astype(np.int64).ravel() for channel in range(3)
    )
    codes: NDArray[np.int64] = red << 16 | green << 8 | blue
    return codes


def is_interlaced(shares: tuple[float, float]) -> bool:
    """Tell whether the rows of moving parts come from two points in time alternately.

    Args:
        shares: as `comb_shares` gives them.
    """
    rows, columns = shares
    return rows > COMB_SHARE and rows > _COMB_EXCESS * columns


def comb_shares(values: Levels) -> tuple[float, float]:
    """Give the shares of blocks in which adjacent rows, and columns, differ more than every other.

    Args:
        values: (H, W, 3) in grey levels of 0 to 255.
    """
    grey = values.mean(axis=2)
    return _comb(grey), _comb(grey.T)


def _comb(grey: Levels) -> float:
    near = np.abs(grey[1:-1] - grey[:-2])
    far = np.abs(grey[2:] - grey[:-2])
    side = _COMB_SIDE
    height, width = (length // side * side for length in near.shape)
    if height == 0 or width == 0:
        return 0.0
    sums = [
        each[:height, :width].reshape(height // side, side, width // side, side).sum(axis=(1, 3))
        for each in (near, far)
    ]
    combed = (sums[0] > _COMB_RATIO * sums[1]) & (sums[0] > _COMB_LEVELS * side**2)
    return float(combed.mean())


def is_neutral(values: Levels) -> bool:
    """Tell whether red, green and blue are equal within one grey level everywhere."""
    # Most photos are not, which their first rows show.
    return all(_neutral(rows) for rows in (values[:16], values))


def _neutral(values: Levels) -> bool:
    red, green, blue = np.moveaxis(values, 2, 0)
    largest = np.maximum(np.maximum(red, green), blue)
    smallest = np.minimum(np.minimum(red, green), blue)
    return bool((largest - smallest).max() <= _NEUTRAL)


def is_night_sky(values: Levels) -> bool:
    """Tell a dark even background with bright points on it, as of stars or of fluorescence."""
    grey = values.mean(axis=2)
    middle = float(np.median(grey))
    spread = max(1.4826 * float(np.median(np.abs(grey - middle))), 0.25)
    brightest = float(grey.max())
    if middle > _SKY_BRIGHTEST * brightest:
        return False
    within = np.abs(grey - middle) <= _SKY_BAND * spread
    below = float((grey < middle - _SKY_BAND * spread).mean())
    peaks = brightest - middle > _SKY_PEAK * spread
    return bool(within.mean() >= _SKY_SHARE and below <= _SKY_BELOW and peaks)


def find_overlay(grey: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Find text and other drawings on a photo.

    Args:
        grey: (H, W) in grey levels of 0 to 255.

    Returns:
        (H, W), true where an overlay is or may be near; None if there is none.
    """
    if min(grey.shape) < 3 * _CELL:
        return None
    strong, sharp = _edges(grey)
    edges, sharp_edges = _by_cell(strong), _by_cell(sharp)
    suspect = (sharp_edges >= _FEWEST_SHARP) & (sharp_edges >= _SHARP_SHARE * edges)
    if not _SMALLEST <= suspect.mean() <= _LARGEST:
        return None
    near = _grown(suspect)
    within = sharp_edges[suspect].sum() / edges[suspect].sum()
    beside = sharp_edges[~near].sum() / max(edges[~near].sum(), 1)
    if within < _WITHIN or beside > _BESIDE:
        return None
    mask = np.zeros(grey.shape, bool)
    cells = near.repeat(_CELL, axis=0).repeat(_CELL, axis=1)
    mask[: cells.shape[0], : cells.shape[1]] = cells
    # Incomplete cells at the far borders follow their neighbours.
    mask[cells.shape[0] :] = mask[cells.shape[0] - 1]
    mask[:, cells.shape[1] :] = mask[:, cells.shape[1] - 1, None]
    return mask


def _edges(grey: NDArray[np.float32]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    strong, sharp = np.zeros(grey.shape, bool), np.zeros(grey.shape, bool)
    for plane, strong_here, sharp_here in ((grey, strong, sharp), (grey.T, strong.T, sharp.T)):
        four = [plane[k : len(plane) - 3 + k] for k in range(4)]
        largest = np.maximum(np.maximum(four[0], four[1]), np.maximum(four[2], four[3]))
        smallest = np.minimum(np.minimum(four[0], four[1]), np.minimum(four[2], four[3]))
        span = largest - smallest
        here = span >= _STRONG
        strong_here[1:-2] |= here
        sharp_here[1:-2] |= here & (np.abs(four[2] - four[1]) >= _SHARP * span)
    return strong, sharp


def _by_cell(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    rows, cols = (side // _CELL for side in mask.shape)
    whole = mask[: rows * _CELL, : cols * _CELL]
    counts: NDArray[np.int64] = whole.reshape(rows, _CELL, cols, _CELL).sum((1, 3), np.int64)
    return counts


def _grown(cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Cells and their eight neighbours."""
    padded = np.pad(cells, 1)
    rows, cols = cells.shape
    grown = np.zeros_like(cells)
    for down in range(3):
        for right in range(3):
            grown |= padded[down : down + rows, right : right + cols]
    return grown
