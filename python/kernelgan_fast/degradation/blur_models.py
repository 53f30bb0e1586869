"""Laws that true kernels are drawn from: DIV2KRK's, Gaussians, shaken cameras, lenses, resamplers.

A kernel depends on blur model, scale, seed and the photo's name alone, never on the other photos or
their order. Each is ready to be applied: at `target_centre` of its size.
"""

from __future__ import annotations

import difflib
import hashlib
import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernelgan_fast.degradation import shapes
from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import store
from kernelgan_fast.kernels.geometry import (
    RESAMPLERS,
    centre_of_mass,
    recentre,
    shift,
    target_centre,
)
from kernelgan_fast.kernels.postprocess import compose_x4

SCALES = (2, 4)

# The taps of DIV2KRK's kernels at scale 2; two such steps make 31 x 31 at scale 4.
_DIV2KRK_SIZE = 11

# A kernel that sits this close to where it belongs is applied as it is.
_CENTRED = 1e-4

_LOSS_WORTH_TELLING = 1e-3

# Part of a kernel that may leave its frame. Beyond it another kernel is left.
_MOST_LOSS = 0.5

Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class TrueKernel:
    """A kernel to make an LR photo with.

    Attributes:
        array: (k, k) float64, LR = correlate(HR, array)[::scale, ::scale]. Its sum is 1, but for
            kernels from files that lost a little in being centred (see `centred_as_div2krk`).
        parameters: what was drawn or read, ready for JSON.
        notes: what a user should know about it.
        expected_error: relative L2 error of an estimate from a file; None if it is not known.
    """

    array: NDArray[np.float64]
    parameters: Mapping[str, float | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    expected_error: float | None = None


@dataclass(frozen=True)
class BlurModel:
    """A family of kernels.

    Attributes:
        about: one line for the help.
        ranges: by scale, the parameters and the range each is drawn from evenly; a range of one
            value is a constant.
        build: the kernel of given parameters at a scale; draws from the generator what is no
            parameter (noise, paths).
    """

    about: str
    ranges: Callable[[int], Ranges]
    build: Callable[[Mapping[str, float], int, np.random.Generator], NDArray[np.float64]]


def draw(
    blur_model: str, scale: int, *, seed: int, name: str, fixed: Mapping[str, float] | None = None
) -> TrueKernel:
    """Draw the kernel of one photo.

    Args:
        blur_model: one of `BLUR_MODELS`.
        scale: 2 or 4.
        seed: 0 or more.
        name: of the photo.
        fixed: parameters to set instead of drawing them; the others are drawn as without it.

    Returns:
        The kernel, sum 1.

    Raises:
        InputError: unknown blur model, scale or parameter, or a parameter out of range.

    Source: Bell-Kligler et al. 2019, section 5.2 (the blur model "div2krk").
    """
    family = find_blur_model(blur_model)
    if scale not in SCALES:
        raise InputError(f"blur models of kernels are for scale 2 and 4, got {scale!r}")
    ranges = family.ranges(scale)
    random = generator(seed, "kernel", blur_model, str(scale), name)
    parameters = {key: float(random.uniform(*bounds)) for key, bounds in ranges.items()}
    parameters.update(_checked(fixed or {}, blur_model, ranges))
    return TrueKernel(family.build(parameters, scale, random), parameters)


def from_file(path: str | os.PathLike[str], scale: int) -> TrueKernel:
    """Read a kernel to apply, ours or another program's, and centre it as DIV2KRK did.

    Args:
        path: as `kernels.load` takes it; FILE:INDEX where it holds several.
        scale: 2 or 4.

    Raises:
        InputError: it cannot be read as a kernel of this scale.
    """
    name, index = os.fspath(path), None
    indexed = re.fullmatch(r"(.+):(\d+)", name, re.DOTALL)
    if indexed and not Path(name).exists():
        name, index = indexed[1], int(indexed[2])
    stored = store.load(name, scale=scale, index=index)
    centre = centre_of_mass(stored.array)
    if not all(0 <= place <= stored.size - 1 for place in centre):
        raise InputError(
            f"{name}: the centre of mass of a kernel must lie inside it, got row {centre[0]:.4g} "
            f"and column {centre[1]:.4g} of {stored.size} x {stored.size}; estimate it again"
        )
    array = centred_as_div2krk(stored.array, scale)
    lost = 1.0 - float(array.sum())
    if not abs(lost) <= _MOST_LOSS:
        raise InputError(
            f"{name}: {lost:.0%} of the kernel leave its frame as it is centred; pad it with zeros"
        )
    notes: list[str] = []
    if abs(lost) > _LOSS_WORTH_TELLING:
        notes.append(f"{lost:.1%} of {Path(name).name} left its frame as it was centred")
    if _looks_flipped(stored.array, scale):
        notes.append(
            f"{Path(name).name} lies before its middle as kernels stored for convolution do: if "
            "it is one, turn it with kernelgan_fast.kernels.flip first"
        )
    parameters: dict[str, float | str] = {"file": Path(name).name, "index": index or 0}
    return TrueKernel(array, parameters, tuple(notes), stored.expected_error)


def _looks_flipped(kernel: NDArray[np.float64], scale: int) -> bool:
    """Whether the mass lies as far before the centre tap as the half-pixel rule has it after."""
    middle = kernel.shape[0] // 2
    return bool(max(centre_of_mass(kernel)) < middle - (scale - 1) / 4)


def centred_as_div2krk(kernel: ArrayLike, scale: int) -> NDArray[np.float64]:
    """Shift a kernel to the half-pixel rule inside its frame, by the rule DIV2KRK was made with.

    A cubic spline shift, nothing padded and nothing normalised: with it LR photos of DIV2KRK come
    out to the grey level. A kernel that is centred already is left alone.

    Args:
        kernel: (k, k), such as DIV2KRK's, which are stored around k // 2.
        scale: how many times smaller the LR image is.
    """
    array = np.asarray(kernel, dtype=np.float64)
    row, col = centre_of_mass(array)
    target = target_centre(array.shape[0], scale)
    offset = (target - row, target - col)
    return array if max(map(abs, offset)) <= _CENTRED else shift(array, offset)


def generator(seed: int, *words: str) -> np.random.Generator:
    """A random stream of its own for every seed and every list of words."""
    digest = hashlib.sha256(
        "\0".join((str(seed), *words)).encode("utf-8", "surrogatepass")
    ).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "little")))


