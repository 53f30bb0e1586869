"""The strength of a JPEG compression as one number."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from kernelgan_fast.analysis.compression import compression_level


def level(quality: int) -> float:
    stream = io.BytesIO()
    Image.new("RGB", (16, 16)).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as stored:
        return compression_level(stored.quantization[0])  # type: ignore[attr-defined]


def test_it_falls_as_the_quality_rises() -> None:
    levels = [level(quality) for quality in range(1, 101)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == 1 and 0 < levels[-1] < 0.05


def test_the_documented_levels() -> None:
    expected = {95: 0.05, 90: 0.10, 75: 0.25, 50: 0.48, 30: 0.81}
    assert {quality: round(level(quality), 2) for quality in expected} == expected


def test_only_low_frequencies_count() -> None:
    table = np.full((8, 8), 8)
    coarse = table.copy()
    coarse[5:, 5:] = 200
    assert compression_level(table.ravel()) == compression_level(coarse.ravel()) == 0.25
