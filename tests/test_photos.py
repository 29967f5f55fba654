"""The photographs that ship with the project are credited, small, and fit to be told apart."""

import itertools
import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pdqhash
from PIL import Image

MIN_QUALITY = 80
MIN_DISTANCE_BITS = 60
MAX_TOTAL_BYTES = 1_500_000


def test_every_photograph_is_credited(photos_dir: Path, photos: tuple[Path, ...]) -> None:
    sources = (photos_dir / "SOURCES.md").read_text(encoding="utf-8")

    credited = set(re.findall(r"^\| `([\w.-]+)` \|", sources, flags=re.MULTILINE))

    assert credited == {photo.name for photo in photos}


def test_photographs_together_are_small(photos: tuple[Path, ...]) -> None:
    assert 0 < sum(photo.stat().st_size for photo in photos) <= MAX_TOTAL_BYTES


def test_any_two_photographs_are_far_apart_however_turned(photos: tuple[Path, ...]) -> None:
    hashes: dict[str, npt.NDArray[np.uint8]] = {}  # name -> the eight dihedral hashes, 8 × 256 bits
    for photo in photos:
        with Image.open(photo) as image:
            dihedral, quality = pdqhash.compute_dihedral(np.asarray(image.convert("RGB")))
        assert quality >= MIN_QUALITY, photo.name
        hashes[photo.name] = np.asarray(dihedral)

    close = [
        (one, other)
        for one, other in itertools.combinations(hashes, 2)
        if (hashes[other] != hashes[one][0]).sum(axis=1).min() <= MIN_DISTANCE_BITS
    ]

    assert close == []
