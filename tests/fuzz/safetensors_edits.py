"""A .safetensors file taken apart, changed in a part, and put together with the right lengths."""

from __future__ import annotations

import numpy as np
from fuzz.json_edits import json_edited
from fuzz.mutation import edited, packed
from numpy.random import Generator

_SPECIAL = (np.nan, np.inf, -np.inf, 3e38, -3e38, 1e20, 1e-42, 0.0)


def safetensors_edited(data: bytes, rng: Generator) -> bytes:
    """Change the header as JSON, or some of the numbers."""
    length = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + length], data[8 + length :]
    if not header or rng.random() < 0.05:
        return edited(data, rng)
    if rng.random() < 0.75:
        header = json_edited(header, rng)
    elif len(body) >= 4 and rng.random() < 0.8:
        values = np.frombuffer(body[: len(body) // 4 * 4], "<f4").copy()
        chosen = rng.integers(len(values), size=int(rng.integers(1, 5)))
        values[chosen] = _SPECIAL[rng.integers(len(_SPECIAL))]
        body = values.tobytes() + body[len(body) // 4 * 4 :]
    else:
        body = edited(body, rng)
    return packed(len(header), 8, "<") + header + body
