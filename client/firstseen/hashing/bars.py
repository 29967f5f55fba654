"""Bars around a video: the same in every frame, whatever the picture inside does."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from firstseen.hashing.luma import Box
from firstseen.hashing.pdq import Pixels

# Levels of 255. Encoders move a flat bar by 2 or 3; its edges ring by more.
_SAME_LEVELS: Final = 14
# Of a row of a bar: nearly all of it has the bar's colour. With a caption in it, which stands
# still while the picture moves, a quarter is enough: large words fill a line.
_FLAT_SHARE: Final = 0.97
_CAPTION_SHARE: Final = 0.25
_STILL_SHARE: Final = 0.97
# The picture moves when this share of it does.
_MOVING_SHARE: Final = 0.25
# A thinner bar moves no hash; a larger one leaves too little of a picture to tell apart.
_MIN_BARS: Final = 0.02
_MIN_KEPT: Final = 0.25
_SAMPLED_LINES: Final = 96


def picture_inside(frames: Sequence[Pixels]) -> Box | None:
    """The picture between static bars; None when there are no bars.

    Args:
        frames: of one video, all of one shape.
    """
    height, width = frames[0].shape[:2]
    # Every row is looked at, at a few columns; then the other way round.
    columns = np.linspace(0, width - 1, min(width, _SAMPLED_LINES)).astype(int)
    top, bottom = _edges(np.stack([frame[:, columns] for frame in frames]))
    rows = np.linspace(top, bottom - 1, min(bottom - top, _SAMPLED_LINES)).astype(int)
    left, right = _edges(np.stack([frame[rows].swapaxes(0, 1) for frame in frames]))
    kept_height, kept_width = bottom - top, right - left
    if kept_height >= height * (1 - _MIN_BARS) and kept_width >= width * (1 - _MIN_BARS):
        return None
    if kept_height < height * _MIN_KEPT or kept_width < width * _MIN_KEPT:
        return None
    return Box(left, top, right, bottom)


def _edges(pixels: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """The first line that is no bar, and the first of the bar behind it.

    Args:
        pixels: shape (frames, lines, points of a line, 3).
    """
    # Colours first: numpy is slow along an axis of three.
    lines = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)).astype(np.int16)
    spread = (lines.max(1) - lines.min(1)).max(0)  # shape (lines, points)
    still = spread <= 2 * _SAME_LEVELS
    moves = len(pixels) > 1 and bool((~still).mean() >= _MOVING_SHARE)
    is_still = still.mean(-1) >= _STILL_SHARE
    first = _bar_length(lines, is_still, moves)
    last = _bar_length(lines[:, :, ::-1], is_still[::-1], moves)
    count = lines.shape[2]
    return (first, count - last) if first + last < count else (0, count)


def _bar_length(lines: npt.NDArray[np.int16], is_still: npt.NDArray[np.bool_], moves: bool) -> int:
    """How many lines from the first one are a bar; its colour is that of the first line."""
    colour = np.median(lines[:, :, 0].reshape(3, -1), axis=1).astype(np.int16)
    apart = np.abs(lines - colour[:, None, None, None]).max(0)
    near = (apart <= _SAME_LEVELS).mean((0, 2))  # share of each line
    is_bar = is_still & (near >= (_CAPTION_SHARE if moves else _FLAT_SHARE))
    if not is_bar[0] or near[0] < _FLAT_SHARE:
        return 0
    return int(np.argmin(is_bar)) if not is_bar.all() else len(is_bar)
