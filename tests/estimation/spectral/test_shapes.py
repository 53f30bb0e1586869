"""Shapes: what is drawn has the spectrum that is fitted, and sits where it belongs."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import special

from kernelgan_fast.degradation import shapes as instrument
from kernelgan_fast.estimation.spectral.model import frequencies
from kernelgan_fast.estimation.spectral.shapes import SHAPES, Shape, default_size, draw, fixed_power
from kernelgan_fast.kernels import centre_of_mass, target_centre
from kernelgan_fast.kernels.blur_kernel import moments

Array = NDArray[np.float64]
BY_NAME = {shape.name: shape for shape in SHAPES}
FIXED = [shape for shape in SHAPES if not shape.scales]
COVARIANCE = np.array([[2.2, 0.5], [0.5, 1.1]])


def transformed(kernel: Array, scale: int, rows: Array, cols: Array) -> Array:
    """|K|² of the taps themselves."""
    offsets = np.arange(len(kernel)) - target_centre(len(kernel), scale)
    y, x = (np.exp(-2j * np.pi * np.multiply.outer(u, offsets)) for u in (rows, cols))
    power: Array = np.abs(np.einsum("...i,ij,...j->...", y, kernel, x)) ** 2
    return power


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_kernels_sum_to_one_and_are_centred_exactly(shape: Shape, scale: int) -> None:
    size = default_size(scale)
    kernel = draw(shape, COVARIANCE * (scale / 2) ** 2, scale, size)
    assert kernel.shape == (size, size)
    assert kernel.sum() == pytest.approx(1)
    assert centre_of_mass(kernel) == pytest.approx([target_centre(size, scale)] * 2, abs=1e-12)


def test_sizes_are_those_of_the_project() -> None:
    assert (default_size(2), default_size(4)) == (13, 25)


@pytest.mark.parametrize("name", ["gaussian", "disk", "motion"])
def test_shapes_that_scale_have_the_spectrum_of_their_kernel(name: str) -> None:
    shape = BY_NAME[name]
    rows, cols = (axis.ravel() for axis in np.meshgrid([0.0, 0.04, 0.08], [0.0, 0.05, 0.1]))
    q = (2 * np.pi) ** 2 * np.einsum("ik,ij,jk->k", [rows, cols], COVARIANCE, [rows, cols])
    if shape.power is not None:
        value, _ = shape.power(q)
    else:
        assert shape.trace is not None
        still = (2 * np.pi) ** 2 * np.linalg.eigvalsh(COVARIANCE)[0] * (rows**2 + cols**2)
        value = shape.trace(np.maximum(q - still, 0))[0] * np.exp(-still)
    kernel = draw(shape, COVARIANCE, 2, 25)
    np.testing.assert_allclose(value, transformed(kernel, 2, rows, cols), atol=0.02)
    np.testing.assert_allclose(moments(kernel)[1], COVARIANCE, atol=0.1)


@pytest.mark.parametrize("name", ["gaussian", "disk", "motion"])
def test_the_slope_is_the_derivative(name: str) -> None:
    power = BY_NAME[name].power or BY_NAME[name].trace
    assert power is not None
    q, step = np.array([0.3, 2.0, 7.0, 30.0]), 0.05
    slope = (power(q + step)[0] - power(q - step)[0]) / (2 * step)
    np.testing.assert_allclose(power(q)[1], slope, atol=2e-3)
    assert power(np.zeros(1))[1] == pytest.approx(-1)


def test_the_tables_are_bessel_s() -> None:
    power, trace = BY_NAME["disk"].power, BY_NAME["motion"].trace
    assert power is not None and trace is not None
    x = np.array([0.5, 3.8317, 7.3, 25.0, 60.0])
    value, slope = power(x**2 / 4)
    np.testing.assert_allclose(value, (2 * special.j1(x) / x) ** 2, atol=1e-5)
    np.testing.assert_allclose(slope, -16 * special.j1(x) * special.jv(2, x) / x**3, atol=1e-5)
    assert power(np.array([1e5]))[0] == 0
    value, slope = trace(x**2 / 2)
    np.testing.assert_allclose(value, special.j0(x) ** 2, atol=1e-4)
    np.testing.assert_allclose(slope, -2 * special.j0(x) * special.j1(x) / x, atol=1e-4)


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("shape", FIXED, ids=lambda shape: shape.name)
def test_resamplers_are_the_instrument_s(shape: Shape, scale: int) -> None:
    size = 8 * scale + 1
    theirs = instrument.resampler(shape.name, size, scale)
    np.testing.assert_allclose(draw(shape, COVARIANCE, scale, size), theirs, atol=1e-12)
    grid = frequencies(scale)
    power = fixed_power(shape, scale, grid.rows[:, ::37], grid.cols[:, ::37])
    expected = transformed(theirs, scale, grid.rows[:, ::37], grid.cols[:, ::37])
    np.testing.assert_allclose(power, expected, atol=1e-9)


def test_a_disk_is_the_instrument_s() -> None:
    drawn = draw(BY_NAME["disk"], np.eye(2) * 2.6**2 / 4, 2, 13)
    assert np.abs(drawn - instrument.disk(2.6, 13, 2)).sum() < 0.02


def test_a_disk_too_small_to_be_seen_is_still_a_kernel() -> None:
    drawn = draw(BY_NAME["disk"], np.eye(2) * 1e-4, 3, 19)
    assert drawn.sum() == pytest.approx(1)
    assert np.isfinite(drawn).all()
