"""Pictures that are broken or built to hurt: hashed or refused, in bounded time and memory."""

import contextlib
import os
import resource
import socket
import sys
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing.image import hash_image, hash_listed_image
from firstseen.hashing.picture import open_luma
from firstseen.hashing.scans import check_scans

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")
HEIC = Path(__file__).parents[1] / "data" / "formats" / "leaf-turned.heic"
MAX_FILE_S = 10.0
MAX_BYTES = 1 << 30


def most_memory_bytes() -> int:
    """The most that this process has taken."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def encoded(image: Image.Image, kind: str) -> bytes:
    stream = BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def mutated(data: bytes, random: np.random.Generator) -> bytes:
    """The file with bytes changed, and now and then cut off or doubled in part."""
    changed = bytearray(data)
    for at in random.integers(0, len(changed), random.integers(1, 40)):
        changed[at] = random.integers(256)
    start, stop = sorted(random.integers(0, len(changed), 2).tolist())
    match random.integers(6):
        case 0:
            del changed[start:stop]
        case 1:
            changed[start:start] = changed[start:stop]
    return bytes(changed)


@pytest.fixture
def touched() -> Iterator[list[str]]:
    """The files opened to be written and the sockets used during a test."""
    found: list[str] = []
    is_watching = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        # An audit hook stays for good; only a flag ends it.
        if is_watching and event == "open" and isinstance(arguments[2], int):
            if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                found.append(f"{event} {arguments[0]}")
        elif is_watching and event.startswith(("socket.", "subprocess.", "os.system")):
            found.append(event)

    sys.addaudithook(note)
    yield found
    is_watching = False


@pytest.mark.parametrize(
    "count", [200, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_mutated_files_are_hashed_or_refused_in_bounds(
    count: int, photos: tuple[Path, ...], touched: list[str]
) -> None:
    random = np.random.default_rng(count)
    with Image.open(photos[0]) as opened:
        small = opened.convert("RGB").resize((96, 64))
    seeds = [encoded(small, kind) for kind in KINDS] + [HEIC.read_bytes()]
    for seed in seeds:
        hash_image(seed)  # what is loaded late is loaded now
    before_bytes = most_memory_bytes()
    hashed, longest_s = 0, 0.0
    for number in range(count):
        data = mutated(seeds[number % len(seeds)], random)
        start_s = time.perf_counter()
        with contextlib.suppress(MediaError):
            assert 3 <= len(hash_image(data).hashes) <= 31
            hashed += 1
        longest_s = max(longest_s, time.perf_counter() - start_s)
    assert 0 < hashed < count
    assert longest_s < MAX_FILE_S
    assert most_memory_bytes() - before_bytes < MAX_BYTES
    assert touched == []


def test_watch_of_files_and_sockets_sees_them(touched: list[str], tmp_path: Path) -> None:
    touched.clear()  # what made the folder
    (tmp_path / "a").write_bytes(b"")
    assert touched == [f"open {tmp_path / 'a'}"]
    socket.socket().close()
    assert touched[1:] == ["socket.__new__"]


@pytest.mark.parametrize(
    "size", [(5, 5), (5, 60_000), (60_000, 5), (5, 2_000_000), (63, 65), (33, 40_000)]
)
def test_odd_shapes_are_hashed(size: tuple[int, int]) -> None:
    picture = Image.linear_gradient("L").resize(size)
    data = encoded(picture, "PNG")
    assert max(open_luma(data).levels.shape) <= 16_384
    assert len(hash_image(data).hashes) >= 3
    assert len(hash_listed_image(data).hashes) >= 2


def test_progressive_jpeg_of_endless_scans_is_refused() -> None:
    stream = BytesIO()
    Image.new("L", (4_000, 4_000), 128).save(stream, "JPEG", progressive=True)
    whole = stream.getvalue()
    last = whole[whole.rindex(b"\xff\xda") : -2]
    assert hash_image(whole[:-2] + last * 20 + whole[-2:]).hashes
    with pytest.raises(MediaError, match=r"over 536 scans of 16,000,000 pixels"):
        hash_image(whole[:-2] + last * 600 + whole[-2:])
    with pytest.raises(MediaError, match="segments"):
        hash_image(whole[:2] + b"\xff\xfe\0\2" * 10_001 + whole[2:])


def test_scans_are_counted_of_the_picture_alone() -> None:
    scans = b"\xff\xda\0\2" * 1_000
    picture = b"\xff\xd8\xff\xe1\x0f\xa2" + scans + b"\xff\xda\0\2\xff\0\xff\xd0\xff\xd9"
    check_scans(picture + scans, 1 << 30)  # those in its metadata and behind it are none
    with pytest.raises(MediaError, match="over 8 scans"):
        check_scans(picture[:-2] + scans, 1 << 30)
