"""The resamplers' filters: their values, where they end, and that they interpolate."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from kernelgan_fast.kernels import geometry as shapes

Filter = Callable[[shapes.Array], shapes.Array]
REACH = {"bicubic": 2.0, "bilinear": 1.0, "lanczos": 3.0, "box": 0.5}
EACH = pytest.mark.parametrize("name", list(shapes.RESAMPLERS))


@EACH
def test_a_filter_is_even_and_ends(name: str) -> None:
    places = np.linspace(0.003, 4, 500)
    values = shapes.RESAMPLERS[name](places)
    assert np.array_equal(values, shapes.RESAMPLERS[name](-places))
    assert np.all(values[places > REACH[name]] == 0)
    assert np.abs(values[places < REACH[name]]).min() > 0


@EACH
def test_a_filter_keeps_the_pixels_it_meets(name: str) -> None:
    assert shapes.RESAMPLERS[name](np.arange(-4.0, 5.0)) == pytest.approx(np.eye(9)[4], abs=1e-15)


@EACH
def test_a_filter_keeps_a_flat_picture(name: str) -> None:
    total = shapes.RESAMPLERS[name](np.arange(-4.0, 5.0) + 0.3).sum()
    assert total == pytest.approx(1, abs=0.02 if name == "lanczos" else 1e-15)


def test_the_cubic_keeps_a_parabola() -> None:
    """Keys' a = -1/2 is the one cubic that does."""
    taps = np.arange(-3.0, 4.0)
    weights = shapes.bicubic(taps - 0.37)
    assert weights @ taps**2 == pytest.approx(0.37**2, abs=1e-14)
    assert shapes.bicubic(np.array([0.5, 1.5])) == pytest.approx([0.5625, -0.0625])
