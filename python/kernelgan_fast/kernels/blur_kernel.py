"""The value this package is about: one downscaling kernel, and what it is for."""

from __future__ import annotations

import json
import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernelgan_fast.errors import InputError

CONVENTION = "correlation, centre of mass at k//2 + (scale - k%2)/2"

# Side of the largest kernel, HR pixels. Kernels of x4 downscaling have up to 33 px, published sets
# of camera motion up to 75 px. The time of every method grows with the square of the side.
LARGEST_SIZE = 101

# A resampler's kernel has about 8 px a step of the scale, so beyond 12 none fits into that side.
LARGEST_SCALE = 12

_SUM_TOLERANCE = 1e-6

# Expected relative errors above it say nothing, and methods square them.
_LARGEST_ERROR = 1000.0

# Negative lobes beyond this part of the maximum; noise and rounding leave less.
_LOBES = 1e-3

# Sum of absolute weights. At this limit float32 arithmetic still leaves 1/60 of a grey level; far
# beyond it the weights only cancel each other, and their moments overflow.
_LARGEST_MASS = 1000.0


class Widths(NamedTuple):
    """Standard deviations of a kernel along its main axes.

    Attributes:
        major: along the wider axis, HR pixels.
        minor: across it, HR pixels.
        angle: of the wider axis against the rows, degrees in [-90, 90), counter-clockwise as
            seen on the screen (0 lies flat, 45 rises to the right).
    """

    major: float
    minor: float
    angle: float


def moments(array: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute centre of mass and covariance.

    Args:
        array: (rows, cols) whose sum is not 0.

    Returns:
        The centre (2,) in index coordinates and the covariance (2, 2) in px², both (row, col).
    """
    rows, cols = np.indices(array.shape, dtype=np.float64)
    total = array.sum()
    centre = np.array([(rows * array).sum(), (cols * array).sum()]) / total
    y, x = rows - centre[0], cols - centre[1]
    mixed = (y * x * array).sum()
    covariance = np.array([[(y * y * array).sum(), mixed], [mixed, (x * x * array).sum()]]) / total
    return centre, covariance


@dataclass(frozen=True, eq=False, repr=False)
class BlurKernel:
    """A downscaling kernel: LR = correlate(HR, array)[::scale, ::scale].

    Two kernels are equal when array and scale are.

    Args:
        array: (k, k), k odd and at most `LARGEST_SIZE`, finite, sum 1 within 1e-6, sum of absolute
            weights at most 1000; kept as a read-only float64 copy.
        scale: how many times smaller the LR image is, an integer of 1 to `LARGEST_SCALE`.
        convention: how the array is meant; see `kernelgan_fast.kernels.geometry`.
        provenance: where the kernel comes from; a mapping that JSON can hold, copied.
        expected_error: relative L2 error to expect of an estimate, at least 0; None if it is not
            known, as for a kernel that was measured or designed.

    Raises:
        InputError: one of these does not hold.
    """

    array: NDArray[np.float64]
    scale: int = 2
    convention: str = CONVENTION
    provenance: Mapping[str, Any] = field(default_factory=dict)
    expected_error: float | None = None

    def __post_init__(self) -> None:
        array = _checked_array(self.array)
        array.setflags(write=False)
        object.__setattr__(self, "array", array)
        object.__setattr__(self, "scale", _checked_scale(self.scale))
        object.__setattr__(self, "provenance", _checked_provenance(self.provenance))
        object.__setattr__(self, "expected_error", _checked_error(self.expected_error))

    @property
    def size(self) -> int:
        """The side k of the array."""
        return int(self.array.shape[0])

    @property
    def centre_of_mass(self) -> tuple[float, float]:
        """(row, col) in index coordinates, HR pixels."""
        row, col = moments(self.array)[0]
        return float(row), float(col)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(2, 2) in px², order (row, col)."""
        return moments(self.array)[1]

    @property
    def widths(self) -> Widths:
        """Standard deviations along the main axes.

        Second moments mean nothing where a kernel has negative lobes. The widths of such a kernel
        are those of the Gaussian with the same full width at half maximum.
        """
        if float(self.array.min()) < -_LOBES * float(self.array.max()):
            return _half_maximum_widths(self.array)
        return widths_of(self.covariance)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BlurKernel):
            return NotImplemented
        return self.scale == other.scale and np.array_equal(self.array, other.array)

    def __hash__(self) -> int:
        # + 0.0 makes a negative zero, which compares equal, hash equal.
        return hash((self.scale, self.size, (self.array + 0.0).tobytes()))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping cannot be pickled; the constructor makes it again.
        provenance = dict(self.provenance)
        return BlurKernel, (
            self.array,
            self.scale,
            self.convention,
            provenance,
            self.expected_error,
        )

    def __repr__(self) -> str:
        major, minor, angle = self.widths
        return (
            f"BlurKernel({self.size}x{self.size}, scale={self.scale}, "
            f"sigma {major:.2f} x {minor:.2f} px at {round(angle)} degrees)"
        )


