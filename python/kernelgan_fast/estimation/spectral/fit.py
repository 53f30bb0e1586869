"""The most probable parameters of the spectrum's model, one fit a shape, and how sure they are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.estimation.spectral.model import (
    AREA,
    COVARIANCE,
    DEVIATION,
    NOISE,
    SKEW,
    TILT,
    Frequencies,
    covariance,
    log_spectrum,
    prior,
)
from kernelgan_fast.estimation.spectral.shapes import SHAPES, Shape

Array = NDArray[np.float64]

# Rounding to 8 bits adds at least this to the luminance: (.299² + .587² + .114²) / 12.
_ROUNDING_NOISE = 0.037
_SMALLEST_POWER = 1e-9

_MOST_STEPS, _MOST_TRIES = 50, 12
_CLOSE = 1e-5
_LONGEST_STEP = 1.5
_DISK_BELOW = 0.5

# Starts of a movement: directions, log areas (m at scale 2), and log ratio of the variances / 2.
_DIRECTIONS, _AREAS, _ELONGATION = 4, (0.3, 1.2), 0.9
_TRIAL_STEPS = 6

# How the fit and the volume of a posterior decide between shapes. The weight of the data is set
# for the widths, where neighbouring frequencies err together; shapes are told apart best by twice
# that weight, which also makes the posteriors smaller (docs/accuracy.md).
_TRUST, _VOLUME = 2.0, 0.7


@dataclass(frozen=True, eq=False)
class ShapeFit:
    """A fitted shape.

    Attributes:
        shape: what was fitted.
        parameters: (12,), see `model`.
        log_evidence: logarithm of the probability of the data under this shape, prior included,
            up to a constant that all shapes share (Laplace's approximation).
        residual: weighted root mean square of log S - log data.
        spread: (12, 12) covariance of the parameters around the optimum.
    """

    shape: Shape
    parameters: Array
    log_evidence: float
    residual: float
    spread: Array

    @property
    def covariance(self) -> Array:
        """Σ, (2, 2) in HR px², order (row, col)."""
        return covariance(self.parameters)


@dataclass(frozen=True, eq=False)
class Expected:
    """A kernel expected beforehand, for fits beside one that is known.

    Attributes:
        parameters: (12,) of the known fit; its kernel and image are the prior's mean.
        log_width_spread: standard deviation of the logarithm of the widths around it.
    """

    parameters: Array
    log_width_spread: float


def fit_shapes(power: Array, grid: Frequencies, expected: Expected | None = None) -> list[ShapeFit]:
    """Fit every shape to a block spectrum.

    Args:
        power: (32, 17), squared grey levels.
        grid: the cells to fit, for the scale asked for.
        expected: a kernel expected beforehand; None for the general prior.

    Returns:
        One fit a shape, in the order of `SHAPES`.
    """
    data = np.log(power[grid.cells] + _SMALLEST_POWER)
    mean, deviation = prior(grid.scale)
    high = data[grid.radius > 0.45]
    mean[NOISE] = math.log(max(0.5 * math.exp(np.quantile(high, 0.2)), _ROUNDING_NOISE))
    low = grid.radius < 0.12
    law = mean[1] * np.log(grid.radius[low] / grid.scale / 0.1)
    mean[0] = float(np.mean(data[low] + law))
    if expected is not None:
        mean[1:NOISE] = expected.parameters[1:NOISE]
        deviation[COVARIANCE] = expected.log_width_spread * np.array([2.0, 1.0, 1.0])
    problem = _Problem(data, grid, mean, deviation)
    gaussian = problem.fit(SHAPES[0], mean)
    fits = [gaussian]
    for shape in SHAPES[1:]:
        if shape.power is not None:
            # A disk has several optima, one for each ring of its spectrum that may be taken for
            # the first. The right one lies below the Gaussian, which rings make wider.
            start = gaussian.parameters.copy()
            start[AREA] -= _DISK_BELOW
        elif shape.trace is not None and expected is None:
            start = _best_movement(problem, shape)
        else:
            start = mean
        fits.append(problem.fit(shape, start))
    return fits


def probabilities(fits: list[ShapeFit]) -> Array:
    """The probability of each shape given the data; sum 1."""
    logs = np.array([fit.log_evidence for fit in fits])
    weights = np.exp(logs - logs.max())
    normal: Array = weights / weights.sum()
    return normal


def log_width_errors(fit: ShapeFit) -> tuple[float, float]:
    """Standard errors of the logarithms of the major and the minor width: (major, minor).

    The widths are exp((m ± r)/2) with r² = a² + b².
    """
    _, a, b = fit.parameters[COVARIANCE]
    r = math.hypot(a, b)
    direction = (a / r, b / r) if r > 1e-9 else (1.0, 0.0)
    errors = []
    for sign in (1.0, -1.0):
        gradient = np.zeros(len(fit.parameters))
        gradient[AREA] = 0.5
        gradient[[SKEW, TILT]] = 0.5 * sign * np.array(direction)
        errors.append(math.sqrt(max(float(gradient @ fit.spread @ gradient), 0.0)))
    return errors[0], errors[1]


def _best_movement(problem: _Problem, shape: Shape) -> Array:
    """Try directions and lengths for a few steps each: fringes make many optima."""
    tried = []
    for turn in np.arange(_DIRECTIONS) * 2 * math.pi / _DIRECTIONS:
        for area in _AREAS:
            start = problem.mean.copy()
            start[AREA] = area + 2 * math.log(problem.grid.scale / 2)
            start[SKEW], start[TILT] = _ELONGATION * math.cos(turn), _ELONGATION * math.sin(turn)
            tried.append(problem.fit(shape, start, steps=_TRIAL_STEPS))
    return max(tried, key=lambda fit: fit.log_evidence).parameters


@dataclass(frozen=True, eq=False)
class _Problem:
    """A spectrum to fit: log power of the cells, and the prior."""

    data: Array
    grid: Frequencies
    mean: Array
    deviation: Array

    def cost(self, parameters: Array, log: Array) -> float:
        """Soft L1 at one DEVIATION, 2·(√(1 + z²) - 1): peaks of textures count little."""
        bent = np.sqrt(1 + ((log - self.data) / DEVIATION) ** 2) - 1
        away = (parameters - self.mean) / self.deviation
        return float(DEVIATION**2 * (self.grid.weight**2 @ bent) + 0.5 * (away @ away))

    def curvature(self, parameters: Array, log: Array, jacobian: Array) -> tuple[Array, Array]:
        """Hessian (of reweighted squares) and gradient of the cost."""
        miss = log - self.data
        weighted = jacobian * (self.grid.weight**2 / np.sqrt(1 + (miss / DEVIATION) ** 2))[:, None]
        precision = self.deviation**-2
        gradient = weighted.T @ miss + precision * (parameters - self.mean)
        return weighted.T @ jacobian + np.diag(precision), gradient

    def fit(self, shape: Shape, start: Array, *, steps: int = _MOST_STEPS) -> ShapeFit:
        """Minimise the cost by Levenberg-Marquardt."""
        parameters = start.copy()
        log, jacobian = log_spectrum(parameters, self.grid, shape)
        height, damping = self.cost(parameters, log), 1e-3
        hessian, gradient = self.curvature(parameters, log, jacobian)
        for _ in range(steps):
            before = height
            for _ in range(_MOST_TRIES):
                damped = hessian + damping * np.diag(np.diag(hessian))
                step = np.clip(np.linalg.solve(damped, -gradient), -_LONGEST_STEP, _LONGEST_STEP)
                new, jacobian = log_spectrum(parameters + step, self.grid, shape)
                lower = self.cost(parameters + step, new)
                if lower < height:
                    parameters, log, height = parameters + step, new, lower
                    hessian, gradient = self.curvature(parameters, log, jacobian)
                    damping /= 10
                    break
                damping = max(5 * damping, 1e-9)
            if before - height <= _CLOSE * max(1.0, before):
                break
        return self._summary(shape, parameters, log, height, hessian)

    def _summary(
        self, shape: Shape, parameters: Array, log: Array, height: float, hessian: Array
    ) -> ShapeFit:
        volume = float(np.linalg.slogdet(hessian)[1] + 2 * np.log(self.deviation).sum())
        evidence = shape.log_prior - _TRUST * (height + _VOLUME * 0.5 * volume)
        squares = self.grid.weight**2
        residual = math.sqrt(float(squares @ (log - self.data) ** 2 / squares.sum()))
        spread = np.asarray(np.linalg.inv(hessian), dtype=np.float64)
        return ShapeFit(shape, parameters, evidence, residual, spread)
