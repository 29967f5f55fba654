"""Animated pictures as videos, and the clips behind Motion Photos."""

from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from firstseen.errors import MediaError
from firstseen.hashing.animation import animation_frames, is_animation
from firstseen.hashing.file import FileOptions, hash_file, hash_items
from firstseen.hashing.motion_photo import clip_start
from firstseen.hashing.video import hash_video
from firstseen.hashing.video_limits import Sampling, VideoLimits
from firstseen.items import HashType, Item, MediaType
from tests.client.clips import PHOTOS, motion_photo, pan, write_pan

FORMATS = ("GIF", "WEBP", "PNG", "AVIF")
SAME_BITS = 24  # of 256: 256 colours of a GIF move more bits than any video codec


def animated(kind: str, count: int = 8, duration_ms: int = 250, **options: Any) -> bytes:
    first, *others = pan(PHOTOS[:2], count, 1, (160, 120))
    stream = BytesIO()
    save: dict[str, Any] = {"save_all": True, "append_images": others, "duration": duration_ms}
    first.save(stream, kind, **save | options)
    return stream.getvalue()


def upright(item: Item) -> dict[int | None, bytes]:
    """Of each frame its first hash."""
    found: dict[int | None, bytes] = {}
    for hash_ in item.hashes:
        if hash_.type is HashType.PDQ:
            found.setdefault(hash_.frame_offset_ms, hash_.value)
    return found


def bits_apart(a: bytes, b: bytes) -> int:
    return (int.from_bytes(a) ^ int.from_bytes(b)).bit_count()


@pytest.mark.parametrize("kind", FORMATS)
def test_animated_picture_is_a_video(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(animated(kind))
    item = hash_file(path)
    assert item.media_type is MediaType.VIDEO
    assert [h.type for h in item.hashes[-2:]] == [HashType.SHA256, HashType.MD5]
    found = upright(item)
    assert set(found) == {0, 500, 1_000, 1_500}
    want = upright(hash_video(BytesIO(animated("PNG"))))
    assert all(bits_apart(found[offset], want[offset]) <= SAME_BITS for offset in want)


@pytest.mark.parametrize("kind", [*FORMATS, "JPEG"])
def test_still_picture_is_a_picture(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with Image.open(PHOTOS[0]) as photo:
        photo.save(path, kind)
    item = hash_file(path)
    assert item.media_type is MediaType.IMAGE
    assert hash_items(path) == (item,)
    with path.open("rb") as stream:
        assert not is_animation(stream, VideoLimits())


def test_frames_without_a_duration_are_shown_as_browsers_do() -> None:
    data = animated("GIF", 8, 0)
    frames = animation_frames(BytesIO(data), Sampling(dense_step_ms=100), VideoLimits())
    assert [frame.offset_ms for frame in frames] == list(range(0, 800, 100))


def test_transparency_is_on_white(tmp_path: Path) -> None:
    clear = [Image.new("RGBA", (64, 64), (0, 0, 0, 0)) for _ in range(2)]
    clear[1].putpixel((3, 3), (255, 0, 0, 255))
    stream = BytesIO()
    clear[0].save(stream, "WEBP", save_all=True, append_images=clear[1:], lossless=True)
    first, *_ = animation_frames(stream, Sampling(), VideoLimits())
    assert (first.pixels == 255).all()


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"frame_pixels": 1_000}, "160 x 120 pixels"),
        ({"decoded_pixels": 160 * 120 * 3}, "pixels in all frames"),
        ({"frames": 1}, "over 1 sampled"),
        ({"seconds": 0}, "took over 0 s"),
    ],
)
def test_animation_over_a_limit_is_an_error(limits: dict[str, int], reason: str) -> None:
    with pytest.raises(MediaError, match=reason):
        list(animation_frames(BytesIO(animated("GIF")), Sampling(), VideoLimits(**limits)))


def test_cut_off_animation_counts_as_far_as_it_goes() -> None:
    data = animated("GIF")
    item = hash_video(BytesIO(data[: len(data) * 3 // 4]))
    assert 2 <= len(upright(item)) < 8


@pytest.mark.parametrize(
    "xmp",
    [
        b"",
        b'<x:xmpmeta><rdf:Description GCamera:MicroVideoOffset="%d"/></x:xmpmeta>',
        b'<Container:Item Item:Mime="video/mp4" Item:Semantic="MotionPhoto" Item:Length="%d"/>',
        b'<rdf:Description GCamera:MicroVideoOffset="999999999"/>',
    ],
)
def test_motion_photo_is_a_picture_and_a_video(xmp: bytes, tmp_path: Path) -> None:
    clip = write_pan(tmp_path / "clip.mp4", seconds=2)
    data = clip.read_bytes()
    path = tmp_path / "a.jpg"
    path.write_bytes(motion_photo(data, xmp % len(data) if b"%d" in xmp else xmp))
    picture, video = hash_items(path)
    assert picture == hash_file(path)
    assert picture.media_type is MediaType.IMAGE
    assert video == hash_file(clip)


def test_photo_without_a_clip_has_none() -> None:
    data = motion_photo(b"")
    assert clip_start(data) is None
    assert clip_start(data + b"ftyp") is None
    assert clip_start(data + b"\x00\x00\x00\x18ftyp") is None  # cut off
    assert clip_start(b"\x89PNG" + data) is None


@pytest.mark.parametrize("exact_when_undecodable", [False, True])
def test_broken_clip_of_a_photo_is_left_out(exact_when_undecodable: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(motion_photo(b"\x00\x00\x00\x18ftypisom" + bytes(12)))
    options = FileOptions(exact_when_undecodable=exact_when_undecodable)
    assert [item.media_type for item in hash_items(path, options)] == [MediaType.IMAGE]


@pytest.mark.parametrize("kind", FORMATS)
def test_animation_of_huge_frames_is_a_picture_before_any_is_decoded(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(animated(kind))
    small = FileOptions(video_limits=VideoLimits(frame_pixels=160 * 120 - 1))
    assert hash_file(path).media_type is MediaType.VIDEO
    assert [item.media_type for item in hash_items(path, small)] == [MediaType.IMAGE]

    def decode(_picture: Image.Image, _frame: int) -> None:
        raise AssertionError("decoded")

    with Image.open(path) as opened:
        monkeypatch.setattr(type(opened), "seek", decode)
    assert not is_animation(BytesIO(path.read_bytes()), small.video_limits)


@pytest.mark.parametrize("most", [None, 1_000, 1 << 40])
def test_limit_of_the_application_neither_counts_nor_changes(
    most: int | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    moving = {tmp_path / kind: animated(kind, 2) for kind in FORMATS}
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    for path, data in moving.items():
        if path.name == "GIF" and most == 1_000:
            continue  # Pillow holds each frame that it draws over another to it
        path.write_bytes(data)
        assert hash_file(path).media_type is MediaType.VIDEO
    assert hash_file(PHOTOS[0]).media_type is MediaType.IMAGE
    assert most == Image.MAX_IMAGE_PIXELS
