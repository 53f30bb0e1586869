"""The rival that KernelGAN was compared with: the kernel by which patches recur across scales.

Small patches of a photo come back in it at other sizes. Shrunk by the right kernel, the photo
holds patches like its own, so each patch and the window that shrinks to its nearest neighbour give
linear equations for the kernel. Solving them and shrinking again goes on until nothing moves.

Two steps differ from the paper. The kernel is kept positive while it is solved for, not cut after:
cutting turns noise into wide tails, and that is why plain versions of the method drift. And the
paper's kernel belongs to an HR photo as soft for its size as the LR one; `_sharpened` takes it to
that of a sharp HR photo.

Source: Michaeli and Irani, "Nonparametric Blind Super-resolution", ICCV 2013.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kernelgan_fast.errors import ImageError, InputError
from kernelgan_fast.kernels.blur_kernel import BlurKernel, moments
from kernelgan_fast.kernels.geometry import recentre, target_centre

Array = NDArray[np.float64]
Plane = NDArray[np.float32]

SIZE = 13
SCALES = (2, 3, 4)
SMALLEST_SIDE = 64
ITERATIONS = 12

# Photo and shrunk photo are one step of 2 apart, whatever scale the kernel is wanted for.
_STEP = 2
_PATCH = 4
_REACH = _STEP * (_PATCH - 1) + 1
_BLOCK = _REACH + SIZE - 1

_QUERIES, _PARENTS, _CANDIDATES = 1500, 20000, 200_000
_CONTRAST = 12.0  # grey levels: flatter patches match anything
_FEWEST = 200
_QUERIES_AT_ONCE = 250

_SMOOTH, _TAILS = 0.1, 0.1
_CLOSE = 0.005
_FLOOR = 0.01

# A match must explain more of a patch than a flat one does.
_WORST = 1.0
_FEW_ACCEPTED, _POOR_MATCH = 0.5, 0.5

# What smoothing and the softness of HR photos add to a variance, in squared LR pixels.
_SOFTNESS = 0.22
_LEAST_VARIANCE, _LARGEST_VARIANCE = 0.09, 1.5

_GREY = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class RecurrenceQuality:
    """How well the photo's patches recur.

    Attributes:
        patches: how many were looked for.
        accepted: the part of them whose nearest neighbour was good enough to use, in [0, 1].
        residual: mean over these of ‖patch - neighbour‖² / ‖patch‖², means taken out.
        iterations: how many were made.
        change: ‖k - k'‖₂ / ‖k‖₂ of the last one.
    """

    patches: int
    accepted: float
    residual: float
    iterations: int
    change: float


@dataclass(frozen=True, eq=False)
class RecurrenceEstimate:
    """The kernel by which a photo's patches recur.

    Attributes:
        kernel: for a sharp HR photo, at the scale asked for.
        recurring: the paper's kernel, (13, 13) for one step of 2, as the equations give it.
        quality: how well the patches recur.
        warnings: what may make the kernel less trustworthy, in words fit for a user.
    """

    kernel: BlurKernel
    recurring: BlurKernel
    quality: RecurrenceQuality
    warnings: tuple[str, ...]

    def facts(self) -> dict[str, object]:
        """What a record keeps of it."""
        return {name: round(value, 4) for name, value in asdict(self.quality).items()}


def estimate_recurrence(
    pixels: NDArray[Any],
    *,
    scale: int = 2,
    start: ArrayLike | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    real: bool = False,
    shave: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> RecurrenceEstimate:
    """Estimate a photo's kernel from patches that recur in it at half their size.

    Args:
        pixels: (H, W, 3) uint8, or float32 in [0, 1]; at least 64 px a side after the cut; never
            written to.
        scale: 2, 3 or 4.
        start: (13, 13) kernel of scale 2 to begin with; the middle 2 x 2 pixels if None.
        iterations: at most so many; fewer when the kernel stands still.
        seed: chooses the patches.
        real: the photo is a real one and keeps its border.
        shave: pixels cut off each side of other photos.
        progress: called after each iteration with how many are done, and of how many.

    Returns:
        The kernel, and how far to trust it.

    Raises:
        ImageError: wrong shape or dtype, too small, or too little contrast.
        InputError: scale, start, iterations or shave cannot be used.
    """
    return estimate_recurrence_scales(
        pixels,
        (scale,),
        start=start,
        iterations=iterations,
        seed=seed,
        real=real,
        shave=shave,
        progress=progress,
    )[scale]


def estimate_recurrence_scales(
    pixels: NDArray[Any],
    scales: Sequence[int],
    *,
    start: ArrayLike | None = None,
    iterations: int = ITERATIONS,
    seed: int = 0,
    real: bool = False,
    shave: int = 10,
    progress: Callable[[int, int], None] | None = None,
) -> dict[int, RecurrenceEstimate]:
    """Do what `estimate_recurrence` does for several scales, with one search.

    Args:
        scales: each 2, 3 or 4.
        pixels, start, iterations, seed, real, shave, progress: as there.

    Returns:
        The estimates by scale.

    Raises:
        ImageError, InputError: as there.
    """
    for scale in scales:
        if isinstance(scale, bool) or scale not in SCALES:
            raise InputError(f"scale must be 2, 3 or 4 for recurring patches, got {scale!r}; use 2")
    if iterations < 1 or shave < 0:
        raise InputError(
            "iterations must be at least 1 and shave at least 0, "
            f"got {iterations} and {shave}; leave them out"
        )
    kernel = _first(start)
    photo = _cut(pixels, 0 if real else shave)
    random = np.random.default_rng(seed)
    queries = _centred_patches(_windows(photo, random, _QUERIES, _PATCH, _PATCH))
    parents = _windows(photo, random, _PARENTS, _BLOCK, _REACH)
    done, change = 0, np.inf
    for done in range(1, iterations + 1):
        chosen, accepted, residual = _neighbours(queries, parents, kernel)
        moved = recentre(_solve(queries[accepted], parents[chosen[accepted]]), _STEP)
        change = float(np.linalg.norm(moved - kernel) / np.linalg.norm(moved))
        kernel = moved
        if progress is not None:
            progress(done, iterations)
        if change < _CLOSE:
            break
    share = float(accepted.mean())
    quality = RecurrenceQuality(len(queries), share, residual, done, change)
    return {scale: _result(kernel, scale, seed, quality) for scale in scales}


def _result(kernel: Array, scale: int, seed: int, quality: RecurrenceQuality) -> RecurrenceEstimate:
    provenance = {
        "method": "recurrence",
        "accepted": round(quality.accepted, 4),
        "residual": round(quality.residual, 4),
        "iterations": quality.iterations,
        "seed": seed,
    }
    clean = recentre(kernel - _FLOOR * kernel.max(), _STEP)
    return RecurrenceEstimate(
        kernel=BlurKernel(_sharpened(clean, scale), scale, provenance=provenance),
        recurring=BlurKernel(kernel, _STEP, provenance=provenance),
        quality=quality,
        warnings=_warnings(quality),
    )


def _warnings(quality: RecurrenceQuality) -> tuple[str, ...]:
    found = []
    if quality.patches < _QUERIES:
        found.append(f"only {quality.patches} patches have contrast; a larger photo is surer")
    if quality.accepted < _FEW_ACCEPTED:
        found.append(f"only {quality.accepted:.0%} of the patches recur in the photo")
    if quality.residual > _POOR_MATCH:
        found.append(f"patches recur poorly: {quality.residual:.0%} of them stays unexplained")
    return tuple(found)


def _first(start: ArrayLike | None) -> Array:
    if start is None:
        kernel = np.zeros((SIZE, SIZE))
        kernel[SIZE // 2 : SIZE // 2 + 2, SIZE // 2 : SIZE // 2 + 2] = 0.25
        return kernel
    given = np.asarray(start, dtype=np.float64)
    if given.shape != (SIZE, SIZE):
        raise InputError(
            f"the start must be a {SIZE}x{SIZE} kernel of scale 2, got shape {given.shape}; "
            "crop or pad it"
        )
    return recentre(given, _STEP)


def _cut(pixels: NDArray[Any], shave: int) -> NDArray[Any]:
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype not in (np.uint8, np.float32):
        raise ImageError(
            "a photo must be (height, width, 3) of uint8 or float32, "
            f"got {pixels.shape} of {pixels.dtype}; convert it"
        )
    height, width = pixels.shape[:2]
    if min(height, width) - 2 * shave < SMALLEST_SIDE:
        raise ImageError(
            f"a photo must be at least {SMALLEST_SIDE + 2 * shave} px a side for recurring "
            f"patches ({shave} px are cut off each side), got {height} x {width}; "
            "use a larger photo"
        )
    return pixels[shave : height - shave, shave : width - shave]


def _windows(
    photo: NDArray[Any], random: np.random.Generator, count: int, side: int, core: int
) -> Plane:
    """Draw windows, likelier where their middle has contrast: (count, side, side) grey levels.

    Only candidates are read, so that memory does not grow with the photo.
    """
    rows, cols = (length - side + 1 for length in photo.shape[:2])
    if rows * cols <= _CANDIDATES:
        places = np.arange(rows * cols)
    else:
        places = np.unique(random.integers(0, rows * cols, _CANDIDATES))
    inset = (side - core) // 2
    contrast = np.concatenate(
        [
            _read(photo, part // cols + inset, part % cols + inset, core).std(axis=(1, 2))
            for part in np.array_split(places, max(1, len(places) // 20_000))
        ]
    )
    limit = _CONTRAST
    while (contrast >= limit).sum() < _FEWEST and limit > 0.5:
        limit /= 2
    kept = contrast >= limit
    if kept.sum() < _FEWEST:
        raise ImageError(
            f"a photo must have at least {_FEWEST} patches with contrast, got {kept.sum()}; "
            "use another photo"
        )
    places, contrast = places[kept], contrast[kept]
    # The largest of u^(1/w) are a draw without replacement with weights w.
    order = np.argsort(np.log(random.random(len(places))) / contrast, kind="stable")
    places = np.sort(places[order[-count:]])
    return _read(photo, places // cols, places % cols, side)


def _read(photo: NDArray[Any], tops: Any, lefts: Any, side: int) -> Plane:
    rows = tops[:, None, None] + np.arange(side)[:, None]
    cols = lefts[:, None, None] + np.arange(side)
    unit = np.float32(1 if photo.dtype == np.uint8 else 255)
    grey: Plane = photo[rows, cols, 0] * np.float32(_GREY[0] * unit)
    for channel in (1, 2):
        grey += photo[rows, cols, channel] * np.float32(_GREY[channel] * unit)
    return grey


def _centred_patches(windows: Plane) -> Plane:
    flat: Plane = windows.reshape(len(windows), -1)
    centred: Plane = flat - flat.mean(axis=1, keepdims=True)
    return centred


def _neighbours(
    queries: Plane, parents: Plane, kernel: Array
) -> tuple[NDArray[np.intp], NDArray[np.bool_], float]:
    """For each query: its nearest shrunk parent, whether to use it, and the mean residual."""
    shrunk = parents.reshape(len(parents), -1) @ _shrinking(kernel)
    shrunk -= shrunk.mean(axis=1, keepdims=True)
    lengths = (shrunk**2).sum(axis=1)
    chosen = np.empty(len(queries), dtype=np.intp)
    distance = np.empty(len(queries), dtype=np.float32)
    for first in range(0, len(queries), _QUERIES_AT_ONCE):
        part = queries[first : first + _QUERIES_AT_ONCE]
        apart = part @ shrunk.T
        apart *= -2
        apart += lengths
        nearest = apart.argmin(axis=1)
        chosen[first : first + len(part)] = nearest
        distance[first : first + len(part)] = apart[np.arange(len(part)), nearest]
    energy = (queries**2).sum(axis=1)
    residual = np.maximum(distance + energy, 0) / energy
    accepted = residual < _WORST
    if not accepted.any():
        raise ImageError("no patch of the photo recurs at half its size; use another photo")
    return chosen, accepted, float(residual[accepted].mean())


def _shrinking(kernel: Array) -> Plane:
    """The matrix that takes a parent's window to its patch, (block², patch²)."""
    matrix = np.zeros((_BLOCK, _BLOCK, _PATCH, _PATCH), dtype=np.float32)
    for row in range(_PATCH):
        for col in range(_PATCH):
            top, left = _STEP * row, _STEP * col
            matrix[top : top + SIZE, left : left + SIZE, row, col] = kernel
    return matrix.reshape(_BLOCK**2, _PATCH**2)


