"""SRMD: one network for many blurs, with weights that the user has."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.errors import InputError
from kernelgan_fast.kernels import BlurKernel, flip
from kernelgan_fast.kernels.geometry import RESAMPLERS
from kernelgan_fast.sr.srmd_weights import KERNEL_SIDE, load_weights
from kernelgan_fast.sr.strips import in_strips
from kernelgan_fast.sr.upscaler import Options

# SRMD was trained with Gaussians of variances up to 10 px²; those of estimates scatter.
_MOST_VARIANCE = 11.0

# Frequencies at which kernels are compared, at least.
_GRID = 64

# How much the blur is drawn to the Gaussian nearest to it, and the level of noise, in grey levels,
# that the network is told of photos without any. It has seen Gaussians only and trusts what it is
# told: together the two were worth 0.8 dB on four photos.
_PULL = 1e-2
_ROUNDING = 1.0

# What keeps the equations solvable where bicubic hides the finest detail, as a part of the pull.
_LEAST = 1e-5

Array = NDArray[np.float64]

_TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Srmd:
    """Twelve convolutions of the photo, a code of the kernel and the level of noise.

    Args:
        kernel: of the scale that the weights are for; see `relative_to_bicubic`.
        options: `weights`, the file; `noise`, 1 if None; `precision`.

    Attributes:
        layers: weight and bias of each convolution, the first one's for the photo alone.
        noise: that the network is told, in grey levels of 255.

    Raises:
        InputError: no weights or unusable ones, of another scale, of a network without noise
            where there is some, or a kernel that is too wide.

    Source: Zhang et al., "Learning a Single Convolutional Super-Resolution Network for Multiple
        Degradations", CVPR 2018.
    """

    multiple = 1

    def __init__(self, kernel: BlurKernel, options: Options) -> None:
        weights = load_weights(options.weights)
        if weights.scale != kernel.scale:
            raise InputError(
                f"{options.weights}: these weights enlarge {weights.scale} times, the kernel is "
                f"for {kernel.scale}; give the file for x{kernel.scale}"
            )
        if options.noise and not weights.takes_noise:
            raise InputError(
                f"{options.weights}: weights of SRMDNF know of no noise, got {options.noise:g}; "
                "give those of SRMD, or noise 0"
            )
        self.scale = kernel.scale
        self.context = len(weights.layers)
        self._type = _TYPES[options.precision]
        own = torch.from_numpy(relative_to_bicubic(kernel).ravel("F")).float()
        told = weights.basis @ own
        self.noise = 0.0
        if weights.takes_noise:
            self.noise = _ROUNDING if options.total_noise is None else options.total_noise
            told = torch.cat([told, torch.tensor([self.noise / 255])])
        # What it is told is the same in each pixel, so it is no more than a bias.
        (weight, bias), *others = weights.layers
        constant = weight[:, 3:].double().sum(dim=(2, 3)) @ told.double()
        self.layers = ((weight[:, :3], bias + constant.float()), *others)

    @torch.no_grad()
    def __call__(self, low: Tensor) -> Tensor:
        """See `Upscaler`."""
        self.layers = tuple((weight.to(low), bias.to(low)) for weight, bias in self.layers)
        seen = functional.pad(low, (self.context,) * 4, mode="replicate")
        with torch.autocast(low.device.type, self._type, enabled=self._type != torch.float32):
            pixels = in_strips(self._network, seen, self.context)
        return functional.pixel_shuffle(pixels.float(), self.scale)

    def _network(self, features: Tensor) -> Tensor:
        *hidden, last = self.layers
        for weight, bias in hidden:
            features = functional.relu(functional.conv2d(features, weight, bias), inplace=True)
        return functional.conv2d(features, *last)


def relative_to_bicubic(kernel: BlurKernel) -> Array:
    """Find the blur that, followed by bicubic downscaling, does what the kernel does alone.

    Args:
        kernel: of any shape; its blur and bicubic's must differ by less than 15 x 15 taps.

    Returns:
        (15, 15), for convolution, about the middle of its frame, at least 0, sum 1: the nearest
        in the least squares of what a photo with a 1/f spectrum would show, drawn a little to the
        nearest Gaussian. For a kernel sharper than the bicubic one this is all but a single tap,
        the sharpest that SRMD knows.

    Raises:
        InputError: too wide for the Gaussians that SRMD was trained with.
    """
    from scipy.optimize import nnls

    if kernel.widths.major**2 > _MOST_VARIANCE:
        raise InputError(
            f"srmd knows blurs of up to {_MOST_VARIANCE**0.5:.1f} px standard deviation, got "
            f"{kernel.widths.major:.1f}; choose another method"
        )
    system, wanted = _equations(kernel)
    normal = system.T @ system
    pull = _PULL * normal.diagonal().mean()
    plain, drawn = (
        np.linalg.cholesky(normal + weight * np.eye(len(normal)))
        for weight in (_LEAST * pull, pull)
    )
    near = _nearest_gaussian(plain.T, np.linalg.solve(plain, system.T @ wanted))
    right = np.linalg.solve(drawn, system.T @ wanted + pull * near)
    taps, _ = nnls(drawn.T, right, maxiter=10 * len(right))
    return flip(taps.reshape(KERNEL_SIDE, KERNEL_SIDE) / taps.sum())


def _nearest_gaussian(system: NDArray[Any], wanted: NDArray[Any]) -> Array:
    """The Gaussian, (225,), that leaves the least squares of system @ taps - wanted."""
    from scipy.optimize import least_squares

    y, x = np.indices((KERNEL_SIDE, KERNEL_SIDE)) - KERNEL_SIDE // 2

    def gaussian(parameters: Array) -> Array:
        # The root of the inverse covariance, triangular.
        down, mixed, right = parameters
        array = np.exp(-((np.exp(down) * y + mixed * x) ** 2 + (np.exp(right) * x) ** 2) / 2)
        flat: Array = (array / array.sum()).ravel()
        return flat

    fit = least_squares(lambda each: system @ gaussian(each) - wanted, np.array([-0.3, 0.0, -0.3]))
    return gaussian(fit.x)


def _equations(kernel: BlurKernel) -> tuple[Array, Array]:
    """The matrix and the right side of taps * bicubic = kernel, by frequency."""
    grid = max(_GRID, 1 << kernel.size.bit_length())
    filters = RESAMPLERS["bicubic"]
    offsets = np.arange(grid) - grid // 2
    along = filters((offsets - (kernel.scale - 1) / 2) / kernel.scale) / kernel.scale
    margin = grid // 2 - kernel.size // 2
    frame = np.zeros((grid, grid))
    inside = slice(margin, margin + kernel.size)
    frame[inside, inside] = kernel.array
    rows, cols = np.fft.fftfreq(grid)[:, None], np.fft.rfftfreq(grid)
    # A photo's amplitudes fall with 1/f; the mean, f = 0, must be met.
    strength = 1 / np.maximum(np.hypot(rows, cols), 0.5 / _GRID)
    wanted = np.fft.rfft2(np.fft.ifftshift(frame)) * strength
    smooth = np.fft.rfft2(np.fft.ifftshift(np.outer(along, along))) * strength
    places = np.arange(KERNEL_SIDE) - KERNEL_SIDE // 2
    moved_down = np.exp(-2j * np.pi * places[:, None, None] * rows)  # (15, grid, 1)
    moved_right = np.exp(-2j * np.pi * places[:, None, None] * cols)  # (15, 1, grid/2 + 1)
    columns = (moved_down[:, None] * moved_right[None] * smooth).reshape(KERNEL_SIDE**2, -1).T
    system = np.concatenate([columns.real, columns.imag])
    return system, np.concatenate([wanted.real.ravel(), wanted.imag.ravel()])
