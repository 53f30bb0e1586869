"""What a model says of itself, in the metadata_props of its file."""

from __future__ import annotations

import json

import kernelgan_fast
from kernelgan_fast.kernels import BlurKernel
from kernelgan_fast.kernels.blur_kernel import CONVENTION
from kernelgan_fast.runtime.model_metadata import PREFIX

# The licence of a model whose weights this package did not make.
OF_WEIGHTS = "that of the weights, which are their owner's"


def properties(
    task: str, method: str, scale: int, size: int, kernel: BlurKernel | None, **more: object
) -> dict[str, str]:
    """Gather the properties of a model.

    Args:
        task: "upscale" or "downscale".
        method: of `sr.METHODS`, or "downscale".
        scale: 2 or 4.
        size: of the kernel, px of a side.
        kernel: that is baked in; None where it is an input.
        more: of this kind of model; may name another licence.

    Returns:
        Words by name; the baked kernel as rows in JSON.
    """
    entries: dict[str, object] = {
        "task": task,
        "method": method,
        "scale": scale,
        "range": "[0, 1]",
        "layout": "NCHW RGB",
        "kernel_input": "no" if kernel else "yes",
        "kernel_size": size,
        "kernel_convention": f"{CONVENTION}; border half-sample symmetric",
        "version": kernelgan_fast.__version__,
        "licence": "Apache-2.0",
        **more,
    }
    if kernel is not None:
        entries["kernel"] = json.dumps(kernel.array.tolist())
    return {f"{PREFIX}{name}": str(value) for name, value in entries.items()}
