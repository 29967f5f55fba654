"""Videos that are damaged, or made to cost much: each ends in time, and says so."""

import contextlib
import random
import resource
import time
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing import black_bars, frames
from firstseen.hashing.file import hash_file
from firstseen.hashing.frames import video_frames
from firstseen.hashing.item_limits import QUERY_HASHES
from firstseen.hashing.video import VideoOptions, hash_video, hash_video_file
from firstseen.hashing.video_limits import Budget, Sampling, VideoLimits
from firstseen.items import HashType
from tests.client.audit import touched
from tests.client.clips import PHOTOS, pan, write_clip, write_pan

MAX_FILE_S = 10.0
MAX_BYTES = 1 << 30


def limited(path: Path, **limits: float) -> None:
    hash_video_file(path, VideoOptions(limits=VideoLimits(**limits)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pan(tmp_path_factory.mktemp("clips") / "clip.mp4", seconds=4)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"size_bytes": 1_000}, "bytes, at most 1,000"),
        ({"frame_pixels": 1_000}, "pixels|known format|decoded|damaged"),
        ({"decoded_pixels": 320 * 240 * 20}, "pixels in all frames"),
        ({"frames": 3}, "over 3 sampled frames"),
        ({"seconds": 0.0}, "took over 0 s"),
    ],
)
def test_what_is_over_a_limit_is_an_error(
    clip: Path, limits: dict[str, float], reason: str
) -> None:
    with pytest.raises(MediaError, match=reason):
        limited(clip, **limits)


