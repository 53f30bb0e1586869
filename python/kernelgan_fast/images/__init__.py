"""Photos in and out: nothing else here knows file formats."""

from kernelgan_fast.images.finding import EXTENSIONS, find_images
from kernelgan_fast.images.metadata import Metadata
from kernelgan_fast.images.photo import Photo, as_photo
from kernelgan_fast.images.picture import Picture
from kernelgan_fast.images.reading import MAX_PIXELS, read_image, read_picture
from kernelgan_fast.images.saving import save_picture, save_png

__all__ = [
    "EXTENSIONS",
    "MAX_PIXELS",
    "Metadata",
    "Photo",
    "Picture",
    "as_photo",
    "find_images",
    "read_image",
    "read_picture",
    "save_picture",
    "save_png",
]
