"""Draws the README's first picture: a photo, the kernel found in it, and what the kernel buys.

    python docs/figures/first_screen.py PHOTO X,Y docs/images/first_screen.jpg

X,Y is the corner of the part that is shown enlarged, in pixels of PHOTO.
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image, ImageDraw

import kernelgan_fast
from kernelgan_fast import BlurKernel

SIDE, GAP, TITLE = 288, 10, 24
PART = SIDE // 4  # of PHOTO, px; shown enlarged twice by a method and twice for the eye
FRAME = (255, 88, 56)


def main(path: str, corner: str, out: str) -> None:
    """Estimate, enlarge, draw."""
    left, top = (int(word) for word in corner.split(","))
    part = (left, top, left + PART, top + PART)
    result = kernelgan_fast.estimate(path)
    ours = kernelgan_fast.upscale(path, kernel=result.kernel)
    bicubic = kernelgan_fast.upscale(path, method="bicubic")
    columns = {
        "a small photo": whole(Image.open(path).convert("RGB"), part),
        "the kernel found in it": cells(result.kernel),
        "twice as large, bicubic": enlarged(bicubic.pixels, part),
        "twice as large, by the kernel": enlarged(ours.pixels, part),
    }
    canvas = Image.new("RGB", (len(columns) * (SIDE + GAP) - GAP, TITLE + SIDE), "white")
    pen = ImageDraw.Draw(canvas)
    for place, (title, picture) in enumerate(columns.items()):
        x = place * (SIDE + GAP)
        pen.text((x, 2), title, fill=(32, 36, 44), font_size=15)
        canvas.paste(picture, (x, TITLE))
    canvas.save(out, quality=88, subsampling=0, optimize=True)


def whole(photo: Image.Image, part: tuple[int, int, int, int]) -> Image.Image:
    """Give the square of `photo` around `part` that fills a column, `part` framed."""
    side = min(photo.size)
    left = min(max((part[0] + part[2] - side) // 2, 0), photo.width - side)
    top = min(max((part[1] + part[3] - side) // 2, 0), photo.height - side)
    shown = photo.crop((left, top, left + side, top + side)).resize((SIDE, SIDE), Image.LANCZOS)
    scaled = [
        (edge - start) * SIDE / side
        for edge, start in zip(part, (left, top, left, top), strict=True)
    ]
    ImageDraw.Draw(shown).rectangle(scaled, outline=FRAME, width=2)
    return shown


def cells(kernel: BlurKernel) -> Image.Image:
    """Give the kernel's values as grey cells, black for 0."""
    values = np.clip(kernel.array / kernel.array.max(), 0, 1)
    grey = Image.fromarray(np.round(255 * values).astype(np.uint8))
    return grey.resize((SIDE, SIDE), Image.NEAREST).convert("RGB")


def enlarged(pixels: np.ndarray, part: tuple[int, int, int, int]) -> Image.Image:
    """Give `part` of an enlarged photo, every pixel as 2 x 2."""
    box = tuple(2 * edge for edge in part)
    return Image.fromarray(pixels).crop(box).resize((SIDE, SIDE), Image.NEAREST)


if __name__ == "__main__":
    main(*sys.argv[1:])