def _solve(queries: Plane, parents: Plane) -> Array:
    """Least squares for the kernel under a smoothness prior, no value below 0."""
    from scipy.optimize import nnls

    normal = np.zeros((SIZE**2, SIZE**2))
    right = np.zeros(SIZE**2)
    for first in range(0, len(parents), _QUERIES_AT_ONCE):
        part = parents[first : first + _QUERIES_AT_ONCE]
        views = np.lib.stride_tricks.sliding_window_view(part, (SIZE, SIZE), axis=(1, 2))
        rows = views[:, ::_STEP, ::_STEP].reshape(len(part), _PATCH**2, SIZE**2)
        rows = (rows - rows.mean(axis=1, keepdims=True)).reshape(-1, SIZE**2)
        normal += rows.T @ rows
        right += rows.T @ queries[first : first + _QUERIES_AT_ONCE].ravel()
    normal += np.trace(normal) / SIZE**2 * _prior()
    values, vectors = np.linalg.eigh(normal)
    roots = np.sqrt(np.maximum(values, 1e-9 * values[-1]))
    solution: Array = nnls((vectors * roots).T, (vectors.T @ right) / roots)[0]
    if not solution.any():
        raise ImageError("the photo's patches agree on no kernel; use another photo")
    return solution.reshape(SIZE, SIZE)


