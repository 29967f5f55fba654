"""Pictures that are broken or built to hurt: hashed or refused, in bounded time and memory."""

import contextlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing.image import hash_image, hash_listed_image
from firstseen.hashing.picture import open_luma

KINDS = ("JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF")


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


@pytest.mark.parametrize(
    "count", [200, pytest.param(2_000, marks=[pytest.mark.slow, pytest.mark.timeout(600)])]
)
def test_mutated_files_are_hashed_or_refused(count: int, photos: tuple[Path, ...]) -> None:
    random = np.random.default_rng(count)
    with Image.open(photos[0]) as opened:
        small = opened.convert("RGB").resize((96, 64))
    seeds = [encoded(small, kind) for kind in KINDS]
    hashed = 0
    for number in range(count):
        data = mutated(seeds[number % len(seeds)], random)
        with contextlib.suppress(MediaError):
            assert 3 <= len(hash_image(data).hashes) <= 30
            hashed += 1
    assert 0 < hashed < count


@pytest.mark.parametrize(
    "size", [(5, 5), (5, 60_000), (60_000, 5), (5, 2_000_000), (63, 65), (33, 40_000)]
)
def test_odd_shapes_are_hashed(size: tuple[int, int]) -> None:
    picture = Image.linear_gradient("L").resize(size)
    data = encoded(picture, "PNG")
    assert max(open_luma(data).shape) <= 16_384
    assert len(hash_image(data).hashes) >= 3
    assert len(hash_listed_image(data).hashes) >= 2
