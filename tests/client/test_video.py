"""Videos as frames: equal to Meta's, found again after what is done to copies, and bounded."""

import dataclasses
import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from firstseen.errors import MediaError
from firstseen.hashing.bars import picture_inside
from firstseen.hashing.document_kind import HEAD_BYTES
from firstseen.hashing.file import hash_file
from firstseen.hashing.forms import BankProfile
from firstseen.hashing.frames import video_frames
from firstseen.hashing.item_limits import QUERY_HASHES
from firstseen.hashing.kind import media_type_of
from firstseen.hashing.luma import Box
from firstseen.hashing.pdq import pdq_hash
from firstseen.hashing.video import VideoOptions, bank_options, hash_video_file
from firstseen.hashing.video_limits import Sampling, VideoLimits
from firstseen.hashing.vpdq import VpdqFrame, parse_line
from firstseen.items import Hash, HashType, Item, MediaType
from tests.client.clips import PHOTOS, captioned, framed, pan, turned, write_clip, write_pan

MATCH_BITS = 31
META_MEAN_BITS = 2.0
META_MAX_BITS = 8


def bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


def frames(item: Item, hash_type: HashType = HashType.PDQ) -> list[Hash]:
    return [h for h in item.hashes if h.type is hash_type and h.frame_offset_ms is not None]


def near(query: Item, listed: Item, hash_type: HashType) -> list[tuple[Hash, Hash]]:
    """The pairs of their hashes that match."""
    asked, known = frames(query, hash_type), frames(listed, hash_type)
    if not asked or not known:
        return []
    a, b = (np.array([list(h.value) for h in hashes], np.uint8) for hashes in (asked, known))
    apart = np.bitwise_count(a[:, None] ^ b[None]).sum(-1)
    return [(asked[i], known[j]) for i, j in np.argwhere(apart <= MATCH_BITS)]


def share_found(query: Item, listed: Item) -> float:
    """Of the frames asked about and those listed, the larger share that matches.

    Two frames match by one PDQ of theirs, or by two of the tiles that are listed.
    """
    pairs = {(a.frame_offset_ms, b.frame_offset_ms) for a, b in near(query, listed, HashType.PDQ)}
    tiles: dict[tuple[int | None, int | None], set[bytes]] = {}
    for a, b in near(query, listed, HashType.PDQ_TILE):
        tiles.setdefault((a.frame_offset_ms, b.frame_offset_ms), set()).add(b.value)
    pairs |= {pair for pair, values in tiles.items() if len(values) >= 2}
    asked, known = ({h.frame_offset_ms for h in frames(item)} for item in (query, listed))
    return max(len({a for a, _ in pairs}) / len(asked), len({b for _, b in pairs}) / len(known))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pan(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="module")
def listed(clip: Path) -> Item:
    return hash_video_file(clip, bank_options())


def test_frames_are_those_of_metas_vpdq(shared_data: Path) -> None:
    compared = 0
    for path in sorted((shared_data / "video").glob("*.mp4")):
        text = path.with_suffix(".vpdq.txt").read_text()
        published = [parse_line(line) for line in text.splitlines()]
        apart = []
        with path.open("rb") as stream:
            for frame in video_frames(stream, Sampling(), VideoLimits()):
                meta = _nearest(published, frame.offset_ms)
                if meta.quality >= 50:
                    apart.append(bits_apart(pdq_hash(frame.pixels).value, meta.value))
        assert len(apart) >= 10
        assert np.mean(apart) <= META_MEAN_BITS
        assert max(apart) <= META_MAX_BITS
        compared += 1
    assert compared == 5


def _nearest(published: Iterable[VpdqFrame], offset_ms: int) -> VpdqFrame:
    return min(published, key=lambda frame: abs(frame.offset_ms - offset_ms))


