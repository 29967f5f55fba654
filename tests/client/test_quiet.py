"""Silence while decoding, and what is left of it; pictures and files on the edge."""

import threading
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing import picture
from firstseen.hashing.file import hash_file
from firstseen.hashing.kind import media_type_of
from firstseen.hashing.pdq import pdq_hash
from firstseen.hashing.picture import open_luma, open_pixels
from firstseen.hashing.quiet import Quiet
from firstseen.items import HashType, MediaType


def test_silence_ends_when_overlapping_threads_have_left() -> None:
    quiet = Quiet()
    before = list(warnings.filters)
    inside, may_leave, left = threading.Event(), threading.Event(), threading.Event()

    def late() -> None:
        with quiet:
            inside.set()
            may_leave.wait(30)
        left.set()

    thread = threading.Thread(target=late)
    with quiet:
        thread.start()
        assert inside.wait(30)
        warnings.warn("nobody hears", UserWarning, stacklevel=1)
    # The first has left; the other is still decoding.
    warnings.warn("nobody hears", UserWarning, stacklevel=1)
    may_leave.set()
    assert left.wait(30)
    thread.join()
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning, match="everybody"):
        warnings.warn("everybody hears", UserWarning, stacklevel=1)


def test_error_inside_ends_the_silence() -> None:
    quiet = Quiet()
    before = list(warnings.filters)
    with pytest.raises(MediaError), quiet:
        raise MediaError("damaged")
    assert list(warnings.filters) == before


def test_threads_that_hash_leave_warnings_as_they_were(photos: tuple[Path, ...]) -> None:
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=lambda: [open_pixels(p.read_bytes()) for p in photos[:4]])
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


def test_dark_picture_of_sixteen_bits_stays_dark() -> None:
    stream = BytesIO()
    Image.fromarray(np.full((32, 32), 200, np.uint16)).save(stream, "PNG")
    assert open_pixels(stream.getvalue()).max() <= 1


def test_picture_with_a_second_one_behind_it_is_the_first(photos: tuple[Path, ...]) -> None:
    """Phones write such JPEGs (MPO) for depth maps and brightness gains."""
    with Image.open(photos[0]) as opened:
        first = opened.convert("RGB").resize((320, 240))
    stream = BytesIO()
    first.save(stream, "MPO", save_all=True, append_images=[Image.new("RGB", (100, 80))])
    assert open_pixels(stream.getvalue()).shape == (240, 320, 3)


@pytest.mark.parametrize("kind", ["RGB", "RGBA", "P", "1", "L", "I;16"])
def test_huge_picture_is_made_smaller_and_looks_the_same(
    kind: str, monkeypatch: pytest.MonkeyPatch, photos: tuple[Path, ...]
) -> None:
    with Image.open(photos[0]) as opened:
        photo = opened.convert("RGB").resize((2_400, 2_100))
    if kind == "I;16":
        made = Image.fromarray(np.asarray(photo.convert("L"), np.uint16) * np.uint16(257))
    else:
        made = photo.convert(kind)
    if kind == "RGBA":
        made.putalpha(made.getchannel("G"))
    stream = BytesIO()
    made.save(stream, "PNG", compress_level=1)
    whole = pdq_hash(open_pixels(stream.getvalue()))
    monkeypatch.setattr(picture, "_WHOLE_PIXELS", 1 << 20)
    assert open_pixels(stream.getvalue()).shape == (700, 800, 3)
    luma = open_luma(stream.getvalue())
    assert luma.levels.shape == (700, 800)
    apart = int.from_bytes(luma.pdq().hash().value) ^ int.from_bytes(whole.value)
    assert apart.bit_count() <= 6


@pytest.mark.parametrize(
    "head", [b"\x00\x00\x10\x00moov\x00\x00", b"\x00\x00\x00\x08wide", b"OggS\x00"]
)
def test_older_videos_are_videos(head: bytes) -> None:
    assert media_type_of(head) is MediaType.VIDEO


def test_caller_may_say_what_a_file_is(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(100))
    with pytest.raises(MediaError):
        hash_file(tmp_path / "a.bin")
    item = hash_file(tmp_path / "a.bin", media_type=MediaType.DOCUMENT, exact_when_undecodable=True)
    assert item.media_type is MediaType.DOCUMENT
    assert [h.type for h in item.hashes] == [HashType.SHA256, HashType.MD5]
