"""Draw a photo, the kernel found in it, and what the kernel buys: images/first_screen.jpg.

    python docs/figures/first_screen.py PHOTO LEFT:TOP docs/images/first_screen.jpg

LEFT and TOP are px of the photo, of the part that is shown enlarged. The README shows lr_x2/
budgie_motherboard-circuits.png of the CC0 set, 280:190.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image, ImageDraw
from sheet import cells, sheet

import kernelgan_fast

SIDE = 288
PART = SIDE // 4  # px of the photo; enlarged twice by a method, and twice for the eye
FRAME = (255, 88, 56)
HEADS = (
    "a small photo",
    "the kernel found in it",
    "twice as large, bicubic",
    "twice as large, by the kernel",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("photo", type=Path)
    parser.add_argument("place", metavar="LEFT:TOP")
    parser.add_argument("out", type=Path)
    args = parser.parse_args()

    left, top = (int(word) for word in args.place.split(":"))
    part = (left, top, left + PART, top + PART)
    found = kernelgan_fast.estimate(args.photo)
    ours = kernelgan_fast.upscale(args.photo, kernel=found.kernel)
    bicubic = kernelgan_fast.upscale(args.photo, method="bicubic")
    with Image.open(args.photo) as image:
        photo = around(image.convert("RGB"), part)
    large = [
        Image.fromarray(each.pixels)
        .crop(tuple(2 * edge for edge in part))
        .resize((SIDE, SIDE), Image.Resampling.NEAREST)
        for each in (bicubic, ours)
    ]
    picture = sheet([[photo, cells(found.kernel.array, SIDE), *large]], HEADS)
    picture.save(args.out, quality=88, subsampling=0, optimize=True)


def around(photo: Image.Image, part: tuple[int, int, int, int]) -> Image.Image:
    """The largest square of `photo` with `part` near its middle and framed, SIDE px a side."""
    side = min(photo.size)
    left = min(max((part[0] + part[2] - side) // 2, 0), photo.width - side)
    top = min(max((part[1] + part[3] - side) // 2, 0), photo.height - side)
    box = (left, top, left + side, top + side)
    shown = photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS, box=box)
    frame = [
        (edge - start) * SIDE / side
        for edge, start in zip(part, (left, top, left, top), strict=True)
    ]
    ImageDraw.Draw(shown).rectangle(frame, outline=FRAME, width=2)
    return shown


if __name__ == "__main__":
    main()