def test_item_is_frames_then_videohash_then_exact_hashes(clip: Path) -> None:
    item = hash_file(clip)
    assert item.media_type is MediaType.VIDEO
    assert [h.type for h in item.hashes[-3:]] == [
        HashType.VIDEOHASH,
        HashType.SHA256,
        HashType.MD5,
    ]
    assert item.hashes[-3].frame_offset_ms == 6_000  # how long the clip is
    assert item.hashes[-2].value == hashlib.sha256(clip.read_bytes()).digest()
    offsets = [h.frame_offset_ms for h in item.hashes[:-3]]
    assert offsets == sorted(offsets, key=lambda offset: offset or 0)
    by_clock = set(range(0, 6_000, 500))
    assert set(offsets) > by_clock
    # Upright, mirrored, four tiles; of frames between, where the picture moves, no tiles.
    assert [h.type for h in item.hashes[:6]] == [HashType.PDQ] * 2 + [HashType.PDQ_TILE] * 4
    assert {h.frame_offset_ms for h in frames(item, HashType.PDQ_TILE)} == by_clock


def test_profiles_list_more_and_more_of_a_frame(clip: Path, listed: Item) -> None:
    lean = hash_video_file(clip, bank_options(BankProfile.LEAN))
    wide = hash_video_file(clip, bank_options(BankProfile.WIDE))
    first = [[h for h in item.hashes if h.frame_offset_ms == 0] for item in (lean, listed, wide)]
    assert [len(hashes) for hashes in first] == [1, 13, 29]
    assert set(first[0]) < set(first[1]) < set(first[2])


def test_short_clip_has_two_frames_a_second_and_a_longer_one_has_one(tmp_path: Path) -> None:
    def offsets(seconds: float) -> list[int]:
        path = write_clip(tmp_path / "a.mp4", pan(PHOTOS[:2], seconds, 4, (64, 48)), 4)
        with path.open("rb") as stream:
            return [f.offset_ms for f in video_frames(stream, Sampling(), VideoLimits())]

    assert offsets(19) == [*range(0, 19_000, 500)]
    assert offsets(21) == [*range(0, 21_000, 1_000)]


def wandering(fps: int, first: int, count: int) -> Iterator[Image.Image]:
    """A camera that moves over a photograph, by a quarter of its own picture in a second."""
    with Image.open(PHOTOS[0]) as opened:
        photo = opened.convert("RGB").resize((1_600, 900))
    for index in range(first, first + count):
        x, y = (500 * (1 + np.sin(index / fps * s)) for s in (0.3, 0.4))
        yield photo.resize((160, 120), Image.Resampling.BILINEAR, (x, y / 2, x + 600, y / 2 + 400))


