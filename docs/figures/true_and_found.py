"""Draw photos, the kernels that made them small, and the kernels found: images/true_and_found.png.

    python docs/figures/true_and_found.py SET docs/images/true_and_found.png NAME NAME NAME

SET is a folder as `kernelgan-fast degrade` writes it (lr_x2/, gt_k_x2/). The README shows
budgie_lake-sherburne, budgie_oakland-zoo-otters and budgie_roman-colosseum of the CC0 set.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from sheet import cells, sheet

from kernelgan_fast import estimate
from kernelgan_fast.evaluation.metrics import compare
from kernelgan_fast.kernels import load, recentre

SIDE = 194
SHOWN = 13


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("set", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("names", nargs="+", metavar="NAME")
    args = parser.parse_args()

    rows, captions = [], []
    for name in args.names:
        photo = args.set / "lr_x2" / f"{name}.png"
        true = load(args.set / "gt_k_x2" / f"{name}.mat", scale=2)
        found = estimate(photo)
        errors = compare(found.kernel, true)
        arrays = [_framed(recentre(true.array, 2)), _framed(found.kernel.array)]
        brightest = max(float(array.max()) for array in arrays)
        with Image.open(photo) as image:
            small = ImageOps.fit(image.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS)
        rows.append([small, *(cells(array, SIDE, brightest) for array in arrays)])
        told = f"relative error {errors.relative_l2:.2f}, expected {found.expected_error:.2f}"
        captions.append(["", "", told])
    heads = ("photo (LR)", "true kernel", "found from the photo")
    sheet(rows, heads, captions).quantize(256).save(args.out, optimize=True)


def _framed(array: NDArray[np.float64]) -> NDArray[np.float64]:
    """Set a kernel into zeros, or cut it, so that all are drawn at one size."""
    missing = (SHOWN - len(array)) // 2
    if missing < 0:
        return array[-missing:missing, -missing:missing]
    return np.pad(array, missing)


if __name__ == "__main__":
    main()
