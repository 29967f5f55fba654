"""The edits by which videos that were removed come back, and clips to try them on.

A clip is its pictures and how many are shown a second; sound is left out, as nothing here
listens to it. What finds the edited clips again is measured in `bench/quality_bench.py`.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from bench import image_drawing as drawn
from bench.image_drawing import Picture, Random

# Edits hold the whole clip: 30 s at 25 pictures a second, 480 pixels wide, take 290 MB.
MAX_PICTURES: Final = 750
MAX_SIDE: Final = 480
_SLIDE_FPS: Final = 15
_SLIDE_SIZE: Final = (480, 320)
_INTRO_S: Final = 4


@dataclass(frozen=True, slots=True)
class Clip:
    """A video in memory.

    Attributes:
        pictures: RGB, all of one size.
        fps: how many are shown a second.
        codec: what `write` encodes it by.
        crf: constant rate factor of that codec; more is smaller and worse.
    """

    pictures: tuple[Picture, ...]
    fps: float
    codec: str = "libx264"
    crf: int = 23

    def each(self, change: Callable[[Picture], Picture]) -> "Clip":
        """The clip with every picture changed."""
        return replace(self, pictures=tuple(map(change, self.pictures)))

    def part(self, start: float, end: float) -> "Clip":
        """What it shows between two moments, as shares of its length."""
        count = len(self.pictures)
        first = min(round(count * start), count - 1)
        return replace(self, pictures=self.pictures[first : max(round(count * end), first + 1)])

    def write(self, path: Path) -> None:
        """Encodes it into a file, MP4.

        Raises:
            OSError: it cannot be written.
        """
        width, height = self.pictures[0].size
        with av.open(str(path), "w", format="mp4") as container:
            stream = container.add_stream(self.codec, rate=Fraction(self.fps).limit_denominator(99))
            if not isinstance(stream, av.VideoStream):
                raise ValueError(f"{self.codec} encodes no video")  # noqa: TRY004  a wrong name
            stream.width, stream.height = width - width % 2, height - height % 2
            stream.pix_fmt = "yuv420p"
            stream.options = {"crf": str(self.crf), "preset": "veryfast"}
            if self.codec == "libx265":
                stream.options["x265-params"] = "log-level=none"
            stream.codec_context.thread_count = 1  # the same file on every machine
            even = (0, 0, stream.width, stream.height)
            for picture in self.pictures:
                pixels = np.asarray(picture.crop(even), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode(None))


def read_clip(path: Path) -> Clip:
    """The first pictures of a file as it is shown, no side over `MAX_SIDE`, at most `MAX_PICTURES`.

    Raises:
        OSError: it cannot be read as a video.
    """
    pictures = []
    with av.open(str(path), options={"protocol_whitelist": "file"}) as container:
        stream = container.streams.video[0]
        fps = float(stream.average_rate or 25)
        for frame in container.decode(stream):
            pixels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90) % 4)
            picture = Image.fromarray(np.ascontiguousarray(pixels))
            picture.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.BICUBIC)
            pictures.append(picture)
            if len(pictures) == MAX_PICTURES:
                break
    return Clip(tuple(pictures), fps)


def slideshow(photos: Sequence[Picture], seed: int, slide_s: int = 4) -> Clip:
    """A clip of photographs: the camera wanders over each for some seconds, then cuts.

    Args:
        photos: RGB, at least one.
        seed: of where the camera goes.
        slide_s: how long each is shown.
    """
    random = np.random.default_rng(seed)
    pictures = []
    for photo in photos:
        room = np.array(photo.size)
        # From one frame to another, each with 65 to 95 % of the photograph's width and height.
        shares = random.uniform(0.65, 0.95, 2)
        starts = random.uniform(0, 1, (2, 2)) * (1 - shares[:, None]) * room
        for moment in np.linspace(0, 1, slide_s * _SLIDE_FPS):
            share = shares[0] + (shares[1] - shares[0]) * moment
            left, top = starts[0] + (starts[1] - starts[0]) * moment
            box = (left, top, left + room[0] * share, top + room[1] * share)
            pictures.append(photo.resize(_SLIDE_SIZE, Image.Resampling.BILINEAR, box))
    return Clip(tuple(pictures), _SLIDE_FPS)


Apply = Callable[[Clip, Random], Clip]


@dataclass(frozen=True, slots=True)
class VideoEdit:
    """One way to change a clip.

    Attributes:
        name: what it does, unique.
        group: the kind of edit, for tables.
        apply: takes a clip and a source of chance; gives the changed clip.
    """

    name: str
    group: str
    apply: Apply

    def made(self, clip: Clip, seed: int) -> Clip:
        """The changed clip; the same seed gives the same."""
        return self.apply(clip, np.random.default_rng((seed, zlib.crc32(self.name.encode()))))


def _encoded(codec: str, crf: int) -> Apply:
    return lambda clip, _: replace(clip, codec=codec, crf=crf)


def _narrowed(width: int) -> Apply:
    """As messengers send it: no wider than this, and encoded harder."""

    def apply(clip: Clip, _: Random) -> Clip:
        def change(picture: Picture) -> Picture:
            height = max(2, round(picture.height * width / picture.width))
            return picture.resize((width, height), Image.Resampling.BICUBIC)

        return replace(clip.each(change), crf=30)

    return apply


def _resampled(fps: float) -> Apply:
    """Shown at another rate, by the nearest earlier picture."""

    def apply(clip: Clip, _: Random) -> Clip:
        count = max(1, round(len(clip.pictures) * fps / clip.fps))
        chosen = [min(int(n * clip.fps / fps), len(clip.pictures) - 1) for n in range(count)]
        return replace(clip, pictures=tuple(clip.pictures[n] for n in chosen), fps=fps)

    return apply


def _without_first(seconds: float) -> Apply:
    def apply(clip: Clip, _: Random) -> Clip:
        return clip.part(seconds * clip.fps / len(clip.pictures), 1)

    return apply


def _part(start: float, end: float) -> Apply:
    return lambda clip, _: clip.part(start, end)


def _introduced(clip: Clip, random: Random) -> Clip:
    """Four seconds of a channel's title, which grows, before it."""
    size = clip.pictures[0].size
    ground = random.integers(0, 255, (6, 8, 3)).astype(np.uint8)
    back = Image.fromarray(ground).resize(size, Image.Resampling.BICUBIC)
    title = drawn.sentence(random, 3)
    pictures = []
    for moment in np.linspace(0.3, 1.0, round(_INTRO_S * clip.fps)):
        picture = back.copy()
        middle = (size[0] / 2, size[1] / 2)
        drawn.text(picture, middle, title, size[1] * 0.16 * moment, (255, 255, 255), outline=2)
        pictures.append(picture)
    return replace(clip, pictures=(*pictures, *clip.pictures))


