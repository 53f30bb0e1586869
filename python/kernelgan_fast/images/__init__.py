"""Photos in and out: nothing else here knows file formats."""

from kernelgan_fast.images.decoders import MAX_BYTES
from kernelgan_fast.images.decoding import open_photo
from kernelgan_fast.images.metadata import Metadata
from kernelgan_fast.images.photo import Photo, as_photo
from kernelgan_fast.images.picture import Picture
from kernelgan_fast.images.reading import EXTENSIONS, find_images, read_image, read_picture
from kernelgan_fast.images.saving import save_picture, save_png

__all__ = [
    "EXTENSIONS",
    "MAX_BYTES",
    "Metadata",
    "Photo",
    "Picture",
    "as_photo",
    "find_images",
    "open_photo",
    "read_image",
    "read_picture",
    "save_picture",
    "save_png",
]
