"""Clips made of photographs at test time: pans and zooms, of any shape, rate and codec.

`python -m tests.client.clips FOLDER` writes those of tests/data/clips anew.
"""

import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Final

import av
import numpy as np
from PIL import Image, ImageDraw

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = tuple(sorted((ROOT / "data" / "photos").glob("*.jpg")))
Picture = Image.Image


def pan(
    photos: Sequence[Path], seconds: float, fps: float, size: tuple[int, int]
) -> Iterator[Picture]:
    """One photograph after another, each slowly zoomed into and moved over."""
    pictures = [Image.open(path).convert("RGB") for path in photos]
    count = round(seconds * fps)
    each = max(count // len(pictures), 1)
    for index in range(count):
        picture = pictures[min(index // each, len(pictures) - 1)]
        progress = index % each / each
        width, height = (side * (1 - 0.25 * progress) for side in picture.size)
        left, top = (picture.width - width) * progress, (picture.height - height) * (1 - progress)
        box = (left, top, left + width, top + height)
        yield picture.resize(size, Image.Resampling.BILINEAR, box=box)


def framed(pictures: Iterable[Picture], size: tuple[int, int], colour: str) -> Iterator[Picture]:
    """Each picture in the middle of a larger ground."""
    for picture in pictures:
        ground = Image.new("RGB", size, colour)
        place = ((size[0] - picture.width) // 2, (size[1] - picture.height) // 2)
        ground.paste(picture, place)
        yield ground


def captioned(pictures: Iterable[Picture]) -> Iterator[Picture]:
    """Each picture with the same words on a band across its foot."""
    for picture in pictures:
        drawn = picture.copy()
        pen = ImageDraw.Draw(drawn)
        width, height = drawn.size
        pen.rectangle((0, height * 0.86, width, height), fill="black")
        pen.text((width * 0.1, height * 0.88), "seen in the park today", fill="white")
        yield drawn


def as_frame(picture: Picture) -> av.VideoFrame:
    """A picture in RGB as a frame to encode."""
    return av.VideoFrame.from_ndarray(np.asarray(picture, np.uint8), format="rgb24")


def write_clip(
    path: Path, pictures: Iterable[Picture], fps: float, codec: str = "libx264", **options: str
) -> Path:
    """Encodes pictures of one size; returns the path."""
    # One thread: the bytes are then the same on every machine.
    chosen = {"threads": "1"} | ({"preset": "ultrafast", "crf": "24"} if codec == "libx264" else {})
    with av.open(str(path), "w") as container:
        rate = Fraction(fps).limit_denominator(1_001)
        stream = container.add_stream(codec, rate=rate, options=chosen | options)
        assert isinstance(stream, av.VideoStream)
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        first = True
        for picture in pictures:
            if first:
                stream.width, stream.height = picture.size
                first = False
            container.mux(stream.encode(as_frame(picture)))
        container.mux(stream.encode(None))
    return path


@dataclass(frozen=True, slots=True)
class MadeClip:
    """One of a long row of clips that differ in every way that a hash of a whole clip may see.

    They are without loss and of pictures that Pillow makes by integers, so that a file decodes to
    the same pixels wherever it is made.

    Attributes:
        number: of the clip; settles all else.
    """

    number: int

    @property
    def name(self) -> str:
        """Of its file."""
        return f"made-{self.number:02}.{('mp4', 'mkv')[self.number % 2]}"

    @property
    def seconds(self) -> float:
        """How long it is; a collage of videohash changes its shape at 1, 4, 9, ... pictures."""
        return (1, 2.3, 3.7, 5, 7.5, 9.9, 12, 16.4, 25, 33, 61)[self.number % 11]

    @property
    def fps(self) -> float:
        """Of its pictures, of which there are 160 at most."""
        rate = (5, 6, 8, 10, 12.5, 15, 24_000 / 1_001, 24, 25, 30, 50, 60)[self.number % 12]
        while rate * self.seconds > 160:
            rate /= 2
        return rate

    def write(self, folder: Path) -> Path:
        """Makes the file; returns its path."""
        size = ((160, 90), (90, 160), (160, 120), (200, 112), (96, 96))[self.number % 5]
        first = self.number * 3 % len(PHOTOS)
        photos = (PHOTOS + PHOTOS)[first : first + 1 + self.number % 4]
        pictures = pan(photos, self.seconds, self.fps, size)
        if self.number % 7 == 3:
            pictures = framed(pictures, (max(size),) * 2, "black")
        elif self.number % 7 == 5:
            pictures = framed(pictures, (size[0] + 32, size[1]), "white")
        # Lossless in H.264 at eight bits.
        return write_clip(folder / self.name, pictures, self.fps, crf="0")


MADE: Final = tuple(map(MadeClip, range(80)))


def write_pan(path: Path, seconds: float = 6, fps: float = 10, first: int = 0) -> Path:
    """A small clip of three photographs."""
    return write_clip(path, pan(PHOTOS[first : first + 3], seconds, fps, (320, 240)), fps)


def motion_photo(clip: bytes, xmp: bytes = b"") -> bytes:
    """A JPEG with a clip behind it, as Android phones take them."""
    with Image.open(PHOTOS[3]) as photo:
        stream = BytesIO()
        photo.save(stream, "JPEG", **({"xmp": xmp} if xmp else {}))
    return stream.getvalue() + clip


def turned(clip: bytes) -> bytes:
    """An MP4 that asks to be shown a quarter turn clockwise, as phones held upright write it."""
    # The matrix of the track's header (ISO/IEC 14496-12, 8.3.2), 40 bytes behind a version 0 box.
    place = clip.index(b"tkhd") + 4 + 40
    one = 1 << 16
    quarter = struct.pack(">9i", 0, one, 0, -one, 0, 0, 0, 0, 1 << 30)
    return clip[:place] + quarter + clip[place + 36 :]


def write_samples(folder: Path) -> None:
    """The clips of tests/data/clips, whose videohash is known."""
    write_clip(folder / "short.mp4", pan(PHOTOS[:2], 3, 10, (160, 90)), 10)
    write_clip(folder / "tall.mp4", pan(PHOTOS[2:5], 7.5, 8, (90, 160)), 8, crf="30")
    inside = pan(PHOTOS[5:9], 12, 6, (160, 90))
    write_clip(folder / "letterbox.mp4", framed(inside, (160, 160), "black"), 6, crf="30")
    write_clip(folder / "long.mp4", pan(PHOTOS[4:12], 66, 2, (128, 96)), 2, crf="30")
    write_clip(folder / "slow.mkv", pan(PHOTOS[12:16], 20, 1.5, (160, 120)), 1.5, "mpeg4")
    clip = write_clip(folder / "turned.mp4", pan(PHOTOS[9:12], 5, 8, (160, 90)), 8, crf="30")
    clip.write_bytes(turned(clip.read_bytes()))


if __name__ == "__main__":
    write_samples(Path(sys.argv[1]))
