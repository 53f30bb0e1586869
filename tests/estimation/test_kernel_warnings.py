"""What a kernel tells about itself."""

from __future__ import annotations

import numpy as np
import pytest
from quick import QUICK

from kernelgan_fast.estimation.kernel_warnings import (
    border_mass,
    describe_widths,
    kernel_facts,
    kernel_warnings,
)
from kernelgan_fast.gan.config import profile
from kernelgan_fast.kernels.blur_kernel import BlurKernel


def gaussian(sigma_rows: float, sigma_cols: float) -> BlurKernel:
    rows, cols = np.mgrid[:13, :13] - 6.5
    values = np.exp(-(rows**2) / (2 * sigma_rows**2) - cols**2 / (2 * sigma_cols**2))
    return BlurKernel(values / values.sum(), 2)


def test_facts_of_a_gaussian() -> None:
    facts = kernel_facts(gaussian(1.2, 1.8))
    assert facts["size"] == 13
    assert facts["width_major"] == pytest.approx(1.8, abs=0.02)
    assert facts["width_minor"] == pytest.approx(1.2, abs=0.02)
    assert facts["angle"] == pytest.approx(0.0, abs=0.1)
    assert facts["border_mass"] < 0.01


def test_a_round_kernel_has_no_angle_to_tell() -> None:
    assert describe_widths(kernel_facts(gaussian(1.2, 1.8))) == "1.80 x 1.20 px at 0 deg"
    assert describe_widths(kernel_facts(gaussian(1.3, 1.3))) == "1.30 x 1.30 px"
    assert describe_widths({"width_major": 1.02, "width_minor": 1.0, "angle": -44.6}).endswith(
        "-45 deg"
    )
    assert (
        describe_widths({"width_major": 0.0, "width_minor": 0.0, "angle": 3.0}) == "0.00 x 0.00 px"
    )


def test_border_mass_of_a_box_is_its_ring() -> None:
    assert border_mass(BlurKernel(np.full((5, 5), 1 / 25), 2)) == pytest.approx(16 / 25)


def test_a_good_kernel_has_no_findings() -> None:
    assert kernel_warnings(gaussian(1.5, 1.5), 0.1, [37, 40], profile("corrected")) == []


def test_mass_on_the_border() -> None:
    (found,) = kernel_warnings(gaussian(6, 6), None, [37], profile("corrected"))
    assert "outermost ring" in found and "13 px" in found


def test_seeds_that_disagree() -> None:
    (found,) = kernel_warnings(gaussian(1.5, 1.5), 0.45, [37, 40], profile("corrected"))
    assert "spread 45%" in found


def test_never_similar_blames_colours_or_a_short_run() -> None:
    (found,) = kernel_warnings(gaussian(1.5, 1.5), None, [None], profile("corrected"))
    assert found.startswith("the run never came close") and "saturated colours" in found
    (found,) = kernel_warnings(gaussian(1.5, 1.5), 0.1, [None, 3], QUICK)
    assert found.startswith("1 of 2 runs") and "20 iterations are too few" in found
