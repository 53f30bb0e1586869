"""Draw parts of enlarged photos beside the true ones: images/bicubic_and_upscaled.jpg.

    python docs/figures/bicubic_and_upscaled.py SET HR docs/images/bicubic_and_upscaled.jpg \\
        NAME:LEFT:TOP NAME:LEFT:TOP NAME:LEFT:TOP

SET is a folder as `kernelgan-fast degrade` writes it (lr_x2/), HR the photos that it was made of;
LEFT and TOP are px of the large photo. The README shows budgie_motherboard-circuits:560:380,
budgie_roman-colosseum:560:250 and gb82_mies:200:200 of the CC0 set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image
from sheet import sheet

from kernelgan_fast import upscale

SIDE = 180
HEADS = ("bicubic", "kernelgan-fast upscale", "true")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("hr", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("places", nargs="+", metavar="NAME:LEFT:TOP")
    args = parser.parse_args()

    rows = []
    for place in args.places:
        name, left, top = place.split(":")
        box = (int(left), int(top), int(left) + SIDE, int(top) + SIDE)
        photo = args.set / "lr_x2" / f"{name}.png"
        with Image.open(photo) as image:
            small = image.convert("RGB")
        with Image.open(args.hr / f"{name}.png") as image:
            true = image.convert("RGB")
        size = (2 * small.width, 2 * small.height)
        bicubic = small.resize(size, Image.Resampling.BICUBIC)
        ours = Image.fromarray(upscale(photo).pixels)
        rows.append([each.crop(box) for each in (bicubic, ours, true)])
    sheet(rows, HEADS).save(args.out, quality=92)


if __name__ == "__main__":
    main()
