"""What a method is conditioned on besides the kernel: noise, compression, kernel error."""

from __future__ import annotations

from dataclasses import dataclass

from kernelgan_fast.analysis import PhotoAnalysis

# Noise and compression are those that were measured on the photo.
AUTO = "auto"


@dataclass(frozen=True)
class Conditioning:
    """Values that a method takes of a photo.

    Attributes:
        noise: standard deviation in grey levels of 255, compression error included; None for what
            rounding to 8 bits leaves.
        kernel_error: relative L2 error that the kernel may have.
    """

    noise: float | None = None
    kernel_error: float = 0.0


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
    if noise == AUTO:
        level = (analysis.total_noise**2 + added_noise**2) ** 0.5
    else:
        # The method gets the photo relative to its white, and its noise with it.
        level = min(float(noise) / analysis.white, 255.0)
    return Conditioning(level, kernel_error)
