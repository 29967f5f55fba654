"""Pictures of every kind, as a person sees them; and files that are none, or attack."""

import contextlib
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from firstseen.errors import MediaError
from firstseen.hashing import picture
from firstseen.hashing.image import hash_image
from firstseen.hashing.picture import open_pixels
from firstseen.items import HashType

SAME_BITS = 12  # of 256; unrelated pictures are some 128 apart


def encode(image: Image.Image, kind: str, **options: Any) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pdq(data: bytes) -> bytes:
    return next(h.value for h in hash_image(data).hashes if h.type is HashType.PDQ)


def bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    path = Path(__file__).parents[1] / "data" / "photos" / "leaf.jpg"
    with Image.open(path) as opened:
        return opened.convert("RGB").resize((640, 480))


@pytest.fixture(scope="module")
def want(photo: Image.Image) -> bytes:
    return pdq(encode(photo, "PNG"))


def sixteen_bits(image: Image.Image) -> Image.Image:
    grey = np.asarray(image.convert("L"), np.uint16)
    return Image.fromarray(grey * np.uint16(257))


def on_transparent(image: Image.Image) -> Image.Image:
    """The picture on the left half; the right is transparent and black beneath."""
    wide = Image.new("RGBA", (image.width * 2, image.height), (0, 0, 0, 0))
    wide.paste(image, (0, 0))
    return wide


KINDS: list[tuple[str, Callable[[Image.Image], bytes]]] = [
    ("jpeg", lambda p: encode(p, "JPEG", quality=85)),
    ("progressive jpeg", lambda p: encode(p, "JPEG", progressive=True)),
    ("grey jpeg", lambda p: encode(p.convert("L"), "JPEG")),
    ("cmyk jpeg", lambda p: encode(p.convert("CMYK"), "JPEG", quality=95)),
    ("webp", lambda p: encode(p, "WEBP")),
    ("avif", lambda p: encode(p, "AVIF")),
    ("gif", lambda p: encode(p, "GIF")),
    ("palette png", lambda p: encode(p.quantize(128), "PNG")),
    ("opaque png with alpha", lambda p: encode(p.convert("RGBA"), "PNG")),
    ("16-bit png", lambda p: encode(sixteen_bits(p), "PNG")),
    ("16-bit tiff", lambda p: encode(sixteen_bits(p), "TIFF")),
    ("bmp", lambda p: encode(p, "BMP")),
    ("tiff", lambda p: encode(p, "TIFF", compression="tiff_lzw")),
    ("float tiff", lambda p: encode(p.convert("F"), "TIFF")),
]


