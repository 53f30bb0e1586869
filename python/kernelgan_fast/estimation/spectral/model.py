"""The power spectrum of a downscaled photo: natural image x kernel, folded, on a noise floor.

    S(f) = Σ_a exp(h(u_a)) · (|K(u_a)|² + ε) + n

f is in cycles per LR pixel, u_a = (f + a) / scale are the frequencies of the HR image that fold
onto it, in cycles per HR pixel. The HR image has the spectrum exp(h),

    h(u) = c - p·L + q·L² + a₂·cos 2θ + b₂·sin 2θ + a₄·cos 4θ + b₄·sin 4θ,    L = log(|u| / 0.1),

a power law whose exponent, bend and directions differ from photo to photo; what they usually are
is the prior. K is a kernel (see `shapes`) of covariance Σ = exp(M), M = [[m - a, b], [b, m + a]] in
the order (row, col): the widths stay positive, their prior does not know directions, and the
uncertainty of m is that of the logarithm of the kernel's area.

The noise floor n falls or rises with |f|: compression takes the finest noise away.

A vector of parameters is (c, p, q, a₂, b₂, a₄, b₄, m, a, b, log n, slope of log n).
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.estimation.spectral.blocks import BLOCK
from kernelgan_fast.estimation.spectral.shapes import Shape, fixed_power

Array = NDArray[np.float64]

IMAGE = slice(0, 7)
AREA, SKEW, TILT, NOISE, COLOUR = 7, 8, 9, 10, 11
COVARIANCE = slice(AREA, TILT + 1)
PARAMETERS = 12

# The image's part of the prior: mean and standard deviation over photos, of fits with the kernel
# known (42 training photos, checked on others; docs/accuracy.md).
_IMAGE_MEAN = (0.0, 2.5, -0.2, 0.0, 0.0, 0.1, 0.0)
_IMAGE_SPREAD = (9.0, 0.5, 0.3, 0.35, 0.25, 0.35, 0.15)
# The kernel's part is wide: widths of 0.7 to 2.4 HR pixels at scale 2 within one deviation.
_WIDTH_MEAN, _LOG_WIDTH_SPREAD, _SKEW_SPREAD = 1.3, 0.6, 0.5
_LOG_NOISE_SPREAD = 4.0
_COLOUR_SPREAD = 1.0
_COLOUR_CENTRE, _COLOUR_WIDTH = 0.45, 0.25

# No kernel is as smooth as its shape: the part of |K|² that is spread over all frequencies, at
# scale 2; less for larger kernels, whose taps' errors average out.
_ROUGHNESS = 5e-4

# What the model leaves unexplained, in units of the logarithm, and of how many independent
# frequencies it is known: neighbours err together.
DEVIATION, _INDEPENDENT = 0.15, 20.0

_LOWEST, _FALLOFF = 0.05, 0.7
_LARGEST_EXPONENT = 80.0
_REFERENCE = 0.1


@dataclass(frozen=True, eq=False)
class Frequencies:
    """The cells of a block spectrum that are fitted, and what folds onto each.

    Attributes:
        cells: (32, 17) bool. Left out are the lowest frequencies, where the window's width
            matters, and the axis cross, where straight edges of frames and buildings lie.
        radius: (N,) |f| of the cells.
        weight: (N,) of the residuals; the sum of the squares is what the data weigh against
            the prior.
        basis: (A, N, 7) derivative of h for every alias and cell.
        rows, cols: (A, N) the HR frequencies u.
        square: (A, N) |u|².
        colour: (N,) derivative of log n by its slope.
        scale: the factor they belong to.
    """

    cells: NDArray[np.bool_]
    radius: Array
    weight: Array
    basis: Array
    rows: Array
    cols: Array
    square: Array
    colour: Array
    scale: int


@functools.lru_cache(maxsize=8)
def frequencies(scale: int) -> Frequencies:
    """Lay out the cells for a scale."""
    fy, fx = np.meshgrid(np.fft.fftfreq(BLOCK), np.fft.rfftfreq(BLOCK), indexing="ij")
    beyond_cross = 1.5 / BLOCK  # the Hann window smears an edge over one cell to each side
    cells = (
        (np.hypot(fy, fx) >= _LOWEST) & (np.abs(fy) > beyond_cross) & (np.abs(fx) > beyond_cross)
    )
    rows, cols = _folded(fy[cells], scale), _folded(fx[cells], scale)
    rows, cols = np.repeat(rows, scale, axis=0), np.tile(cols, (scale, 1))
    radius = np.hypot(fy[cells], fx[cells])
    weight = radius**-_FALLOFF
    weight *= math.sqrt(_INDEPENDENT / (weight**2).sum()) / DEVIATION
    colour = (radius - _COLOUR_CENTRE) / _COLOUR_WIDTH
    square = rows**2 + cols**2
    basis = _image_basis(rows, cols)
    return Frequencies(cells, radius, weight, basis, rows, cols, square, colour, scale)


def _folded(frequency: Array, scale: int) -> Array:
    """The `scale` HR frequencies along an axis that fold onto each LR frequency: (scale, N)."""
    all_of_them = frequency + np.arange(-scale, scale + 1)[:, None]
    nearest = np.argsort(np.abs(all_of_them), axis=0, kind="stable")[:scale]
    folded: Array = np.take_along_axis(all_of_them, nearest, axis=0) / scale
    return folded


def _image_basis(rows: Array, cols: Array) -> Array:
    square = rows**2 + cols**2
    log = 0.5 * np.log(square / _REFERENCE**2)
    cos2, sin2 = (cols**2 - rows**2) / square, 2 * rows * cols / square
    cos4, sin4 = cos2**2 - sin2**2, 2 * cos2 * sin2
    return np.stack([np.ones_like(log), -log, log**2, cos2, sin2, cos4, sin4], axis=-1)


def prior(scale: int) -> tuple[Array, Array]:
    """Mean and standard deviation of every parameter; the means of c and log n await the data.

    The kernel's width is expected in proportion to the scale.
    """
    log_variance = 2 * math.log(_WIDTH_MEAN * scale / 2)
    mean = np.array([*_IMAGE_MEAN, log_variance, 0.0, 0.0, 0.0, 0.0])
    kernel = (2 * _LOG_WIDTH_SPREAD, _SKEW_SPREAD, _SKEW_SPREAD)
    return mean, np.array([*_IMAGE_SPREAD, *kernel, _LOG_NOISE_SPREAD, _COLOUR_SPREAD])


def covariance(parameters: Array) -> Array:
    """Compute Σ = exp(M): (2, 2) in HR px², order (row, col)."""
    m, a, b = parameters[COVARIANCE]
    r = math.hypot(a, b)
    height, slope = math.cosh(r), _sinhc(r)
    return math.exp(m) * np.array(
        [[height - slope * a, slope * b], [slope * b, height + slope * a]]
    )


def log_spectrum(parameters: Array, grid: Frequencies, shape: Shape) -> tuple[Array, Array]:
    """Compute log S and its Jacobian.

    Args:
        parameters: (12,).
        grid: the cells, N of them.
        shape: of the kernel. A fixed one does not depend on m, a and b.

    Returns:
        (N,) and (N, 12).
    """
    image = np.exp(np.minimum(grid.basis @ parameters[IMAGE], _LARGEST_EXPONENT))
    noise = np.exp(parameters[NOISE] + parameters[COLOUR] * grid.colour)
    roughness = _ROUGHNESS * (2 / grid.scale) ** 2
    kernel, slopes = _kernel_power(parameters, grid, shape)
    signal = image * (kernel + roughness)
    total = signal.sum(axis=0) + noise
    jacobian = np.zeros((grid.radius.size, PARAMETERS))
    for index, slope in zip(range(AREA, TILT + 1), slopes, strict=False):
        jacobian[:, index] = (image * slope).sum(axis=0) / total
    jacobian[:, IMAGE] = np.einsum("an,anj->nj", signal / total, grid.basis)
    jacobian[:, NOISE] = noise / total
    jacobian[:, COLOUR] = jacobian[:, NOISE] * grid.colour
    return np.log(total), jacobian


def _kernel_power(
    parameters: Array, grid: Frequencies, shape: Shape
) -> tuple[Array, tuple[Array, ...]]:
    """|K|² and its derivatives by m, a and b; none of a fixed shape."""
    if shape.power is not None:
        q, slopes = _quadratic(parameters, grid)
        kernel, bend = shape.power(q)
        return kernel, tuple(bend * slope for slope in slopes)
    if shape.trace is not None:
        along, along_slopes, still, still_slopes = _movement(parameters, grid)
        moved, bend = shape.trace(along)
        blurred = np.exp(-still)
        pairs = zip(along_slopes, still_slopes, strict=True)
        return moved * blurred, tuple(blurred * (bend * one - moved * two) for one, two in pairs)
    return _fixed_power(shape, grid.scale), ()


@functools.lru_cache(maxsize=32)
def _fixed_power(shape: Shape, scale: int) -> Array:
    grid = frequencies(scale)
    return fixed_power(shape, scale, grid.rows, grid.cols)


def _quadratic(parameters: Array, grid: Frequencies) -> tuple[Array, tuple[Array, Array, Array]]:
    """q = (2π)² uᵀ exp(M) u and its derivatives by m, a and b.

    With r² = a² + b², C = u_x² - u_y² and D = 2·u_x·u_y:
    uᵀ exp(M) u = e^m · (cosh r · |u|² + (sinh r / r) · (a·C + b·D)).
    """
    m, a, b = parameters[COVARIANCE]
    r = math.hypot(a, b)
    height, slope = math.cosh(r), _sinhc(r)
    # d(sinh r / r)/dr, divided by r
    bend = (height - slope) / r**2 if r > 1e-3 else 1 / 3
    factor = (2 * math.pi) ** 2 * math.exp(m)
    across, along = grid.cols**2 - grid.rows**2, 2 * grid.rows * grid.cols
    mixed = a * across + b * along
    q = factor * (height * grid.square + slope * mixed)
    shared = slope * grid.square + bend * mixed
    return q, (q, factor * (a * shared + slope * across), factor * (b * shared + slope * along))


def _movement(
    parameters: Array, grid: Frequencies
) -> tuple[Array, tuple[Array, Array, Array], Array, tuple[Array, Array, Array]]:
    """q split into a movement along the wider axis and a round Gaussian, with derivatives.

    The wider axis lies at half the angle of (a, b), the variances are exp(m ± r): the Gaussian has
    the smaller one on both axes, the movement the difference.
    """
    m, a, b = parameters[COVARIANCE]
    r = math.hypot(a, b) + 1e-6
    turn = math.atan2(b, a)
    major, minor = (2 * math.pi) ** 2 * math.exp(m + r), (2 * math.pi) ** 2 * math.exp(m - r)
    cosine, sine = math.cos(turn / 2), math.sin(turn / 2)
    along = cosine * grid.cols + sine * grid.rows
    across = cosine * grid.rows - sine * grid.cols
    moved = (major - minor) * along**2
    still = minor * grid.square
    by_r, by_turn = (major + minor) * along**2, (major - minor) * along * across
    moved_slopes = (moved, (a * by_r - b / r * by_turn) / r, (b * by_r + a / r * by_turn) / r)
    return moved, moved_slopes, still, (still, -a / r * still, -b / r * still)


def _sinhc(value: float) -> float:
    return math.sinh(value) / value if value > 1e-6 else 1.0
