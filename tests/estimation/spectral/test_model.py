"""The spectrum's model against finite differences, and against images made by its rules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import linalg

from kernelgan_fast.degradation import shapes as instrument
from kernelgan_fast.estimation.spectral.blocks import block_spectrum
from kernelgan_fast.estimation.spectral.model import (
    COVARIANCE,
    NOISE,
    PARAMETERS,
    covariance,
    frequencies,
    log_spectrum,
    prior,
)
from kernelgan_fast.estimation.spectral.shapes import SHAPES, Shape

MakePhoto = Callable[..., NDArray[np.uint8]]

BASIS_CONSTANT = 0
SOMEWHERE = np.array([3.0, 2.3, -0.1, 0.2, -0.1, 0.1, 0.05, 0.7, 0.3, -0.4, -2.0, 0.5])


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_jacobian_is_the_derivative(shape: Shape, scale: int) -> None:
    grid = frequencies(scale)
    _, jacobian = log_spectrum(SOMEWHERE, grid, shape)
    for index in range(PARAMETERS):
        step = np.zeros(PARAMETERS)
        step[index] = 0.02
        above, below = (log_spectrum(SOMEWHERE + s, grid, shape)[0] for s in (step, -step))
        np.testing.assert_allclose(
            jacobian[:, index], (above - below) / 0.04, atol=0.02, err_msg=f"parameter {index}"
        )


@pytest.mark.parametrize("m, a, b", [(0.4, 0.0, 0.0), (0.4, 0.7, 0.0), (-1.0, -0.3, 0.9)])
def test_the_covariance_is_the_matrix_exponential(m: float, a: float, b: float) -> None:
    parameters = np.zeros(PARAMETERS)
    parameters[COVARIANCE] = m, a, b
    expected = linalg.expm(np.array([[m - a, b], [b, m + a]]))
    np.testing.assert_allclose(covariance(parameters), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_every_hr_frequency_folds_onto_its_cell(scale: int) -> None:
    grid = frequencies(scale)
    assert grid.rows.shape == (scale**2, grid.radius.size)
    fy, fx = np.meshgrid(np.fft.fftfreq(32), np.fft.rfftfreq(32), indexing="ij")
    for axis, lr in ((grid.rows, fy[grid.cells]), (grid.cols, fx[grid.cells])):
        folds = axis * scale - lr
        np.testing.assert_allclose(folds, np.rint(folds), atol=1e-12)
        assert np.abs(axis).max() <= 0.5 + 1e-12
    pairs = np.stack([grid.rows, grid.cols], axis=-1).round(9)
    assert all(len(np.unique(pairs[:, cell], axis=0)) == scale**2 for cell in (0, 57, 200))


def test_the_weights_count_as_twenty_independent_cells() -> None:
    weight = frequencies(2).weight
    assert 0.15**2 * (weight**2).sum() == pytest.approx(20)


def test_the_expected_width_grows_with_the_scale() -> None:
    two, four = (prior(scale)[0] for scale in (2, 4))
    np.testing.assert_allclose(covariance(four), 4 * covariance(two))
    assert (prior(2)[1] > 0).all()


@pytest.mark.parametrize("scale", [2, 4])
def test_the_model_is_the_spectrum_of_images_made_by_it(make_photo: MakePhoto, scale: int) -> None:
    true = np.array([[2.0, 0.5], [0.5, 0.9]]) * (scale / 2) ** 2
    kernel = instrument.gaussian(true, 25, scale)
    photo = make_photo(
        kernel, scale=scale, side=512 if scale == 2 else 320, exponent=2.2, noise=3.0
    )
    grid = frequencies(scale)
    data = np.log(block_spectrum(photo).power[grid.cells])
    parameters = np.zeros(PARAMETERS)
    parameters[1] = 2.2
    logarithm = linalg.logm(true)
    parameters[COVARIANCE] = (
        np.trace(logarithm) / 2,
        (logarithm[1, 1] - logarithm[0, 0]) / 2,
        logarithm[0, 1],
    )
    parameters[NOISE] = np.log(9.0)
    # The level is what the photo's contrast makes it.
    for _ in range(20):
        log, jacobian = log_spectrum(parameters, grid, SHAPES[0])
        level = jacobian[:, BASIS_CONSTANT]
        parameters[BASIS_CONSTANT] += (level @ (data - log)) / (level @ level)
    assert np.sqrt(np.mean((log - data) ** 2)) < 0.12
    assert abs(np.mean(log - data)) < 0.03
