"""Burnt-in text is found on a photo, and nothing on a plain one."""

from __future__ import annotations

import numpy as np
import pytest
from photos import COLOSSEUM, OSPREY, photo, resized, with_noise
from PIL import Image, ImageDraw, ImageFont

from kernelgan_fast.analysis import analyse_photo
from kernelgan_fast.estimation.spectral import estimate_spectral
from kernelgan_fast.images import as_photo


@pytest.mark.parametrize("name", [OSPREY, COLOSSEUM])
@pytest.mark.parametrize("sigma", [0, 10])
def test_plain_photos_have_none(name: str, sigma: float) -> None:
    assert analyse_photo(as_photo(with_noise(photo(name), sigma))).overlay is None


def test_text_is_masked_and_changes_the_kernel_little() -> None:
    """On a photo as soft as most are."""
    soft = resized(
        resized(photo(COLOSSEUM), 3, Image.Resampling.BICUBIC), 0.8, Image.Resampling.BOX
    )
    image = Image.fromarray(soft)
    words = ImageFont.load_default(22)
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    pen.text((30, 220), "12:34 recorded", fill=(255, 255, 0), font=words)
    drawn = np.asarray(image)
    mask = analyse_photo(as_photo(drawn)).overlay
    assert mask is not None and mask.shape == drawn.shape[:2]
    assert mask[(drawn != soft).any(axis=2)].mean() > 0.95 and mask.mean() < 0.3
    clean, masked, raw = (
        estimate_spectral(pixels, ignored=ignored).kernel.array
        for pixels, ignored in ((soft, mask), (drawn, mask), (drawn, None))
    )
    assert np.abs(masked - clean).max() <= np.abs(raw - clean).max()
    assert np.allclose(masked, clean, atol=0.1 * clean.max())
