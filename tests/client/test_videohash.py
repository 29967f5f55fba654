"""The 64 bits of the videohash package: equal to the package's own."""

import json
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firstseen.hashing.black_bars import Crop, find_crop
from firstseen.hashing.video import hash_video_file
from firstseen.hashing.video_limits import VideoLimits
from firstseen.hashing.videohash import MAX_FRAMES, Collage, videohash
from firstseen.items import Hash, HashType
from tests.client.clips import MADE, PHOTOS, MadeClip, as_frame, framed, pan, write_clip
from tests.conftest import ROOT

DATA = ROOT / "tests" / "data"
EXPECTED: dict[str, Any] = json.loads((DATA / "videohash.json").read_text())
FAST = 11  # of the clips that are made; the others take half a minute together


def own(path: Path) -> str:
    with path.open("rb") as stream:
        found = videohash(stream, VideoLimits())
    assert found is not None
    assert found.type is HashType.VIDEOHASH
    return found.value.hex()


@pytest.mark.parametrize("name", EXPECTED["clips"])
def test_hash_is_the_packages_own(name: str) -> None:
    assert own(DATA / "clips" / name) == EXPECTED["clips"][name]


@pytest.mark.parametrize("name", EXPECTED["shared"])
def test_hash_of_metas_clips_is_the_packages_own(shared_data: Path, name: str) -> None:
    assert own(shared_data / "video" / name) == EXPECTED["shared"][name]


@pytest.mark.parametrize(
    "made",
    [pytest.param(made, marks=pytest.mark.slow if made.number >= FAST else ()) for made in MADE],
    ids=lambda made: made.name,
)
def test_hash_of_clips_of_every_length_and_shape_is_the_packages_own(
    made: MadeClip, tmp_path: Path
) -> None:
    expected = EXPECTED["made"][made.name]
    assert own(made.write(tmp_path)) in ([expected] if isinstance(expected, str) else expected)


def of_type(hashes: Iterable[Hash], hash_type: HashType) -> list[Hash]:
    return [hash_ for hash_ in hashes if hash_.type is hash_type]


def test_item_holds_the_same_hash_from_one_pass() -> None:
    path = DATA / "clips" / "tall.mp4"
    [hash_] = of_type(hash_video_file(path).hashes, HashType.VIDEOHASH)
    assert hash_.value.hex() == EXPECTED["clips"]["tall.mp4"]
    assert hash_.quality is None
    assert hash_.frame_offset_ms == 7_500  # how long the clip is


def test_bars_are_found_as_cropdetect_rounds_them(tmp_path: Path) -> None:
    pictures = framed(pan(PHOTOS[:2], 3, 10, (200, 100)), (200, 200), "black")
    path = write_clip(tmp_path / "a.mp4", pictures, 10)
    with path.open("rb") as stream:
        crop = find_crop(stream, VideoLimits())
    # 100 lines are 96, of which the first is the second even one inside.
    assert crop == Crop(192, 96, 4, 52)


def test_black_video_has_no_crop_and_still_a_hash(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [Image.new("RGB", (64, 64))] * 30, 10)
    with path.open("rb") as stream:
        assert find_crop(stream, VideoLimits()) is None
    assert len(own(path)) == 16


def test_longer_video_than_a_collage_holds_has_no_hash() -> None:
    collage = Collage(None)
    frame = as_frame(Image.new("RGB", (64, 64)))
    frame.time_base = Fraction(1, 1_000)
    frame.pts = 0
    collage.see(frame, 0.0)
    collage.see(frame, MAX_FRAMES + 5.0)
    assert collage.hash() is None