def widths_of(covariance: NDArray[np.float64]) -> Widths:
    """Standard deviations along the main axes of a (2, 2) covariance in px², order (row, col)."""
    values, vectors = np.linalg.eigh(covariance)
    minor, major = (math.sqrt(max(float(value), 0.0)) for value in values)
    row, col = (float(part) for part in vectors[:, 1])
    if math.isclose(minor, major, rel_tol=1e-9):
        return Widths(major, minor, 0.0)
    angle = math.degrees(math.atan2(-row, col))  # rows grow downwards
    return Widths(major, minor, (angle + 90.0) % 180.0 - 90.0)


def _half_maximum_widths(array: NDArray[np.float64]) -> Widths:
    """Widths of the Gaussian whose region above half of the maximum is the same."""
    from scipy import ndimage

    # Cubic splines between the taps, on a grid eight times finer.
    side = 8 * (array.shape[0] - 1) + 1
    dense = ndimage.zoom(array, side / array.shape[0], order=3, mode="nearest", grid_mode=False)
    region = (dense >= dense.max() / 2).astype(np.float64)
    # An even disk of radius r has the variance r²/4, and its diameter is the full width, which of
    # a Gaussian is 2 √(2 ln 2) standard deviations.
    major, minor, angle = widths_of(moments(region)[1] / 8**2)
    factor = 4 / (2 * math.sqrt(2 * math.log(2)))
    return Widths(factor * major, factor * minor, angle)


def check_size(shape: tuple[int, ...]) -> None:
    """Refuse kernels that are too large to work with.

    Raises:
        InputError: a side is longer than `LARGEST_SIZE`.
    """
    if max(shape, default=0) > LARGEST_SIZE:
        raise InputError(
            f"a kernel may have {LARGEST_SIZE} x {LARGEST_SIZE} px, got "
            f"{' x '.join(map(str, shape))}; crop it around its centre and divide it by its sum"
        )


def _checked_array(values: Any) -> NDArray[np.float64]:
    try:
        array = np.array(values, dtype=np.float64, order="C")
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"a kernel must be an array of numbers: {error}") from error
    check_size(array.shape)
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise InputError(f"a kernel must be a square array, got shape {array.shape}")
    if array.shape[0] % 2 == 0:
        raise InputError(
            f"a kernel must have an odd side, got {array.shape}; "
            "pad it with a zero row on top and a zero column on the left"
        )
    if not np.isfinite(array).all():
        raise InputError("a kernel must be finite, got NaN or infinity; estimate it again")
    with np.errstate(over="ignore", invalid="ignore"):
        total, mass = float(array.sum()), float(np.abs(array).sum())
    if not abs(total - 1.0) <= _SUM_TOLERANCE:
        raise InputError(f"a kernel must sum to 1, got {total:.9g}; divide it by its sum")
    if mass > _LARGEST_MASS:
        raise InputError(
            f"the absolute weights of a kernel may sum to {_LARGEST_MASS:g}, got {mass:.6g}; "
            "estimate it again"
        )
    return array


def _checked_error(error: Any) -> float | None:
    if error is None:
        return None
    number = isinstance(error, (int, float)) and not isinstance(error, bool)
    if not number or not 0 <= error <= _LARGEST_ERROR:
        raise InputError(
            f"an expected error must be a number of 0 to {_LARGEST_ERROR:g}, got "
            f"{reprlib.repr(error)}; leave it out"
        )
    return float(error)


def _checked_scale(scale: Any) -> int:
    whole = isinstance(scale, (int, np.integer)) and not isinstance(scale, bool)
    if not whole or not 1 <= scale <= LARGEST_SCALE:
        raise InputError(
            f"scale must be an integer of 1 to {LARGEST_SCALE}, got {reprlib.repr(scale)}; use 2 "
            "or 4"
        )
    return int(scale)


def _checked_provenance(provenance: Any) -> Mapping[str, Any]:
    if not isinstance(provenance, Mapping):
        raise InputError(f"provenance must be a mapping, got {type(provenance).__name__}")
    try:
        copy = json.loads(json.dumps(dict(provenance), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(f"provenance must be something JSON can hold: {error}") from error
    return MappingProxyType(copy)