def test_part_of_a_video_that_moves_fast_is_found_wherever_it_begins(tmp_path: Path) -> None:
    listed = hash_video_file(
        write_clip(tmp_path / "a.mp4", wandering(30, 0, 240), 30), bank_options()
    )
    path = write_clip(tmp_path / "b.mp4", wandering(30, 67, 90), 30, crf="32")  # at 2.23 s
    item, steady = (
        hash_video_file(path, VideoOptions(sampling=Sampling(moving_below_ms=below_ms)))
        for below_ms in (60_000, 0)
    )

    def seconds(asked: Item) -> set[int]:
        return {(a.frame_offset_ms or 0) // 1_000 for a, _ in near(asked, listed, HashType.PDQ)}

    assert seconds(item) == {0, 1, 2}
    assert len(seconds(steady)) < 2
    # By the clock it is as it was, and what is between is more than that only where it must be.
    own = {h for h in steady.hashes if h.frame_offset_ms is not None}
    assert own < set(item.hashes)
    assert len({h.frame_offset_ms for h in frames(item)}) < 60  # of 90


def test_frames_between_give_way_to_those_by_the_clock(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", wandering(30, 0, 240), 30)
    steady = hash_video_file(path, VideoOptions(sampling=Sampling(moving_below_ms=0)))
    few = hash_video_file(path, VideoOptions(max_hashes=len(steady.hashes) + 20))
    assert set(steady.hashes) < set(few.hashes)
    assert len(few.hashes) <= len(steady.hashes) + 20
    assert [h.frame_offset_ms for h in frames(few)] == sorted(
        h.frame_offset_ms for h in frames(few)
    )  # type: ignore[type-var]
    # What is listed has none of them.
    offsets = {h.frame_offset_ms for h in frames(hash_video_file(path, bank_options()))}
    assert offsets == set(range(0, 8_000, 500))


def test_key_frames_alone_are_fewer_and_still_match(
    clip: Path, listed: Item, tmp_path: Path
) -> None:
    path = write_clip(tmp_path / "a.mp4", pan(PHOTOS[:3], 6, 10, (320, 240)), 10, g="20")
    item = hash_video_file(path, VideoOptions(sampling=Sampling(key_frames=True)))
    assert {h.frame_offset_ms for h in frames(item)} == {0, 2_000, 4_000}
    assert not frames(item, HashType.VIDEOHASH)
    assert share_found(item, listed) >= 0.9


def before_blur(pictures: Iterable[Image.Image]) -> Iterator[Image.Image]:
    """Each picture in the middle of a tall screen that a blurred copy of it fills."""
    for picture in pictures:
        back = ImageOps.fit(picture, (80, 142)).filter(ImageFilter.GaussianBlur(3))
        screen = back.resize((320, 568))
        screen.paste(picture, (0, (568 - picture.height) // 2))
        yield screen


COPIES: dict[str, Callable[[Iterable[Image.Image]], Iterable[Image.Image]]] = {
    "smaller": lambda p: (x.resize((160, 120)) for x in p),
    "mirrored": lambda p: (x.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for x in p),
    "letterbox": lambda p: framed(p, (320, 320), "black"),
    "coloured frame": lambda p: framed(p, (400, 300), "darkgreen"),
    "blurred bars": before_blur,
    "caption": captioned,
    "crop of a tenth": lambda p: (x.crop((16, 12, 304, 228)) for x in p),
    "crop of a fifth": lambda p: (x.crop((32, 24, 288, 216)) for x in p),
    "grey": lambda p: (x.convert("L").convert("RGB") for x in p),
    "first second cut": lambda p: itertools.islice(p, 10, None),
    "half a second cut": lambda p: itertools.islice(p, 5, None),
    "middle": lambda p: itertools.islice(p, 18, 42),
}


@pytest.mark.parametrize("name", COPIES)
def test_copy_is_found(name: str, listed: Item, tmp_path: Path) -> None:
    pictures = COPIES[name](pan(PHOTOS[:3], 6, 10, (320, 240)))
    path = write_clip(tmp_path / "copy.mp4", pictures, 10, crf="32")
    assert share_found(hash_video_file(path), listed) >= 0.3


def test_other_clip_is_not_found(listed: Item, tmp_path: Path) -> None:
    other = write_pan(tmp_path / "other.mp4", first=5)
    assert share_found(hash_video_file(other), listed) == 0


OTHER_CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "a.avi": ("mpeg4", {}),
    "a.mov": ("libx265", {"x265-params": "log-level=none"}),
    "a.webm": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}),
    "a.mkv": ("libvpx", {"cpu-used": "8", "deadline": "realtime"}),
    "a.mpg": ("mpeg2video", {"q": "4"}),
    "a.flv": ("flv", {}),
    "a.ts": ("mpeg2video", {"q": "4"}),
}


@pytest.mark.parametrize("name", OTHER_CODECS)
def test_other_codecs_and_containers_are_found(name: str, listed: Item, tmp_path: Path) -> None:
    codec, options = OTHER_CODECS[name]
    pictures, fps = pan(PHOTOS[:3], 6, 25, (320, 240)), 25
    path = write_clip(tmp_path / name, pictures, fps, codec, **options)
    assert media_type_of(path.read_bytes()[:HEAD_BYTES]) is MediaType.VIDEO
    assert share_found(hash_video_file(path), listed) >= 0.9


def test_video_on_its_side_is_shown_upright(clip: Path, listed: Item, tmp_path: Path) -> None:
    left = (x.transpose(Image.Transpose.ROTATE_90) for x in pan(PHOTOS[:3], 6, 10, (320, 240)))
    path = write_clip(tmp_path / "a.mp4", left, 10)
    assert share_found(hash_video_file(path), listed) == 0
    path.write_bytes(turned(path.read_bytes()))
    assert share_found(hash_video_file(path), listed) >= 0.9


def test_still_video_is_one_frame(tmp_path: Path) -> None:
    with Image.open(PHOTOS[0]) as opened:
        still = opened.convert("RGB").resize((320, 240))
    path = write_clip(tmp_path / "a.mp4", [still] * 60, 4)
    assert {h.frame_offset_ms for h in frames(hash_video_file(path))} == {0}


def test_blank_video_is_asked_about_and_not_listed(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", [Image.new("RGB", (64, 64), "grey")] * 20, 4)
    [asked] = frames(hash_video_file(path))
    assert asked.quality is not None
    assert asked.quality < 50
    assert frames(hash_video_file(path, bank_options())) == []


def test_question_is_as_large_as_the_server_takes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mp4", pan(PHOTOS, 240, 1, (64, 48)), 1)
    assert len(hash_video_file(path).hashes) <= QUERY_HASHES
    item = hash_video_file(path, VideoOptions(max_hashes=1_000))
    assert 800 <= len(item.hashes) <= 1_000
    few = hash_video_file(path, VideoOptions(max_hashes=100))
    assert len(few.hashes) <= 100
    offsets = sorted({h.frame_offset_ms or 0 for h in frames(few)})
    # Spread over all of it, rather than the beginning of it.
    assert offsets[0] == 0
    assert offsets[-1] >= 220_000
    assert max(b - a for a, b in itertools.pairwise(offsets)) <= 20_000
    # A list keeps the frames and gives up parts.
    lean = hash_video_file(path, dataclasses.replace(bank_options(), max_hashes=400))
    assert len({h.frame_offset_ms for h in frames(lean)}) >= 200
    assert len(lean.hashes) <= 400


def test_progress_is_told_to_the_end(clip: Path) -> None:
    told: list[tuple[int, int | None]] = []
    hash_video_file(clip, progress=lambda done, length: told.append((done, length)))
    assert told[0] == (0, 6_000)
    assert told[-1] == (5_900, 6_000)  # the last frame of sixty, since it moves


def test_bars_are_cut_off_and_a_dark_picture_is_not() -> None:
    random = np.random.default_rng(5)
    moving = [random.integers(60, 255, (60, 100, 3), np.uint8) for _ in range(4)]
    framed_ = [np.pad(frame, ((20, 10), (0, 30), (0, 0))) for frame in moving]
    assert picture_inside(framed_) == Box(0, 20, 100, 80)
    assert picture_inside(moving) is None
    assert picture_inside([np.zeros((60, 100, 3), np.uint8)] * 3) is None
    bright = [np.pad(frame, ((8, 0), (0, 0), (0, 0)), constant_values=200) for frame in moving]
    assert picture_inside(bright) == Box(0, 8, 100, 68)
    # A bar in one frame alone is part of what is shown.
    assert picture_inside([*moving, framed_[0][10:70, :100]]) is None


def test_undecodable_video_is_an_error_or_its_exact_hashes(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"\x00\x00\x00\x20ftypisom" + bytes(4_000))
    with pytest.raises(MediaError, match=r"known format|decoded|damaged"):
        hash_file(path)
    item = hash_file(path, exact_when_undecodable=True)
    assert [h.type for h in item.hashes] == [HashType.SHA256, HashType.MD5]
