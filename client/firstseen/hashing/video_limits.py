"""What hashing one video may cost, and how its frames are chosen."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from firstseen.errors import MediaError

Progress = Callable[[int, int | None], None]
"""Told how far hashing is: milliseconds of the video done, and in all when that is known."""

MAX_OFFSET_MS: Final = 7 * 24 * 3600 * 1000  # the contract takes no frame after a week


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """Bounds on what one file may cost; what is over one is an error, never a short answer.

    Attributes:
        size_bytes: of the file; three hours at 10 Mbit/s are 13.5 GB.
        frame_pixels: of one frame; 8,192 x 4,320 is the largest that phones record.
        decoded_pixels: of all frames together; three hours of 1080p60 are 1.3e12, hostile
            files claim as much in a few kilobytes of black.
        frames: sampled; three hours are 10,800.
        duration_ms: of what is looked at; frames after it are left out.
        seconds: of wall time.
        threads: that decode.
    """

    size_bytes: int = 32 << 30
    frame_pixels: int = 8_192 * 4_352
    decoded_pixels: int = 2_000_000_000_000
    frames: int = 20_000
    duration_ms: int = 4 * 3600 * 1000
    seconds: float = 1_800.0
    threads: int = 2


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames are looked at.

    One frame a second is vPDQ's usage. Copies of short clips are the ones that a shift by
    half a second hurts: a cut of 0.5 s was found in 73 of 100 cases at one frame a second
    and 93 at two.

    Attributes:
        step_ms: between frames.
        dense_step_ms: between frames of a short clip.
        dense_below_ms: how long a short clip is at most.
        moving_below_ms: how long a video is at most of which a question also holds frames in
            between, where the picture moves; each costs as much as one by the clock.
        key_frames: look at key frames alone, from five times faster; of re-encoded copies 93
            in 100 are still found, of those that start elsewhere 73.
        key_frames_from_ms: how long a video is that is looked at by key frames in any case.
    """

    step_ms: int = 1_000
    dense_step_ms: int = 500
    dense_below_ms: int = 20_000
    moving_below_ms: int = 60_000
    key_frames: bool = False
    key_frames_from_ms: int = 4 * 3600 * 1000

    def step_at(self, offset_ms: int, duration_ms: int | None) -> int:
        """Milliseconds from a frame to the next.

        Args:
            offset_ms: of the frame.
            duration_ms: of the video; None when it does not say: then its beginning counts
                as a short clip.
        """
        length_ms = offset_ms if duration_ms is None else duration_ms
        return self.dense_step_ms if length_ms < self.dense_below_ms else self.step_ms

    def only_key_frames(self, duration_ms: int | None) -> bool:
        """Whether a video of a length is looked at by its key frames alone."""
        return self.key_frames or (duration_ms or 0) >= self.key_frames_from_ms


def check_frame(width: int, height: int, limits: VideoLimits) -> None:
    """Raises a MediaError when frames of this size are over the limit."""
    if width * height > limits.frame_pixels:
        raise MediaError(f"{width:,} x {height:,} pixels, at most {limits.frame_pixels:,}")


class Budget:
    """Counts what a file costs against its limits."""

    def __init__(self, limits: VideoLimits) -> None:
        """Starts the clock."""
        self._limits = limits
        self._end_s = time.monotonic() + limits.seconds
        self._pixels = 0

    def check_time(self) -> None:
        """Raises a MediaError when the time is over."""
        if time.monotonic() > self._end_s:
            raise MediaError(f"took over {self._limits.seconds:g} s")

    def spend(self, width: int, height: int) -> None:
        """Counts one decoded frame.

        Raises:
            MediaError: the frame, all frames together or the time are over their limit.
        """
        check_frame(width, height, self._limits)
        self._pixels += width * height
        if self._pixels > self._limits.decoded_pixels:
            raise MediaError(f"over {self._limits.decoded_pixels:,} pixels in all frames")
        self.check_time()
