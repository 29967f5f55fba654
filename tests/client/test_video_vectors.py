"""What video hashing must give in every language, by tests/data/video_vectors.json."""

import json
from typing import Any

import pytest

from firstseen.hashing.video import VideoOptions, bank_options, hash_video_file, seen_hashes
from tests.client.video_vectors import CLIPS, PATH, clip, first_of_frames, rows

VECTORS: dict[str, Any] = json.loads(PATH.read_text(encoding="ascii"))
ROUNDED_BITS = 2
DECODED_BITS = 8  # FFmpeg is one decoder, and its own are equal on the machines of this project


def assert_equal(found: list[list[Any]], expected: list[list[Any]], bits: int) -> None:
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    for own, wanted in zip(found, expected, strict=True):
        assert abs(own[2] - wanted[2]) <= 1
        assert (int(own[3], 16) ^ int(wanted[3], 16)).bit_count() <= bits


@pytest.mark.parametrize("vector", VECTORS["made"], ids=lambda vector: vector["name"])
def test_made_clips_hash_to_their_vectors(vector: dict[str, Any]) -> None:
    stream = clip(vector)
    for name, options in (("asked", VideoOptions()), ("listed", bank_options())):
        assert_equal(rows(seen_hashes(stream, options)), vector[name], ROUNDED_BITS)


def test_vectors_hold_what_a_video_is_hashed_by() -> None:
    """Repetition and plain frames are left out, bars cut off, parts listed."""
    plain, barred = VECTORS["made"]
    for vector in (plain, barred):
        assert [ms for ms, _ in vector["shown"]][:4] == [500] * 4
        assert sorted({row[0] for row in vector["asked"]}) == [0, 1000, 2000, 2700, 3000]
    assert [len(vector["listed"]) for vector in (plain, barred)] == [5 * 13, 5 * 26]
    assert [len(vector["asked"]) for vector in (plain, barred)] == [5 * 6, 5 * 12]


@pytest.mark.parametrize("name", VECTORS["files"])
def test_files_hash_to_their_vectors(name: str) -> None:
    found = rows(tuple(first_of_frames(hash_video_file(CLIPS / name, bank_options()))))
    assert_equal(found, VECTORS["files"][name], DECODED_BITS)
