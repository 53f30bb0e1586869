"""What a method is conditioned on besides the kernel: noise, compression, kernel error."""

from __future__ import annotations

import math
from dataclasses import dataclass

from kernelgan_fast.analysis import PhotoAnalysis

# Noise and compression are those that were measured on the photo.
AUTO = "auto"


@dataclass(frozen=True)
class Conditioning:
    """Properties of a photo and its kernel that a method is conditioned on.

    Attributes:
        noise: Standard deviation of the noise before compression, in grey levels of 255; None for
            what rounding to 8 bits leaves.
        kernel_error: Relative L2 error that the kernel may have.
        compression: Strength of the JPEG compression, see `analysis.Compression.level`; 0 for none.
        compression_error: RMS error of the compression in grey levels of 255.
    """

    noise: float | None = None
    kernel_error: float = 0.0
    compression: float = 0.0
    compression_error: float = 0.0

    @property
    def total_noise(self) -> float | None:
        """Noise and compression error together, for methods that know noise only."""
        if not self.compression_error:
            return self.noise
        return math.hypot(self.noise or 0.0, self.compression_error)


def condition(
    analysis: PhotoAnalysis,
    noise: float | str,
    *,
    kernel_error: float = 0.0,
    added_noise: float = 0.0,
) -> Conditioning:
    """Choose what a method is conditioned on.

    Args:
        analysis: of the photo.
        noise: "auto" for the noise and the compression that were measured, or grey levels of 255
            of the photo's full range that replace them; 0 for neither.
        kernel_error: of the kernel.
        added_noise: grey levels that the choice of the kernel adds, if `noise` is "auto".
    """
    if noise != AUTO:
        # The method gets the photo relative to its white, and its noise with it.
        return Conditioning(min(float(noise) / analysis.white, 255.0), kernel_error)
    measured = analysis.noise.level if analysis.noise.measured else 0.0
    level = math.hypot(measured, added_noise)
    compression = analysis.compression
    if compression is None:
        return Conditioning(level, kernel_error)
    return Conditioning(level, kernel_error, compression.level, compression.error)
