"""One training step's worth: LR crops, the HR crops they come from, and what the network is given.

Every crop of a batch has its own kernel, noise and compression; the scale is common.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from kernelgan_fast.analysis.compression import compression_level
from kernelgan_fast.sr.unfolding_network import Conditions
from kernelgan_fast.sr.upscaler import ROUNDING
from kernelgan_fast.training.fourier import FRAME_MARGIN, FourierModel
from kernelgan_fast.training.kernel_pairs import KernelPair
from kernelgan_fast.training.photos import PhotoStore

# How crops are spoiled: parts that are only noisy, only compressed, and both; the rest is clean.
_NOISY, _COMPRESSED, _BOTH = 0.35, 0.18, 0.17

# Noise is drawn as u^1.5 times the most, so that most of it lies below 15 levels of 255.
_MOST_NOISE, _NOISE_EXPONENT = 25.0, 1.5

# The noise that a program finds is known to about this factor (in logarithms).
_NOISE_SPREAD = 0.1

_QUALITIES = (30, 101)

# Photos of 16 bits are not rounded to 8.
_DEEP = 0.1

# Cameras sharpen: part of the crops, strength of an unsharp mask on the LR crop, and the error of
# the kernel that is given then, which no longer describes the photo.
_SHARPENED, _STRENGTHS, _SHARPENED_ERROR = 0.05, (0.2, 1.0), (0.3, 0.6)


@dataclass(frozen=True)
class Spoiling:
    """What happens to an LR crop after it was made.

    Attributes:
        noise: Standard deviation in grey levels of 255.
        quality: Of a JPEG file, None for none.
        sharpening: Strength of an unsharp mask before noise, 0 for none.
        deep: Whether the crop keeps more than 8 bits.
    """

    noise: float = 0.0
    quality: int | None = None
    sharpening: float = 0.0
    deep: bool = False


@dataclass(frozen=True, eq=False)
class Batch:
    """LR crops with their HR crops.

    Attributes:
        scale: How many times smaller the LR crops are.
        low: (B, 3, p, p) in [0, 1].
        high: (B, 3, sp, sp) in [0, 1].
        model: Of the kernels that the network is given.
        conditions: That the network is given.
    """

    scale: int
    low: Tensor
    high: Tensor
    model: FourierModel
    conditions: Conditions


def draw_spoiling(random: np.random.Generator) -> Spoiling:
    """Draw what happens to one LR crop."""
    kind = random.random()
    noisy = kind < _NOISY + _BOTH
    compressed = _NOISY <= kind < _NOISY + _BOTH + _COMPRESSED
    noise = _MOST_NOISE * float(random.random()) ** _NOISE_EXPONENT if noisy else 0.0
    quality = int(random.integers(*_QUALITIES)) if compressed else None
    sharpened = random.random() < _SHARPENED
    return Spoiling(
        noise,
        quality,
        float(random.uniform(*_STRENGTHS)) if sharpened else 0.0,
        quality is None and random.random() < _DEEP,
    )


def make_batch(
    photos: PhotoStore,
    pairs: Sequence[KernelPair],
    scale: int,
    *,
    side: int,
    random: np.random.Generator,
    spoilings: Sequence[Spoiling] | None = None,
) -> Batch:
    """Draw crops and degrade them.

    Args:
        photos: Source of the crops.
        pairs: Kernels, one pair per crop.
        scale: 1 to 4.
        side: Side of the LR crops, px.
        random: Source of what is drawn.
        spoilings: One per crop; drawn if None.
    """
    count, margin = len(pairs), FRAME_MARGIN * scale
    wide = photos.crops(count, side * scale + 2 * margin, random)
    device = wide.device
    true = FourierModel([pair.true for pair in pairs], scale, side, device)
    low = torch.fft.irfft2(true.down(functional.pixel_unshuffle(wide, scale)))
    low = low[..., FRAME_MARGIN : FRAME_MARGIN + side, FRAME_MARGIN : FRAME_MARGIN + side]
    if spoilings is None:
        spoilings = [draw_spoiling(random) for _ in pairs]
        factors = np.exp(random.normal(0.0, _NOISE_SPREAD, count))
    else:
        factors = np.ones(count)
    spoiled, levels = zip(
        *(_spoil(crop, each, random) for crop, each in zip(low, spoilings, strict=True)),
        strict=True,
    )
    noise = [
        max(each.noise * by, ROUNDING) / 255 for each, by in zip(spoilings, factors, strict=True)
    ]
    errors = [
        max(pair.error, random.uniform(*_SHARPENED_ERROR)) if each.sharpening else pair.error
        for pair, each in zip(pairs, spoilings, strict=True)
    ]
    conditions = Conditions(
        *(
            torch.tensor(facts, dtype=torch.float32, device=device)
            for facts in (noise, errors, levels)
        )
    )
    inner = slice(margin, margin + side * scale)
    given = FourierModel([pair.told for pair in pairs], scale, side, device)
    return Batch(scale, torch.stack(spoiled), wide[..., inner, inner], given, conditions)


def _spoil(crop: Tensor, spoiling: Spoiling, random: np.random.Generator) -> tuple[Tensor, float]:
    """The crop (3, p, p) spoiled, and its compression level."""
    if spoiling.sharpening:
        smooth = functional.avg_pool2d(functional.pad(crop[None], (1,) * 4, mode="reflect"), 3, 1)
        crop = crop + spoiling.sharpening * (crop - smooth[0])
    if spoiling.noise:
        grey = bool(torch.equal(crop[0], crop[1]) and torch.equal(crop[0], crop[2]))
        shape = crop.shape[1:] if grey else crop.shape  # a grey photo stays grey
        drawn = torch.from_numpy(random.standard_normal(tuple(shape), dtype=np.float32))
        crop = crop + (spoiling.noise / 255) * drawn.to(crop.device)
    crop = crop.clamp(0, 1)
    if spoiling.quality is not None:
        return _through_jpeg(crop, spoiling.quality)
    return (crop if spoiling.deep else torch.round(crop * 255) / 255), 0.0


def _through_jpeg(crop: Tensor, quality: int) -> tuple[Tensor, float]:
    from PIL import Image

    pixels = (crop * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="JPEG", quality=quality)
    with Image.open(stream) as decoded:
        level = compression_level(decoded.quantization[0])  # type: ignore[attr-defined]
        stored = torch.from_numpy(np.array(decoded)).permute(2, 0, 1)
    return stored.to(crop.device).float() / 255, level
