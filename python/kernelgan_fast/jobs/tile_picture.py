"""A picture of kernels by region: how wide each is, and which way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from kernelgan_fast.escaping import printable
from kernelgan_fast.files import atomic_write

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from kernelgan_fast.estimation.spectral import TileMap
    from kernelgan_fast.kernels.blur_kernel import Widths

# Everything is drawn twice as large and reduced, which smooths lines and text.
_FINE = 2
_WIDTH, _MOST_HEIGHT, _MARGIN = 900, 900, 30
_HEADING, _LEGEND = 60, 64
_LABEL = 24

_INK, _FAINT, _PAPER, _EMPTY = (32, 36, 44), (110, 116, 128), (255, 255, 255), (226, 226, 226)
_NARROW, _WIDE = np.array((247, 251, 255)), np.array((107, 174, 214))

# Widths closer together than this factor look alike, so that what is only noise does too.
_LEAST_RANGE = 1.25


def save_tile_picture(tiles: TileMap, path: str | os.PathLike[str], source: str) -> None:
    """Draw a map of kernels to a PNG file; the same map gives the same bytes.

    Args:
        tiles: the map.
        path: the PNG file; its folder must exist.
        source: the photo's name, for the heading.

    Raises:
        OutputError: the file could not be written; an old one is untouched.
    """
    picture = draw_tiles(tiles, source)

    def write(stream: BinaryIO) -> None:
        picture.save(stream, format="PNG", optimize=True)

    atomic_write(path, write)


def draw_tiles(tiles: TileMap, source: str) -> Image:
    """Draw a map of kernels; see `save_tile_picture`.

    Each region shows an ellipse of the standard deviations, all at one scale, and their two
    values; the colour is their geometric mean.

    Returns:
        An RGB image, 900 pixels wide or less for photos higher than wide.
    """
    from PIL import Image, ImageDraw

    height, width = tiles.photo
    zoom = min((_WIDTH - 2 * _MARGIN) / width, (_MOST_HEIGHT - _HEADING - _LEGEND) / height)
    side = max(round(zoom * width), 400) + 2 * _MARGIN, round(zoom * height) + _HEADING + _LEGEND
    canvas = Image.new("RGB", (side[0] * _FINE, side[1] * _FINE), _PAPER)
    pen = ImageDraw.Draw(canvas)
    rows, cols = (edges * zoom for edges in tiles.edges)
    rows, cols = rows + _HEADING, cols + (side[0] - zoom * width) / 2
    low, high = _range(tiles)
    cell = min(np.diff(rows).min() - _LABEL, np.diff(cols).min())
    stretch = 0.42 * cell / max(float(np.nanmax(tiles.widths[:, :, 0], initial=0)), 1e-6)
    for row, line in enumerate(tiles.tiles):
        for col, tile in enumerate(line):
            box = (cols[col], rows[row], cols[col + 1], rows[row + 1])
            _region(pen, box, None if tile is None else tile.widths, (low, high), stretch)
    scale = tiles.whole.kernel.scale
    _text(pen, side[0] / 2, _HEADING / 2, f"{source}: blur by region, x{scale}", 22, _INK, side[0])
    legend = (
        f"widths (standard deviations) in px of the image {scale} times as large; their mean, from "
        f"{low:.2f} (pale) to {high:.2f} (dark)",
        f"ellipses enlarged {stretch:.0f} times; grey: too little to see, the whole photo's kernel "
        "holds",
    )
    for index, words in enumerate(legend):
        y = side[1] - _LEGEND + 20 + 22 * index
        _text(pen, side[0] / 2, y, words, 14, _FAINT, side[0] - _MARGIN)
    return canvas.resize(side, Image.Resampling.BOX)


def _range(tiles: TileMap) -> tuple[float, float]:
    means = np.sqrt(tiles.widths[:, :, 0] * tiles.widths[:, :, 1])
    if np.isnan(means).all():
        means = np.array([np.sqrt(np.prod(tiles.whole.widths[:2]))])
    low = float(np.nanmin(means))
    return low, max(float(np.nanmax(means)), _LEAST_RANGE * low)


def _region(
    pen: ImageDraw,
    box: tuple[float, float, float, float],
    widths: Widths | None,
    limits: tuple[float, float],
    stretch: float,
) -> None:
    corners = [round(place * _FINE) for place in box]
    if widths is None:
        pen.rectangle(corners, fill=_EMPTY, outline=_FAINT, width=_FINE)
        return
    mean = float(np.sqrt(widths.major * widths.minor))
    part = (mean - limits[0]) / max(limits[1] - limits[0], 1e-6)
    fill = tuple(int(value) for value in np.rint(_NARROW + part * (_WIDE - _NARROW)))
    pen.rectangle(corners, fill=fill, outline=_FAINT, width=_FINE)
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3] - _LABEL) / 2
    outline = [
        ((x + right) * _FINE, (y + down) * _FINE) for right, down in _ellipse(widths, stretch)
    ]
    pen.line(outline, fill=_INK, width=round(1.6 * _FINE), joint="curve")
    label = f"{widths.major:.2f} x {widths.minor:.2f}"
    _text(pen, x, box[3] - _LABEL / 2, label, 14, _INK, box[2] - box[0] - 4)


def _ellipse(widths: Widths, stretch: float) -> list[tuple[float, float]]:
    """Points (right, down) from its middle."""
    turns = np.linspace(0, 2 * np.pi, 73)
    angle = np.radians(widths.angle)  # counter-clockwise on the screen, where rows grow downwards
    along, across = widths.major * np.cos(turns), widths.minor * np.sin(turns)
    right: NDArray[np.float64] = stretch * (along * np.cos(angle) + across * np.sin(angle))
    down: NDArray[np.float64] = stretch * (across * np.cos(angle) - along * np.sin(angle))
    return list(zip(right.tolist(), down.tolist(), strict=True))


def _text(
    pen: ImageDraw,
    x: float,
    y: float,
    text: str,
    size: float,
    colour: tuple[int, int, int],
    width: float,
) -> None:
    from PIL import ImageFont

    text = printable(text)  # a name may hold line breaks, which cannot be measured
    font = ImageFont.load_default(size * _FINE)
    length = pen.textlength(text, font=font)
    if length > width * _FINE:  # what is too long shrinks until it fits
        font = ImageFont.load_default(size * width * _FINE * _FINE / length)
    pen.text((x * _FINE, y * _FINE), text, fill=colour, font=font, anchor="mm")
