"""A small test set with known kernels, for tests of what measures super-resolution."""

from __future__ import annotations

from pathlib import Path

from kernelgan_fast.degradation.blur_models import draw
from kernelgan_fast.degradation.degrade import degrade
from kernelgan_fast.images import read_image, save_png
from kernelgan_fast.kernels import BlurKernel, save

DATA = Path(__file__).parent / "data"
NAMES = {"osprey": "perched-osprey_112x112.png", "roma": "roman-colosseum_160x112.png"}


def write_set(folder: Path, scale: int = 2) -> Path:
    """Write hr/, lr_x2/ and gt_k_x2/ of two photos, blurred by kernels of DIV2KRK's blur model."""
    for part in ("hr", f"lr_x{scale}", f"gt_k_x{scale}"):
        (folder / part).mkdir(parents=True)
    for name, file in NAMES.items():
        high = read_image(DATA / file)
        kernel = draw("div2krk", scale, seed=3, name=name).array
        save_png(high.pixels, folder / "hr" / f"{name}.png")
        save_png(degrade(high, kernel, scale), folder / f"lr_x{scale}" / f"{name}.png")
        save(BlurKernel(kernel, scale), folder / f"gt_k_x{scale}" / f"{name}.mat")
    return folder
