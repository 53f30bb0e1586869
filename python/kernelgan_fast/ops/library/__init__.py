"""The fused ops, registered with torch: definition, implementation, shapes, gradients.

Each op has the name and arguments of its reference implementation in
:mod:`kernelgan_fast.ops.reference`, which defines what it computes. Ops whose backward pass needs
more than their inputs return it to torch as a further tensor; the functions here drop it. Importing
this package loads the extension.
"""

from kernelgan_fast.ops.library.discriminator import discriminate
from kernelgan_fast.ops.library.draws import gaussian_noise, sample_crops
from kernelgan_fast.ops.library.generator import (
    downscale_crops,
    extract_kernel,
    kernel_regularizers,
)
from kernelgan_fast.ops.library.images import downscale
from kernelgan_fast.ops.library.settings import (
    cuda_matmul,
    info,
    runs_on,
    simd,
    supports,
    threads,
)

__all__ = [
    "cuda_matmul",
    "discriminate",
    "downscale",
    "downscale_crops",
    "extract_kernel",
    "gaussian_noise",
    "info",
    "kernel_regularizers",
    "runs_on",
    "sample_crops",
    "simd",
    "supports",
    "threads",
]
