"""Kernels as values: conventions, post-processing, files and pictures."""

from __future__ import annotations

from kernelgan_fast.kernels.blur_kernel import BlurKernel, Widths
from kernelgan_fast.kernels.geometry import centre_of_mass, flip, recentre, shift, target_centre
from kernelgan_fast.kernels.picture import save_picture
from kernelgan_fast.kernels.postprocess import compose_x4, kernel_x4, postprocess
from kernelgan_fast.kernels.store import load, save

__all__ = [
    "BlurKernel",
    "Widths",
    "centre_of_mass",
    "compose_x4",
    "flip",
    "kernel_x4",
    "load",
    "postprocess",
    "recentre",
    "save",
    "save_picture",
    "shift",
    "target_centre",
]
