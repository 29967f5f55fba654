"""The 64 bits of the `videohash` package, without the package: no shell, no temporary files.

The package has FFmpeg's command write one small JPEG a second, makes one picture of them all,
and takes its wavelet hash and its colours. The same steps are made here in memory, on frames
that are decoded once for this and for PDQ. The hash rests on the length of a clip as much as
on what it shows, so it supports a decision and never makes one.
"""

from fractions import Fraction
from io import BytesIO
from math import ceil, sqrt
from typing import BinaryIO, Final

import av
import av.container
import av.error
import av.filter
import av.video
import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image

from firstseen.hashing.black_bars import Crop, find_crop
from firstseen.hashing.frames import open_video, refusing_damage, video_stream
from firstseen.hashing.video_limits import MAX_OFFSET_MS, Budget, VideoLimits
from firstseen.items import Hash, HashType, HashValue

# All numbers below are those of videohash 3.0.1 and of what it calls.
_SIDE: Final = 144
_COLLAGE_WIDTH: Final = 1_024
_BIT_RATE: Final = 200_000  # what FFmpeg encodes with when it is told nothing
_COLOURS: Final = "r" * 16 + "g" * 16 + "b" * 16 + "l" * 16
_DOMINANT_SIDE: Final = 16
_DOMINANT_LEAD: Final = int(_DOMINANT_SIDE**2 * 0.1)
_TILES: Final = 8
_TICKS: Final = 1 << 16  # of a second

# The collage of a longer video would be hundreds of megabytes; a hash of the whole film has
# nothing to say of a clip of it.
MAX_FRAMES: Final = 3_600


def videohash(stream: BinaryIO, limits: VideoLimits) -> Hash | None:
    """The hash of a video alone; None when it is too long or FFmpeg's filters refuse it.

    Args:
        stream: the file, which can seek.
        limits: what it may cost.

    Raises:
        MediaError: it cannot be decoded, or is over a limit.
    """
    collage = Collage(find_crop(stream, limits))
    budget = Budget(limits)
    stream.seek(0)
    with refusing_damage(), open_video(stream, limits) as container:
        start_s = (container.start_time or 0) / av.time_base
        for frame in container.decode(video_stream(container, limits)):
            budget.spend(frame.width, frame.height)
            if frame.pts is not None:
                collage.see(frame, frame.time - start_s)
    return collage.hash()


class Collage:
    """Takes every frame of a video, keeps one a second, and hashes them as one picture."""

    def __init__(self, crop: Crop | None) -> None:
        """Takes what `find_crop` found."""
        self._crop = crop
        self._graph: av.filter.Graph | None = None
        self._shape: tuple[int, int, str, int] | None = None
        self._encoder: av.VideoCodecContext | None = None
        self._next_s = 0
        self._last: bytes | None = None
        self._last_frame: av.VideoFrame | None = None
        self._pictures: list[bytes] = []
        self._end_s = 0.0
        self._refused = False

    def see(self, frame: av.VideoFrame, time_s: float) -> None:
        """Takes the next frame.

        Args:
            frame: the frame.
            time_s: since the start of the file.
        """
        if self._refused:
            return
        earlier, now = self._copies(frame, time_s)
        if len(self._pictures) + earlier + now > MAX_FRAMES:
            self._refused = True
            return
        try:
            for _ in range(earlier):
                self._keep(self._last_frame or frame)
            for _ in range(now):
                self._keep(frame)
        except (av.error.FFmpegError, ValueError):  # odd sizes, or a crop of another size
            self._refused = True
        self._last_frame = frame
        self._end_s = max(self._end_s, time_s + _lasts_s(frame))

    def _copies(self, frame: av.VideoFrame, time_s: float) -> tuple[int, int]:
        """How often the frame before this and this frame are written, at one a second.

        FFmpeg's rule for a constant frame rate: a frame is written unless it ends more than
        1.1 s before the next one is due, and as often as seconds have passed.
        """
        duration_s = _lasts_s(frame)
        early_s = _ticked(time_s) - self._next_s
        late_s = early_s + duration_s
        if early_s < 0 < late_s:
            early_s = 0.0
        count, earlier = 1, 0
        if late_s < -1.1:
            count = 0
        elif late_s > 1.1:
            count = round(late_s)
            if early_s > 1.1:
                earlier = min(round(early_s - 0.6), count)
        self._next_s += count
        return earlier, count - earlier

    def _keep(self, frame: av.VideoFrame) -> None:
        """Encodes one picture as FFmpeg's command would, in one stream with those before."""
        shape = (frame.width, frame.height, frame.format.name, frame.rotation)
        if self._graph is None or shape != self._shape:
            crop = [("crop", ":".join(map(str, self._crop)))] if self._crop else []
            scale = ("scale", f"{_SIDE}:{_SIDE}:flags=bicubic")
            steps = [*_turns(frame), *crop, scale, ("format", "yuvj420p")]
            self._graph, self._shape = _graph(frame, steps), shape
        self._graph.push(frame)
        small = self._graph.vpull()
        if self._encoder is None:
            self._encoder = _encoder()
        small.pts = len(self._pictures)
        small.time_base = Fraction(1, 1)
        small.pict_type = 0
        self._pictures += [bytes(packet) for packet in self._encoder.encode(small)]

    def hash(self) -> Hash | None:
        """The hash, at the end of the clip as its position; None when there is none.

        Only clips of about the same length are alike in it, so whoever compares must know it.
        """
        if self._encoder is not None and not self._refused:
            self._pictures += [bytes(packet) for packet in self._encoder.encode(None)]
            self._encoder = None
        if self._refused or not self._pictures:
            return None
        pictures = [_decoded(picture) for picture in self._pictures]
        wavelet = imagehash.whash(_collage(pictures)).hash.reshape(-1)
        colours = np.array([a == b for a, b in zip(_dominant(pictures), _COLOURS, strict=True)])
        value = np.packbits(wavelet.astype(bool) ^ colours).tobytes()
        length_ms = min(max(round(self._end_s * 1000), 0), MAX_OFFSET_MS)
        return Hash(HashType.VIDEOHASH, HashValue(value), frame_offset_ms=length_ms)


