"""Draw what kernels do to photos: kernel_picture.png, kernels_and_photos.png, wrong_kernels.png.

    python docs/figures/kernels.py docs/images [PHOTO LEFT,TOP]

PHOTO is shown in the last two, 128 px of it from LEFT,TOP on. They were drawn from
hr/gb82_city.png 440,120 of the CC0 set; without PHOTO one of tests/data serves. The first shows
tests/data/perched-osprey_112x112.png, as `kernelgan-fast estimate` draws its kernel.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sheet import blocks, cells, sheet

from kernelgan_fast import BlurKernel, estimate, upscale
from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.degradation.shapes import covariance_matrix, gaussian
from kernelgan_fast.evaluation.quality import luma, psnr, shave
from kernelgan_fast.kernels import save, shift

DATA = Path(__file__).resolve().parents[2] / "tests" / "data"
PART, SIDE, SIZE = 128, 192, 17


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("photo", type=Path, nargs="?", default=DATA / "roman-colosseum_160x112.png")
    parser.add_argument("corner", nargs="?", default="0,0", metavar="LEFT,TOP")
    args = parser.parse_args()

    save(estimate(DATA / "perched-osprey_112x112.png").kernel, args.out / "kernel_picture.png")
    left, top = (int(word) for word in args.corner.split(","))
    large = np.asarray(Image.open(args.photo).convert("RGB"))
    part = np.s_[top : top + PART, left : left + PART]
    what_they_do(large, part).save(args.out / "kernels_and_photos.png", optimize=True)
    wrong_ones(large, part).save(args.out / "wrong_kernels.png", optimize=True)


def what_they_do(large: NDArray[np.uint8], part: tuple[slice, slice]) -> Image.Image:
    """Kernels, and below each the small photo that it makes."""
    kernels = {
        "narrow": _gaussian(0.7, 0.7, 0),
        "middling": _gaussian(1.4, 1.4, 0),
        "wide": _gaussian(2.3, 2.3, 0),
        "slanted": _gaussian(2.6, 0.8, 30),
        "motion": draw("motion", 2, seed=3, name="figure", fixed={"reach": 5.0}).array,
    }
    small = [degrade(large, kernel, 2) for kernel in kernels.values()]
    inner = tuple(slice(each.start // 2, each.stop // 2) for each in part)
    return sheet(
        [
            [cells(kernel, SIDE) for kernel in kernels.values()],
            [blocks(each[inner], 3) for each in small],
        ],
        list(kernels),
    ).quantize(256)


def wrong_ones(large: NDArray[np.uint8], part: tuple[slice, slice]) -> Image.Image:
    """One small photo enlarged with its own kernel, and with kernels that are not its own."""
    true = _gaussian(1.5, 1.5, 0)
    small = degrade(large, true, 2)
    kernels = {
        "30 % too narrow": _gaussian(1.05, 1.05, 0),
        "true": true,
        "30 % too wide": _gaussian(1.95, 1.95, 0),
        "half a pixel off": shift(true, (-0.5, -0.5)),
    }
    pictures, captions = [], []
    for kernel in kernels.values():
        result = upscale(small, kernel=BlurKernel(kernel / kernel.sum(), 2)).pixels
        pictures.append(blocks(result[part], 2))
        rows, columns = result.shape[:2]
        planes = (shave(luma(each), 8) for each in (result, large[:rows, :columns]))
        captions.append(f"{psnr(*planes):.1f} dB")
    return sheet([pictures], list(kernels), [captions]).quantize(256)


def _gaussian(major: float, minor: float, angle: float) -> NDArray[np.float64]:
    return gaussian(covariance_matrix(major, minor, angle), SIZE, 2)


if __name__ == "__main__":
    main()
