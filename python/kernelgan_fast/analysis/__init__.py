"""Properties measured from a photo: noise, compression, range, content. See `analyse_photo`."""

from __future__ import annotations

from kernelgan_fast.analysis.photo_analysis import (
    PhotoAnalysis,
    analyse_photo,
    effective_white,
    stretched,
)

__all__ = ["PhotoAnalysis", "analyse_photo", "effective_white", "stretched"]