def find_blur_model(name: str) -> BlurModel:
    """The blur model of that name.

    Raises:
        InputError: there is none.
    """
    if name in BLUR_MODELS:
        return BLUR_MODELS[name]
    nearest = difflib.get_close_matches(name, BLUR_MODELS, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise InputError(
        f"blur model must be {', '.join(BLUR_MODELS)} or a kernel file, got {name!r}{hint}"
    )


def _checked(fixed: Mapping[str, float], blur_model: str, ranges: Ranges) -> Mapping[str, float]:
    for key, value in fixed.items():
        if key not in ranges:
            known = ", ".join(ranges) or "none"
            raise InputError(
                f"the blur model {blur_model} has the parameters {known}, got {key!r}; leave it out"
            )
        most = ranges[key][1]
        if not abs(value) <= most or (value <= 0 and key not in ("angle", "noise")):
            raise InputError(f"{key} must be above 0 and at most {most:g}, got {value:g}")
    return fixed


def frame(scale: int) -> int:
    """The side of our own blur models' kernels: 17 at scale 2, 33 at scale 4."""
    return 8 * scale + 1


def _div2krk(
    parameters: Mapping[str, float], scale: int, random: np.random.Generator
) -> NDArray[np.float64]:
    covariance = shapes.covariance_matrix(
        math.sqrt(parameters["lambda1"]), math.sqrt(parameters["lambda2"]), parameters["angle"]
    )
    smooth = shapes.gaussian(covariance, _DIV2KRK_SIZE, 2)
    most = parameters["noise"]
    noisy = smooth * random.uniform(1 - most, 1 + most, smooth.shape)
    # Stored around the middle tap and moved to the half pixel when used: two shifts, which smooth
    # the noise as DIV2KRK's is.
    row, col = centre_of_mass(noisy)
    stored = shift(noisy, (_DIV2KRK_SIZE // 2 - row, _DIV2KRK_SIZE // 2 - col))
    return recentre(stored if scale == 2 else compose_x4(stored), scale)


def _isotropic(
    parameters: Mapping[str, float], scale: int, random: np.random.Generator
) -> NDArray[np.float64]:
    covariance = parameters["sigma"] ** 2 * np.eye(2)
    return recentre(shapes.gaussian(covariance, frame(scale), scale), scale)


def _anisotropic(
    parameters: Mapping[str, float], scale: int, random: np.random.Generator
) -> NDArray[np.float64]:
    covariance = shapes.covariance_matrix(
        parameters["sigma1"], parameters["sigma2"], parameters["angle"]
    )
    return recentre(shapes.gaussian(covariance, frame(scale), scale), scale)


def _motion(
    parameters: Mapping[str, float], scale: int, random: np.random.Generator
) -> NDArray[np.float64]:
    path = shapes.camera_path(random, parameters["reach"])
    return recentre(shapes.path_kernel(path, frame(scale), scale), scale)


def _disk(
    parameters: Mapping[str, float], scale: int, random: np.random.Generator
) -> NDArray[np.float64]:
    return recentre(shapes.disk(parameters["radius"], frame(scale), scale), scale)


def _resampler(name: str) -> BlurModel:
    def build(
        parameters: Mapping[str, float], scale: int, random: np.random.Generator
    ) -> NDArray[np.float64]:
        return shapes.resampler(name, frame(scale), scale)

    return BlurModel(f"the antialiased {name} kernel of the scale", lambda scale: {}, build)


# DIV2KRK: the paper's lengths are variances, as the files show; ±25 % on every tap; at scale 4
# two steps of such a kernel, drawn anew (each file at scale 4 factors into one to rounding). The
# ranges of the others are ours: about as wide as DIV2KRK's kernels, in proportion to the scale,
# and motion as far as a 17 x 17 frame holds.
BLUR_MODELS: dict[str, BlurModel] = {
    "div2krk": BlurModel(
        "anisotropic Gaussians with noisy taps, as in DIV2KRK",
        lambda scale: {
            "lambda1": (0.6, 5.0),
            "lambda2": (0.6, 5.0),
            "angle": (-180.0, 180.0),
            "noise": (0.25, 0.25),
        },
        _div2krk,
    ),
    "gaussian": BlurModel(
        "round Gaussians", lambda scale: {"sigma": (0.4 * scale, 1.1 * scale)}, _isotropic
    ),
    "anisotropic": BlurModel(
        "elliptic Gaussians",
        lambda scale: {
            "sigma1": (0.4 * scale, 1.1 * scale),
            "sigma2": (0.4 * scale, 1.1 * scale),
            "angle": (-90.0, 90.0),
        },
        _anisotropic,
    ),
    "motion": BlurModel(
        "paths of a shaken camera", lambda scale: {"reach": (1.25 * scale, 2.75 * scale)}, _motion
    ),
    "disk": BlurModel(
        "disks, a lens out of focus", lambda scale: {"radius": (0.75 * scale, 1.75 * scale)}, _disk
    ),
    **{name: _resampler(name) for name in RESAMPLERS},
}
