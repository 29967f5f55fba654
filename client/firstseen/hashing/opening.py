"""Opens pictures with Pillow, alike whatever the application around us has set or done before."""

import threading
from functools import cache
from typing import BinaryIO, Final

from PIL import Image, ImageFile

_lock: Final = threading.Lock()


def open_picture(stream: BinaryIO, formats: tuple[str, ...]) -> ImageFile.ImageFile:
    """Opens a picture without decoding it. Its size is for the caller to check.

    Pillow's own limit of pixels, which warns before it refuses, belongs to the application: it
    is off while the header is read, and then what it was. A picture that another thread opens
    by itself in these microseconds is not held to it. An application that sets it below the size
    of our frames still loses animated GIFs: Pillow looks at it again whenever it draws one.

    Args:
        stream: the file, which can seek.
        formats: that are read.

    Raises:
        UnidentifiedImageError: it is of no such format.
        Exception: whatever a decoder raises on a damaged file.
    """
    _register()
    with _lock:
        before = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            return Image.open(stream, formats=formats)
        finally:
            Image.MAX_IMAGE_PIXELS = before


@cache
def _register() -> None:
    import pi_heif  # noqa: PLC0415  its libraries are loaded only once a picture is opened

    with _lock:
        pi_heif.register_heif_opener()
