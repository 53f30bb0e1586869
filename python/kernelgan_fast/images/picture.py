"""A photo with all that a file made from it should keep."""

from __future__ import annotations

from dataclasses import dataclass, field

from kernelgan_fast.images.metadata import Metadata
from kernelgan_fast.images.photo import Photo, Pixels


@dataclass(frozen=True, eq=False)
class Picture:
    """A photo file, read.

    Attributes:
        pixels: (H, W, 3), C-contiguous, uint8 in [0, 255] or float32 in [0, 1]; of a grey photo
            its one channel three times.
        alpha: (H, W), C-contiguous, of the same type, 0 is clear; None where the file has none.
        grey: whether the file has one colour channel.
        bits: a channel, 8 or 16 (the file may have held others above 8).
        metadata: colour profile, EXIF data and resolution; for `save_picture`.
        notes: what was changed on the way, in words fit for a user.
        source: the path as given.
        quantisation: see `Photo`.
    """

    pixels: Pixels
    alpha: Pixels | None = None
    grey: bool = False
    bits: int = 8
    metadata: Metadata = field(default_factory=Metadata)
    notes: tuple[str, ...] = ()
    source: str = "array"
    quantisation: tuple[tuple[int, ...], ...] | None = None

    @property
    def photo(self) -> Photo:
        """The same as a `Photo`, for what takes one; nothing is copied."""
        return Photo(self.pixels, self.notes, self.source, self.quantisation)
