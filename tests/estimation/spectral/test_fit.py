"""The solver against scipy's, and against spectra that the model made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import optimize

from kernelgan_fast.degradation import shapes as instrument
from kernelgan_fast.estimation.spectral import fit as solver
from kernelgan_fast.estimation.spectral.blocks import BLOCK, block_spectrum
from kernelgan_fast.estimation.spectral.fit import (
    Expected,
    fit_shapes,
    log_width_errors,
    probabilities,
)
from kernelgan_fast.estimation.spectral.model import (
    COVARIANCE,
    DEVIATION,
    NOISE,
    covariance,
    frequencies,
    log_spectrum,
    prior,
)
from kernelgan_fast.estimation.spectral.shapes import SHAPES

MakePhoto = Callable[..., NDArray[np.uint8]]

Array = NDArray[np.float64]


def made(parameters: Array, shape: int, scale: int = 2) -> Array:
    """The block spectrum that the model makes."""
    grid = frequencies(scale)
    power = np.ones((BLOCK, BLOCK // 2 + 1))
    power[grid.cells] = np.exp(log_spectrum(parameters, grid, SHAPES[shape])[0])
    return power


def truth(scale: int, *, m: float = 0.9, a: float = 0.2, b: float = 0.3) -> Array:
    parameters = prior(scale)[0]
    parameters[0] = 4.0
    parameters[COVARIANCE] = m + 2 * np.log(scale / 2), a, b
    parameters[NOISE] = -3.0
    return parameters


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("shape", range(len(SHAPES)), ids=lambda index: SHAPES[index].name)
def test_a_spectrum_of_the_model_is_recognised(shape: int, scale: int) -> None:
    true = truth(scale, a=0.6, b=0.5)
    fits = fit_shapes(made(true, shape, scale), frequencies(scale))
    likely = probabilities(fits)
    assert likely.sum() == pytest.approx(1)
    # Without noise to spoil it, no other shape of its kind comes near.
    kind = [i for i, fit in enumerate(fits) if fit.shape.scales == SHAPES[shape].scales]
    assert max(kind, key=lambda index: likely[index]) == shape
    best = fits[shape]
    assert best.residual < 0.03
    if SHAPES[shape].scales:
        np.testing.assert_allclose(best.covariance, covariance(true), rtol=0.04, atol=0.04)


def test_the_minimum_is_scipy_s(make_photo: MakePhoto) -> None:
    kernel = instrument.gaussian(np.array([[1.5, 0.4], [0.4, 2.5]]), 13, 2)
    grid = frequencies(2)
    data = np.log(block_spectrum(make_photo(kernel, noise=1.0)).power[grid.cells])
    mean, deviation = prior(2)
    mean[0], mean[NOISE] = 3.0, 0.0
    ours = solver._Problem(data, grid, mean, deviation).fit(SHAPES[0], mean)

    def cost(parameters: Array) -> float:
        bent = np.sqrt(1 + ((log_spectrum(parameters, grid, SHAPES[0])[0] - data) / 0.15) ** 2) - 1
        away = (parameters - mean) / deviation
        return float((0.15 * grid.weight) ** 2 @ bent + 0.5 * away @ away)

    theirs = optimize.minimize(cost, mean, method="BFGS", options={"gtol": 1e-5})
    assert cost(ours.parameters) <= theirs.fun + 1e-3
    np.testing.assert_allclose(ours.parameters, theirs.x, atol=0.02)
    # Where the robust loss is near its parabola the spread is the inverse of the curvature.
    assert np.sqrt(np.diag(ours.spread)) == pytest.approx(
        np.sqrt(np.diag(theirs.hess_inv)), rel=0.6
    )


def test_turning_the_photo_turns_the_kernel() -> None:
    power = made(truth(2, a=0.5, b=0.2), 0)
    first = fit_shapes(power, frequencies(2))[0]
    mirrored = np.concatenate([power[:1], power[:0:-1]])  # rows upside down
    second = fit_shapes(mirrored, frequencies(2))[0]
    np.testing.assert_allclose(second.covariance, first.covariance * [[1, -1], [-1, 1]], atol=2e-3)
    assert log_width_errors(second) == pytest.approx(log_width_errors(first), rel=1e-2)


def test_peaks_of_a_texture_are_outvoted() -> None:
    power = made(truth(2), 0)
    peaked = power.copy()
    peaked[7:9, 5:7] *= 1e4
    peaked[20, 11] *= 1e5
    one, other = (fit_shapes(p, frequencies(2))[0] for p in (power, peaked))
    widths = np.sqrt([np.linalg.det(fit.covariance) for fit in (one, other)])
    assert widths[1] == pytest.approx(widths[0], rel=0.05)
    assert other.residual > 10 * one.residual


def test_uncertainty_grows_where_noise_hides_the_kernel() -> None:
    quiet, noisy = truth(2), truth(2)
    noisy[NOISE] = 5.0
    errors = [log_width_errors(fit_shapes(made(p, 0), frequencies(2))[0]) for p in (quiet, noisy)]
    assert errors[0][0] > 0.01
    assert errors[1][0] > 1.5 * errors[0][0] and errors[1][1] > 1.5 * errors[0][1]


def test_an_expected_kernel_holds_where_the_data_say_little() -> None:
    power = made(truth(2), 0) + 1e5  # all noise
    expected = Expected(truth(2, m=-0.5, a=0.0, b=0.0), 0.05)
    fit = fit_shapes(power, frequencies(2), expected)[0]
    assert np.linalg.det(fit.covariance) ** 0.25 == pytest.approx(np.exp(-0.25), rel=0.05)
    clear = fit_shapes(made(truth(2), 0), frequencies(2), Expected(truth(2), 0.2))[0]
    np.testing.assert_allclose(clear.covariance, covariance(truth(2)), rtol=0.03, atol=0.02)


def test_a_spectrum_without_power_still_gives_numbers() -> None:
    fits = fit_shapes(np.zeros((BLOCK, BLOCK // 2 + 1)), frequencies(2))
    assert all(np.isfinite(fit.parameters).all() for fit in fits)
    assert np.isfinite(probabilities(fits)).all()
    assert DEVIATION > 0
