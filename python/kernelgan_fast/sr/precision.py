"""The number format that networks compute in."""

from __future__ import annotations

import torch

from kernelgan_fast.errors import InputError

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


def precision_of(name: str, device: torch.device) -> torch.dtype:
    """Find the number format for a device.

    Args:
        name: One of `PRECISIONS`. "auto" is float16 on GPUs, bfloat16 on CPUs that multiply
            matrices of it in hardware (AMX), float32 on others.
        device: Where the network runs.

    Raises:
        InputError: Unknown name.
    """
    if name not in PRECISIONS:
        raise InputError(f"the precision must be one of {', '.join(PRECISIONS)}, got '{name}'")
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type == "cuda":
        return torch.float16
    return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32


def chosen_precision(name: str, method: str, device: torch.device) -> str:
    """Resolve "auto" for a method.

    Args:
        name: One of `PRECISIONS`.
        method: One of `sr.METHODS`; methods other than "unfold" compute in float32.
        device: Where it runs.

    Returns:
        "float32", "bfloat16" or "float16".
    """
    if name != "auto":
        return name
    if method != "unfold":
        return "float32"
    return str(precision_of("auto", device)).removeprefix("torch.")


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is quicker than float32 there."""
    return device.type == "cuda" or torch.cpu._is_amx_tile_supported()