@functools.lru_cache(maxsize=1)
def _prior() -> Array:
    """Squared differences of neighbouring taps (0 outside), and the taps far from the centre."""
    line = 2 * np.eye(SIZE) - np.eye(SIZE, k=1) - np.eye(SIZE, k=-1)
    smooth = np.kron(line, np.eye(SIZE)) + np.kron(np.eye(SIZE), line)
    y, x = np.indices((SIZE, SIZE)) - target_centre(SIZE, _STEP)
    far = (np.hypot(y, x) / (SIZE / 2)) ** 4
    prior: Array = _SMOOTH * smooth + _TAILS * np.diag(far.ravel())
    return prior


def _sharpened(kernel: Array, scale: int) -> Array:
    """Take the paper's kernel to a sharp HR photo and to a scale, by stretching it.

    With a point spread of covariance Σ in the photo's pixels, a structure of twice the size is
    blurred by Σ/4 for its size. In the parent's pixels that is 4Σ against Σ, so recurrence
    tells 3Σ, while a sharp HR photo needs scale²·Σ, less what was added to both.

    Returns:
        (6·scale + 1, 6·scale + 1), sum 1, centred for the scale.
    """
    from scipy import ndimage

    centre, covariance = moments(kernel)
    values, axes = np.linalg.eigh(covariance)
    wanted = np.clip(values / 3 - _SOFTNESS, _LEAST_VARIANCE, _LARGEST_VARIANCE) * scale**2
    back = (axes * np.sqrt(values / wanted)) @ axes.T
    size = 6 * scale + 1
    y, x = np.indices((size, size)) - target_centre(size, scale)
    places = np.tensordot(back, np.stack([y, x]), 1) + centre[:, None, None]
    stretched = ndimage.map_coordinates(kernel, places, order=3, mode="constant", cval=0.0)
    return recentre(stretched, scale)