def _faster(factor: float) -> Apply:
    """The same pictures in less time, at the same rate."""

    def apply(clip: Clip, random: Random) -> Clip:
        quick = replace(clip, fps=clip.fps * factor)
        return _resampled(clip.fps)(quick, random)

    return apply


def _cropped(share: float) -> Apply:
    """Without this share of the width and of the height, half of it on each side."""

    def apply(clip: Clip, _: Random) -> Clip:
        width, height = clip.pictures[0].size
        across, down = round(width * share / 2), round(height * share / 2)
        box = (across, down, width - across, height - down)
        return clip.each(lambda picture: picture.crop(box))

    return apply


def _squared(clip: Clip, _: Random) -> Clip:
    side = max(clip.pictures[0].size)
    return clip.each(lambda picture: ImageOps.pad(picture, (side, side)))


def _with_logo(clip: Clip, random: Random) -> Clip:
    """A channel's mark in the upper right corner, an eighth of the width."""
    width = clip.pictures[0].width
    side = round(width / 8)
    logo = Image.new("RGB", (side, side), tuple(random.integers(0, 255, 3).tolist()))
    drawn.text(logo, (side / 2, side / 2), drawn.sentence(random, 1), side / 3, (255, 255, 255))

    def change(picture: Picture) -> Picture:
        made = picture.copy()
        made.paste(logo, (width - side - side // 3, side // 3))
        return made

    return clip.each(change)


def _captioned(clip: Clip, random: Random) -> Clip:
    """A bar of text over the lower tenth, the same throughout."""
    first = drawn.caption_over(clip.pictures[0], random, 0.1)
    top = round(first.height * 0.9)
    bar = first.crop((0, top, *first.size))

    def change(picture: Picture) -> Picture:
        made = picture.copy()
        made.paste(bar, (0, top))
        return made

    return clip.each(change)


def _grey(picture: Picture) -> Picture:
    return picture.convert("L").convert("RGB")


def _glaring(picture: Picture) -> Picture:
    return ImageEnhance.Contrast(ImageEnhance.Brightness(picture).enhance(1.25)).enhance(1.25)


def _tilted(picture: Picture) -> Picture:
    return picture.rotate(3, Image.Resampling.BILINEAR)


def _each(change: Callable[[Picture], Picture]) -> Apply:
    return lambda clip, _: clip.each(change)


def _group(name: str, *edits: tuple[str, Apply]) -> tuple[VideoEdit, ...]:
    return tuple(VideoEdit(edit, name, apply) for edit, apply in edits)


VIDEO_EDITS: Final[tuple[VideoEdit, ...]] = (
    *_group(
        "re-encode, filter",
        ("reenc crf38", _encoded("libx264", 38)),
        ("whatsapp 480w", _narrowed(480)),
        ("hevc crf32", _encoded("libx265", 32)),
        ("fps 12", _resampled(12)),
        ("grayscale", _each(_grey)),
        ("bright+contrast", _each(_glaring)),
    ),
    *_group(
        "time",
        ("trim first 1 s", _without_first(1.0)),
        ("trim first 0.5 s", _without_first(0.5)),
        ("cut last 30%", _part(0, 0.7)),
        ("middle 40% only", _part(0.3, 0.7)),
        ("intro of 4 s", _introduced),
        ("speed 1.25x", _faster(1.25)),
    ),
    *_group(
        "crop, border",
        ("crop 5%", _cropped(0.05)),
        ("crop 10%", _cropped(0.1)),
        ("crop 20%", _cropped(0.2)),
        ("letterbox to square", _squared),
        ("blurred 9:16 pad", _each(drawn.on_itself)),
    ),
    *_group("overlay", ("logo", _with_logo), ("caption bar", _captioned)),
    *_group(
        "mirror, turn",
        ("mirror", _each(partial(Image.Image.transpose, method=Image.Transpose.FLIP_LEFT_RIGHT))),
        ("rotate 3 deg", _each(_tilted)),
    ),
)
