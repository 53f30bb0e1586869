"""Pictures of photos and kernels in rows, pixel for pixel, with words above and below."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFont

GAP, LINE, SIZE = 6, 22, 13
INK, PAPER = (32, 36, 44), (255, 255, 255)


def sheet(
    rows: Sequence[Sequence[Image.Image]],
    heads: Sequence[str],
    captions: Sequence[Sequence[str]] = (),
) -> Image.Image:
    """Set pictures of one size a column into rows.

    Args:
        rows: the pictures; all of a row are of one height.
        heads: a line above each column.
        captions: for each row a line below each picture, "" for none.
    """
    widths = [picture.width for picture in rows[0]]
    lefts = np.cumsum([0, *(width + GAP for width in widths)])
    lines = [LINE if any(row) else 0 for row in captions] or [0] * len(rows)
    height = LINE + sum(row[0].height + GAP for row in rows) + sum(lines) - GAP
    canvas = Image.new("RGB", (int(lefts[-1]) - GAP, height), PAPER)
    pen = ImageDraw.Draw(canvas)

    def words(text: str, column: int, top: int) -> None:
        size: float = SIZE
        while pen.textlength(text, font=ImageFont.load_default(size)) > widths[column]:
            size -= 0.5
        middle = int(lefts[column]) + widths[column] // 2
        font = ImageFont.load_default(size)
        pen.text((middle, top + LINE // 2), text, fill=INK, font=font, anchor="mm")

    for column, head in enumerate(heads):
        words(head, column, 0)
    top = LINE
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            canvas.paste(picture, (int(lefts[column]), top))
        top += row[0].height
        if lines[number]:
            for column, caption in enumerate(captions[number]):
                words(caption, column, top)
        top += lines[number] + GAP
    return canvas


def cells(kernel: ArrayLike, side: int, brightest: float | None = None) -> Image.Image:
    """Draw a kernel as squares.

    Args:
        kernel: (k, k).
        side: px of the picture.
        brightest: the value of the brightest colour; the kernel's own maximum if None.
    """
    from matplotlib import colormaps

    array = np.asarray(kernel, np.float64)
    shown = np.clip(array / (brightest or array.max()), 0, 1)
    colours = (colormaps["viridis"](shown)[..., :3] * 255).round().astype(np.uint8)
    return Image.fromarray(colours).resize((side, side), Image.Resampling.NEAREST)


def blocks(pixels: ArrayLike, times: int) -> Image.Image:
    """Show a photo with its pixels as squares of so many px."""
    photo = Image.fromarray(np.asarray(pixels, np.uint8)).convert("RGB")
    size = (photo.width * times, photo.height * times)
    return photo.resize(size, Image.Resampling.NEAREST)