def test_huge_frames_are_refused_before_one_is_decoded(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def decode(*_: object) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(frames, "_decoded", decode)
    monkeypatch.setattr(black_bars, "_frames_from", decode)
    with pytest.raises(MediaError, match="320 x 240 pixels, at most 76,799"):
        limited(clip, frame_pixels=320 * 240 - 1)


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mjpeg"), ("a.mp4", "libx264")])
def test_decoder_refuses_frames_that_are_larger_than_the_file_says(
    name: str, codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_clip(tmp_path / name, pan(PHOTOS[:1], 1, 5, (320, 240)), 5, codec)
    decoded: list[tuple[int, int]] = []
    monkeypatch.setattr(frames, "check_frame", lambda *_: None)  # as if the header said little
    monkeypatch.setattr(Budget, "spend", lambda _, width, height: decoded.append((width, height)))
    with path.open("rb") as stream, pytest.raises(MediaError):
        list(video_frames(stream, Sampling(), VideoLimits(frame_pixels=320 * 240 - 1)))
    assert decoded == []
    with path.open("rb") as stream:
        assert list(video_frames(stream, Sampling(), VideoLimits(frame_pixels=320 * 240)))
    assert set(decoded) == {(320, 240)}


def test_frames_after_the_longest_duration_are_left_out(clip: Path) -> None:
    options = VideoOptions(limits=VideoLimits(duration_ms=1_000))
    hashes = hash_video_file(clip, options).hashes
    offsets = {h.frame_offset_ms or 0 for h in hashes if h.type is HashType.PDQ}
    assert offsets > {0, 500, 1_000}
    assert max(offsets) == 1_000


def test_time_is_looked_at_between_frames(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(ticks)))
    with pytest.raises(MediaError, match="took over 20 s"):
        limited(clip, seconds=20.0)


def test_three_hours_are_bounded(tmp_path: Path) -> None:
    # One picture a minute, each shown for a minute: as long, and quick to make.
    path = write_clip(tmp_path / "a.mp4", pan(PHOTOS[:9], 10_800, 1 / 60, (160, 120)), 1 / 60)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    item = hash_video_file(path)
    assert len({h.frame_offset_ms for h in item.hashes} - {None}) >= 100
    assert len(item.hashes) <= QUERY_HASHES
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10 < MAX_BYTES // 2


def test_cut_off_video_is_hashed_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", pan(PHOTOS[:3], 6, 10, (320, 240)), 10)
    whole = hash_video_file(path)
    data = path.read_bytes()
    half = hash_video(BytesIO(data[: len(data) // 2]))
    assert 10 < len(half.hashes) < len(whole.hashes)
    assert set(half.hashes[:6]) == set(whole.hashes[:6])


def test_playlists_and_pictures_are_no_videos(tmp_path: Path) -> None:
    secret = write_pan(tmp_path / "secret.mp4", seconds=1)
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{secret}\n#EXT-X-ENDLIST\n"
    concat = f"ffconcat version 1.0\nfile '{secret.name}'\n"
    for text in (playlist, concat, "<MPD></MPD>", "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n"):
        with pytest.raises(MediaError):
            hash_video(BytesIO(text.encode() * 2))
    picture = BytesIO()
    Image.new("RGB", (64, 64)).save(picture, "JPEG")
    with pytest.raises(MediaError):
        hash_video(picture)


def test_nothing_of_a_damaged_video_is_printed(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    data = bytearray(clip.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 4_000] = random.Random(5).randbytes(4_000)
    path = tmp_path / "secret-name.mp4"
    path.write_bytes(data)
    with contextlib.suppress(MediaError):
        hash_file(path)
    assert capfd.readouterr() == ("", "")


def mutated(data: bytes, rng: random.Random) -> bytes:
    """A copy with bytes changed, cut out, doubled or cut off."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 3, 20, 200))):
        place = rng.randrange(len(changed))
        kind = rng.randrange(5)
        if kind == 0:
            changed[place : place + 4] = rng.choice((b"\xff" * 4, bytes(4), rng.randbytes(4)))
        elif kind == 1:
            del changed[place : place + rng.randrange(1, 64)]
        elif kind == 2:
            changed[place:place] = changed[place : place + rng.randrange(1, 64)]
        else:
            changed[place] = rng.randrange(256)
        if not changed:
            return b"\0"
    return bytes(changed[: rng.randrange(1, len(changed) + 1)] if rng.random() < 0.2 else changed)


def fuzz(folder: Path, count: int) -> tuple[int, float]:
    """Hashes mutated clips; returns how many were hashed, and the longest time of one."""
    small = pan(PHOTOS[:2], 1.5, 6, (96, 64))
    pictures = list(small)
    kinds = [("a.mp4", "libx264"), ("b.mkv", "mpeg4"), ("c.avi", "mpeg4"), ("d.webm", "libvpx")]
    kinds += [("e.ts", "mpeg2video"), ("f.flv", "flv"), ("g.mov", "mjpeg")]
    clips = [write_clip(folder / name, pictures, 25, codec).read_bytes() for name, codec in kinds]
    moving = BytesIO()
    pictures[0].save(moving, "GIF", save_all=True, append_images=pictures[1:])
    clips.append(moving.getvalue())
    moving = BytesIO()
    pictures[0].save(moving, "WEBP", save_all=True, append_images=pictures[1:])
    clips.append(moving.getvalue())
    rng = random.Random(20_26)
    hashed, longest_s = 0, 0.0
    for index in range(count):
        data = mutated(clips[index % len(clips)], rng)
        start_s = time.perf_counter()
        with contextlib.suppress(MediaError):
            hash_video(BytesIO(data))
            hashed += 1
        longest_s = max(longest_s, time.perf_counter() - start_s)
    return hashed, longest_s


def test_few_mutated_videos_end_in_time(tmp_path: Path) -> None:
    hashed, longest_s = fuzz(tmp_path, 45)
    assert 0 < hashed < 45
    assert longest_s < MAX_FILE_S


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_mutated_videos_end_in_time_and_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    hashed, longest_s = fuzz(tmp_path, 9)  # what is loaded late is loaded now
    before = set(tmp_path.iterdir())
    with touched(tmp_path) as outside:
        _, longest_s = fuzz(tmp_path, 2_000)
    assert set(tmp_path.iterdir()) == before
    assert longest_s < MAX_FILE_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10 < MAX_BYTES
    assert outside == []
    assert hashed


def test_smallest_frames_are_refused(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "a.mkv", [Image.new("RGB", (4, 4))] * 5, 5, "mpeg4")
    with pytest.raises(MediaError, match="at least 5 a side"):
        hash_video_file(path)


def test_huge_frames_are_made_smaller(tmp_path: Path) -> None:
    noise = np.random.default_rng(5).integers(0, 255, (36, 64, 3), np.uint8)
    large = Image.fromarray(noise).resize((3_840, 2_160), Image.Resampling.BICUBIC)
    path = write_clip(tmp_path / "a.mp4", [large] * 3, 2)
    small = write_clip(tmp_path / "b.mp4", [large.resize((1_920, 1_080))] * 3, 2)
    with path.open("rb") as stream:
        [first, *_] = video_frames(stream, Sampling(), VideoLimits())
    assert first.pixels.shape == (1_080, 1_920, 3)
    one, other = (
        next(h.value for h in hash_video_file(p).hashes if h.type is HashType.PDQ)
        for p in (path, small)
    )
    assert (int.from_bytes(one) ^ int.from_bytes(other)).bit_count() <= 8
