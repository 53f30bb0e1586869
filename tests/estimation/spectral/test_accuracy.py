"""The figures that docs/accuracy.md gives, on photos beside the project."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kernelgan_fast.estimation.spectral import estimate_spectral
from kernelgan_fast.evaluation.metrics import compare
from kernelgan_fast.images import read_image
from kernelgan_fast.kernels import load


def mean_error(photos: Path, kernels: Path, photo: str, kernel: str, scale: int) -> float:
    errors = []
    for path in sorted(photos.iterdir()):
        name = path.stem.removeprefix(photo)
        truth = load(kernels / f"{kernel}{name}.mat", scale=scale)
        estimate = estimate_spectral(read_image(path).pixels, scale=scale)
        errors.append(compare(estimate.kernel, truth).relative_l2)
    assert len(errors) >= 18
    return float(np.mean(errors))


@pytest.mark.parametrize(("scale", "most"), [(2, 0.145), (4, 0.20)])
def test_cc0_photos(shared: Path, scale: int, most: float) -> None:
    folder = shared / "data" / "dev_cc0"
    photos, kernels = folder / f"lr_x{scale}", folder / f"gt_k_x{scale}"
    assert mean_error(photos, kernels, "", "", scale) < most


@pytest.mark.parametrize(("scale", "most"), [(2, 0.125), (4, 0.08)])
def test_div2krk(shared: Path, scale: int, most: float) -> None:
    folder = shared / "data" / "research_only" / "div2krk"
    photos, kernels = folder / f"lr_x{scale}", folder / f"gt_k_x{scale}"
    assert mean_error(photos, kernels, "im_", "kernel_", scale) < most
