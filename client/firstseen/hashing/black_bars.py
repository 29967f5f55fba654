"""What is inside black bars, by the rule of FFmpeg's `cropdetect`, for `videohash`.

The filter itself is not in PyAV's FFmpeg. Bars of other colours are `bars`' business.
"""

from collections.abc import Iterator
from math import ceil
from typing import BinaryIO, Final, NamedTuple

import av
import av.container
import av.error
import av.video
import numpy as np
import numpy.typing as npt

from firstseen.hashing.frames import open_video, refusing_damage, video_stream
from firstseen.hashing.video_limits import Budget, VideoLimits

# Where videohash looks (`FramesExtractor.detect_crop`), at the third frame of each place.
_TIMES_S: Final = (2, 5, 10, 20, 40, 100, 300, 600, 1_200, 2_400, 7_200, 14_400)
_JUDGED_FRAME: Final = 3
_MAX_SIDE: Final = 9_999  # its pattern reads four digits
# cropdetect's defaults: a line whose mean is over 24 of 255 is picture, sides are of 16 pixels.
_BLACK: Final = 24 / 255
_MULTIPLE: Final = 16
# From a key frame to the place that is judged; a video with none between costs no more.
_MAX_SEEK_FRAMES: Final = 600


class Crop(NamedTuple):
    """A part of a picture, in pixels."""

    width: int
    height: int
    left: int
    top: int


def find_crop(stream: BinaryIO, limits: VideoLimits) -> Crop | None:
    """What is inside black bars, as most of a few places in the video say.

    Args:
        stream: the file, which can seek.
        limits: what it may cost.

    Raises:
        MediaError: it cannot be decoded, or is over a limit.
    """
    stream.seek(0)
    budget = Budget(limits)
    found: list[Crop] = []
    with refusing_damage(), open_video(stream, limits) as container:
        shown = video_stream(container, limits)
        start_s = (container.start_time or 0) / av.time_base
        length_s = ceil((container.duration or 0) / av.time_base)
        for time_s in _TIMES_S:
            if time_s > length_s:
                break
            try:
                container.seek(round((start_s + time_s) * av.time_base))
                frames = _frames_from(container, shown, start_s + time_s, budget)
                judged = [frame for frame, _ in zip(frames, range(_JUDGED_FRAME), strict=False)]
            except av.error.FFmpegError:  # nothing to decode there
                continue
            crop = _inside(*_luma(judged[-1])) if len(judged) == _JUDGED_FRAME else None
            if crop is not None:
                found.append(crop)
    return max(found, key=found.count) if found else None


def _frames_from(
    container: av.container.InputContainer,
    stream: av.video.VideoStream,
    time_s: float,
    budget: Budget,
) -> Iterator[av.VideoFrame]:
    for index, frame in enumerate(container.decode(stream)):
        budget.spend(frame.width, frame.height)
        if index > _MAX_SEEK_FRAMES:
            return
        if frame.pts is not None and frame.time >= time_s - 1e-6:
            yield frame


def _luma(frame: av.VideoFrame) -> tuple[npt.NDArray[np.uint16], int]:
    """Brightness as stored and turned as it is shown, and the number of its bits."""
    if not frame.format.name.startswith(("yuv", "nv12")):
        frame = frame.reformat(format="yuv420p")
    bits = frame.format.components[0].bits
    plane = frame.planes[0]
    lines = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: frame.height]
    levels = (lines if bits <= 8 else lines.view("<u2"))[:, : frame.width].astype(np.uint16)
    return np.rot90(levels, frame.rotation // 90 % 4), bits


def _inside(luma: npt.NDArray[np.uint16], bits: int) -> Crop | None:
    """The picture inside black bars; None when it is all black."""
    # FFmpeg rounds a line's mean down before it compares.
    black = int(_BLACK * (2**bits - 1) + 1e-6)
    rows = np.flatnonzero(luma.sum(1) // luma.shape[1] > black)
    columns = np.flatnonzero(luma.sum(0) // luma.shape[0] > black)
    if not len(rows) or not len(columns):
        return None
    left, width = _rounded(int(columns[0]), int(columns[-1]))
    top, height = _rounded(int(rows[0]), int(rows[-1]))
    if not (0 < width <= _MAX_SIDE and 0 < height <= _MAX_SIDE):
        return None
    return Crop(width, height, left, top)


def _rounded(first: int, last: int) -> tuple[int, int]:
    """Start and length as cropdetect rounds them: an even start, a multiple of 16."""
    start = first + first % 2
    length = last - start + 1
    rest = length % _MULTIPLE
    return start + (rest // 2 + 1) // 2 * 2, length - rest