@pytest.mark.parametrize(("name", "make"), KINDS, ids=[name for name, _ in KINDS])
def test_same_picture_in_another_format_has_the_same_hash(
    name: str, make: Callable[[Image.Image], bytes], photo: Image.Image, want: bytes
) -> None:
    assert bits_apart(pdq(make(photo)), want) <= SAME_BITS


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(orientation: int, photo: Image.Image, want: bytes) -> None:
    turned = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = photo if turned is None else photo.transpose(turned)
    exif = Image.Exif()
    exif[0x0112] = orientation
    for kind in ("JPEG", "PNG", "WEBP"):
        assert bits_apart(pdq(encode(stored, kind, exif=exif)), want) <= SAME_BITS


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_damaged_exif_leaves_a_picture_as_it_is(
    kind: str, photo: Image.Image, want: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = struct.pack("<HHHI", 1, 0x0112, 2, 1_000)  # text, and beyond the end
    for body in (b"", b"II*\0", b"XX*\0" + bytes(20), b"II*\0\x08\0\0\0" + tag, b"II*\0\xff" * 9):
        data = encode(photo, kind, exif=b"Exif\0\0" + body)
        assert bits_apart(pdq(data), want) <= SAME_BITS

    def damaged(_picture: Image.Image) -> Image.Exif:
        raise SyntaxError("not a TIFF file")

    data = encode(photo, kind)
    with Image.open(BytesIO(data)) as opened:
        monkeypatch.setattr(type(opened), "getexif", damaged)
    assert bits_apart(pdq(data), want) <= SAME_BITS


@pytest.mark.parametrize("value", [0, 9, 65_535, "6", (6, 6), 2.5])
def test_orientation_that_is_none_is_ignored(
    value: object, photo: Image.Image, want: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JpegImageFile, "getexif", lambda _picture: {0x0112: value})
    assert bits_apart(pdq(encode(photo, "JPEG")), want) <= SAME_BITS


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_transparency_is_shown_on_white(kind: str, photo: Image.Image) -> None:
    clear = on_transparent(photo)
    white = Image.new("RGB", clear.size, "white")
    white.paste(photo, (0, 0))
    shown = pdq(encode(clear, kind))
    assert bits_apart(shown, pdq(encode(white, "PNG"))) <= SAME_BITS


def test_palette_transparency_is_shown_on_white(photo: Image.Image) -> None:
    pixels = open_pixels(encode(on_transparent(photo).quantize(64), "PNG"))
    assert pixels[10, -10].min() > 240


def test_animation_is_its_first_frame(photo: Image.Image, want: bytes) -> None:
    black = Image.new("RGB", photo.size)
    for kind in ("GIF", "WEBP", "PNG"):
        data = encode(photo, kind, save_all=True, append_images=[black, black])
        assert bits_apart(pdq(data), want) <= SAME_BITS


def test_grey_of_sixteen_bits_keeps_its_range() -> None:
    ramp = np.tile(np.linspace(0, 65_535, 256).astype(np.uint16), (64, 1))
    pixels = open_pixels(encode(Image.fromarray(ramp), "PNG"))
    assert (pixels[0, 0].max(), pixels[0, -1].min()) == (0, 255)
    assert abs(int(pixels[0, 128, 0]) - 128) <= 1


def test_float_pixels_that_are_no_numbers_are_refused() -> None:
    levels = np.full((32, 32), np.nan, np.float32)
    with pytest.raises(MediaError, match="damaged"):
        open_pixels(encode(Image.fromarray(levels), "TIFF"))


@pytest.mark.parametrize("name", [name for name, _ in KINDS])
def test_truncated_file_is_refused(name: str, photo: Image.Image) -> None:
    data = dict(KINDS)[name](photo)
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(MediaError):
            open_pixels(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7\n", b"<svg></svg>", bytes(10_000),
     b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", b"P5 256 256 255\n" + bytes(65_536)],
)  # fmt: skip
def test_what_is_no_picture_of_an_allowed_format_is_refused(data: bytes) -> None:
    with pytest.raises(MediaError):
        open_pixels(data)


def png(width: int, height: int, body: bytes = b"") -> bytes:
    """A PNG that claims a size."""

    def part(kind: bytes, data: bytes) -> bytes:
        whole = kind + data
        return struct.pack(">I", len(data)) + whole + struct.pack(">I", zlib.crc32(whole))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (part(b"IHDR", header), part(b"IDAT", body), part(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_decompression_bomb_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(MediaError, match="pixels"):
        open_pixels(png(60_000, 60_000))
    # Within the range in which Pillow alone would only warn.
    with pytest.raises(MediaError, match="pixels"):
        open_pixels(png(20_000, 20_000))


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "MAX_BYTES", 100)
    with pytest.raises(MediaError, match="101 bytes, at most 100"):
        open_pixels(bytes(101))


@pytest.mark.parametrize("size", [(1, 1), (4, 4_000), (4_000, 2)])
def test_picture_without_anything_to_see_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(MediaError, match="at least 5 a side"):
        open_pixels(encode(Image.new("RGB", size), "PNG"))


def test_fuzzed_pictures_are_hashed_or_refused(photo: Image.Image) -> None:
    random = np.random.default_rng(7)
    small = photo.resize((96, 64))
    seeds = [make(small) for _, make in KINDS]
    for number in range(600):
        data = bytearray(seeds[number % len(seeds)])
        for at in random.integers(0, len(data), 1 + number % 30):
            data[at] = random.integers(256)
        with contextlib.suppress(MediaError):
            assert open_pixels(bytes(data)).shape[2:] == (3,)


def test_heic_is_decoded_and_upright(want: bytes) -> None:
    data = (Path(__file__).parents[1] / "data" / "formats" / "leaf-turned.heic").read_bytes()
    assert open_pixels(data).shape == (240, 320, 3)
    assert bits_apart(pdq(data), want) <= SAME_BITS
    for share in (0.1, 0.5, 0.9):
        with pytest.raises(MediaError):
            open_pixels(data[: int(len(data) * share)])
