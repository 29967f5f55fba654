"""From the bytes of a picture to the pixels a person sees.

As a phone's photo app shows it: turned as its EXIF says, transparency on white, the
first frame of an animation, more than eight bits scaled down and not cut off. Formats
are allow-listed and sizes are limited before anything is decoded.

Colour profiles are not applied, as in Meta's own PDQ: reading Display P3 as sRGB moved the
hashes of 46 photographs by 4.7 bits on average and 18 at most, within a limit of 31, and a
colour engine fed with hostile profiles costs more than that.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from firstseen.errors import MediaError
from firstseen.hashing.luma import Luma
from firstseen.hashing.opening import open_picture
from firstseen.hashing.pdq import luma_of
from firstseen.hashing.quiet import Quiet
from firstseen.hashing.scans import check_scans

# What phones, cameras and messengers send. Formats beyond these are attack surface.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "HEIF", "BMP", "TIFF")
# 200-megapixel phones exist (Samsung ISOCELL HP1: 16,384 x 12,288); 256 leaves room for
# their panoramas. With transparency the largest takes some 12 bytes a pixel, about 3 GiB.
MAX_PIXELS: Final = 256 << 20
MAX_BYTES: Final = 256 << 20
# Anything smaller on one side is a tracking pixel or a line; PDQ needs something to see.
_MIN_SIDE: Final = 5
# PDQ looks at 64 x 64 cells; from 640 on, detail only costs time. Decoding 34 JPEGs of 6 to 24
# megapixels at a quarter moved their hashes by 0.4 bits on average and 4 at most, at a half by
# 0.2 and 4, since `Luma` weights what is left as the whole would be; without that, by 4.5 and 16.
_ENOUGH_SIDE: Final = 640
# A picture of more pixels than this is made smaller before anything else: brightness takes
# four bytes a pixel, beside the picture's own four.
_WHOLE_PIXELS: Final = 32 << 20
# And so is one that is longer than this: what PDQ keeps for a side takes 32 bytes a pixel of it.
_WHOLE_SIDE: Final = 16 << 10

# EXIF's orientation, and what makes each upright (CIPA DC-008, 4.6.5).
_ORIENTATION: Final = 0x0112
_TURNS: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_ON_THE_SIDE: Final = frozenset(
    {
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_270,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_90,
    }
)

_quiet: Final = Quiet()


def open_pixels(data: bytes) -> npt.NDArray[np.uint8]:
    """Decodes a picture.

    Args:
        data: the whole file.

    Returns:
        uint8, shape (height, width, 3), RGB.

    Raises:
        MediaError: not a picture of an allowed format, damaged, or too large.
    """
    with _opened(data) as picture:
        _check_cost(picture, data)
        shown, _ = _decode(picture, "RGB")
        return np.asarray(shown.convert("RGB"), np.uint8)


def open_luma(data: bytes) -> Luma:
    """Decodes a picture to its brightness, with less time and memory than to its pixels.

    Args:
        data: as `open_pixels`.

    Raises:
        MediaError: as `open_pixels`.
    """
    with _opened(data) as picture:
        _check_cost(picture, data)
        width, height = picture.size
        # A JPEG holds brightness by itself. Where all of its pixels are decoded, colours are too:
        # the hash is then that of its pixels in every bit. Of 34 JPEGs 0.2 bits differ without.
        is_reduced = min(width, height) >= 2 * _ENOUGH_SIDE
        shown, lay_on_side = _decode(picture, "L" if is_reduced else "RGB")
        if lay_on_side:
            width, height = height, width
        return Luma(luma_of(shown), (height, width))


class UnknownFormatError(MediaError):
    """No decoder of pictures takes the file for its own."""


def size_of(data: bytes) -> tuple[int, int]:
    """The width and height that a picture declares, before anything of it is decoded.

    Args:
        data: as `open_pixels`.

    Raises:
        MediaError: not a picture of an allowed format, or damaged.
    """
    with _opened(data) as picture:
        return picture.size


@contextmanager
def _opened(data: bytes) -> Iterator[Image.Image]:
    """An opened picture. Whatever is raised while it is open is a `MediaError`."""
    if not data:
        raise MediaError("empty file")
    if len(data) > MAX_BYTES:
        raise MediaError(f"{len(data):,} bytes, at most {MAX_BYTES:,}")
    try:
        # Warnings are of metadata.
        with _quiet, open_picture(BytesIO(data), FORMATS) as picture:
            yield picture
    except MediaError:
        raise
    except UnidentifiedImageError:
        raise UnknownFormatError("not a picture of a known format") from None
    except Image.DecompressionBombError:
        raise MediaError(f"over {MAX_PIXELS:,} pixels") from None
    # Decoders raise what they like on damaged files: OSError, SyntaxError, struct.error, ...
    except Exception:  # noqa: BLE001
        raise MediaError("damaged picture") from None


def _check_cost(picture: Image.Image, data: bytes) -> None:
    width, height = picture.size
    if width * height > MAX_PIXELS:
        raise MediaError(f"{width:,} x {height:,} pixels, at most {MAX_PIXELS:,} in all")
    if min(width, height) < _MIN_SIDE:
        raise MediaError(f"{width} x {height} pixels, at least {_MIN_SIDE} a side")
    if picture.format in {"JPEG", "MPO"} and "progressive" in picture.info:
        check_scans(data, width * height)


def _decode(picture: Image.Image, mode: str) -> tuple[Image.Image, bool]:
    """What a person sees, in RGB or in grey, and whether it is stored lying on its side.

    Args:
        picture: opened, and not yet decoded.
        mode: "L" for brightness alone, where the format can be decoded to that.
    """
    picture.draft(mode, (_ENOUGH_SIDE, _ENOUGH_SIDE))
    picture.load()
    turn = _turn_of(picture)  # after decoding: Pillow turns a TIFF by itself
    upright = picture if turn is None else picture.transpose(turn)
    return _on_white(_eight_bits(_smaller(upright))), turn in _ON_THE_SIDE


def _turn_of(picture: Image.Image) -> Image.Transpose | None:
    """What makes a picture upright by its EXIF; None when that is damaged, as viewers do."""
    try:
        return _TURNS.get(picture.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001 - its reader raises what it likes; the picture is sound
        return None


def _smaller(picture: Image.Image) -> Image.Image:
    """Averages the pixels of a huge picture, each side to no less than is enough."""
    width, height = picture.size
    if width * height <= _WHOLE_PIXELS and max(width, height) <= _WHOLE_SIDE:
        return picture
    factors = (max(1, width // _ENOUGH_SIDE), max(1, height // _ENOUGH_SIDE))
    if picture.mode.startswith("I;16"):
        return picture.convert("I").reduce(factors).convert("I;16")
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
    elif picture.mode in {"P", "1"}:  # a mean of colour numbers is no colour
        picture = picture.convert("RGB")
    return picture.reduce(factors)


def _eight_bits(picture: Image.Image) -> Image.Image:
    """Scales grey of 16 or 32 bits, which Pillow's own conversion would cut off at 255."""
    if not picture.mode.startswith(("I", "F")):
        return picture
    levels = np.asarray(picture, np.float64)
    if not np.isfinite(levels).all():
        raise MediaError("damaged picture (pixels that are no numbers)")
    # Sixteen bits whatever the picture uses of them, as a viewer shows it; 32 by their own range.
    is_sixteen = picture.mode.startswith("I;16")
    is_sixteen |= levels.min() >= 0 and 255 < levels.max() <= 65_535
    top = 65_535.0 if is_sixteen else 255.0
    if levels.max() > top or levels.min() < 0:
        levels = levels - levels.min()
        top = max(levels.max(), 1.0)
    return Image.fromarray(np.round(levels * (255 / top)).astype(np.uint8))


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.has_transparency_data:
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        return Image.alpha_composite(white, coloured).convert("RGB")
    return picture if picture.mode in {"RGB", "L"} else picture.convert("RGB")