def _lasts_s(frame: av.VideoFrame) -> float:
    return float(frame.duration * frame.time_base) if frame.time_base else 0.0


def _ticked(time_s: float) -> float:
    """A time as FFmpeg rounds it, a little past what is no whole second."""
    ticks = round(time_s * _TICKS) / _TICKS
    return ticks if ticks.is_integer() else ticks + 1 / (2 * _TICKS)


def _encoder() -> av.VideoCodecContext:
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width = encoder.height = _SIDE
    encoder.pix_fmt = "yuvj420p"
    encoder.bit_rate = _BIT_RATE
    encoder.time_base = Fraction(1, 1)
    encoder.framerate = Fraction(1, 1)
    encoder.thread_count = 1  # the rate control looks at the picture before
    return encoder


def _graph(frame: av.VideoFrame, steps: list[tuple[str, str]]) -> av.filter.Graph:
    graph = av.filter.Graph()
    nodes = [
        graph.add_buffer(
            width=frame.width,
            height=frame.height,
            format=frame.format,
            time_base=frame.time_base,
        )
    ]
    nodes += [graph.add(name, arguments) for name, arguments in steps]
    nodes.append(graph.add("buffersink"))
    graph.link_nodes(*nodes).configure()
    return graph


def _turns(frame: av.VideoFrame) -> list[tuple[str, str]]:
    """The filters that FFmpeg's command puts first for a video that lies on its side."""
    return {
        90: [("transpose", "cclock")],
        180: [("hflip", ""), ("vflip", "")],
        270: [("transpose", "clock")],
    }.get(frame.rotation % 360, [])


def _decoded(picture: bytes) -> Image.Image:
    return Image.open(BytesIO(picture), formats=("JPEG",)).convert("RGB")


def _collage(pictures: list[Image.Image]) -> Image.Image:
    """All pictures in rows, 1,024 pixels wide; small ones are not made larger, so gaps stay."""
    per_row = round(sqrt(len(pictures)))
    scale = _COLLAGE_WIDTH / (per_row * _SIDE)
    side = ceil(_SIDE * scale)
    height = ceil(scale * _SIDE * ceil(len(pictures) / per_row))
    collage = Image.new("RGB", (_COLLAGE_WIDTH, height))
    for index, picture in enumerate(pictures):
        small = picture.copy()
        small.thumbnail((side, side), Image.Resampling.LANCZOS)
        collage.paste(small, (index % per_row * side, index // per_row * side))
    written = BytesIO()
    collage.save(written, "JPEG")
    return Image.open(written, formats=("JPEG",))


def _dominant(pictures: list[Image.Image]) -> list[str]:
    """The leading colour of each of 8 x 8 tiles of all pictures side by side."""
    strip = np.concatenate([np.asarray(picture) for picture in pictures], axis=1)
    height, width = _SIDE // _TILES, strip.shape[1] // _TILES
    return [
        _leading(strip[row * height :, column * width :][:height, :width])
        for row in range(_TILES)
        for column in range(_TILES)
    ]


def _leading(tile: npt.NDArray[np.uint8]) -> str:
    size = (_DOMINANT_SIDE, _DOMINANT_SIDE)
    small = np.asarray(Image.fromarray(tile).resize(size, Image.Resampling.LANCZOS)).reshape(-1, 3)
    red, green, blue = (small[:, channel].astype(int) for channel in range(3))
    counts = {
        "r": int(((red > green) & (red > blue)).sum()),
        "g": int(((green > red) & (green > blue)).sum()),
        "b": int(((blue > red) & (blue > green)).sum()),
    }
    # The package breaks a tie with grey by the order of a set, which differs between runs.
    if len(small) - sum(counts.values()) > max(counts.values()):
        return "l"
    for colour, count in counts.items():
        others = [other for name, other in counts.items() if name != colour]
        if count - _DOMINANT_LEAD > max(others):
            return colour
    return "n"
