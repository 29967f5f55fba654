"""Finds a picture before a blurred copy of itself, with which applications fill a screen.

Nothing marks such bars but their seams: two lines, as far from either end as from the other, at
which most of the line jumps, and beyond which nothing ever does.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from firstseen.hashing.luma import Box
from firstseen.hashing.tent import Levels

# Lines are taken as they are, some 512 of them, and looked at in some 128 points.
_LINES: Final = 512
_POINTS: Final = 128
_FEWEST_LINES: Final = 128  # of fewer, any line of a frame would do for a seam
# A line bends where its level differs from the mean of those this many lines off: slopes, as blur
# leaves them, do not bend. Twice the difference is compared.
_APART_LINES: Final = 2
_BENT_LEVELS: Final = 6
# Of the points at a seam. Chosen on 46 photographs: 88 to 96 % of five kinds of blurred bars are
# found, and of 81 others 86 to 99 %. One in 50 photographs without bars has such a line of its own.
_SEAM_SHARE: Final = 0.4
_UNEVEN_SHARE: Final = 0.01
_LEAST_SHARE: Final = 0.04  # of a bar; a thinner one moves a hash less than a crop that is listed
_PLAIN_LEVELS: Final = 2  # what JPEG leaves of a bar of one level
_KEPT_SHARE: Final = 0.2  # a wide picture on a tall screen is a quarter of it

_Pixels = npt.NDArray[np.uint8]


def picture_before_blur(pictures: Sequence[Levels | _Pixels]) -> Box | None:
    """The picture between blurred bars above and below it, or left and right; None without.

    Args:
        pictures: brightness, shape (height, width), all of one shape: one picture, or frames
            of one video.
    """
    height, width = pictures[0].shape
    bar = _bar(pictures)
    if bar is not None:
        return Box(0, bar, width, height - bar)
    bar = _bar([picture.T for picture in pictures])
    return None if bar is None else Box(bar, 0, width - bar, height)


def _bar(pictures: Sequence[Levels | _Pixels]) -> int | None:
    """How many lines at either end are blurred; None when they are not as many at both."""
    count, width = pictures[0].shape
    if count < _FEWEST_LINES:
        return None
    step, across = max(1, count // _LINES), max(1, width // _POINTS)
    samples = [picture[::step, ::across].astype(np.float32) for picture in pictures]
    is_seam = np.mean([_bent_shares(sample) for sample in samples], axis=0) >= _SEAM_SHARE
    if not is_seam.any():
        return None
    lines = len(samples[0])
    ends = (is_seam, is_seam[::-1])
    first, last = (int(np.argmax(end)) + 2 * _APART_LINES for end in ends)
    bar = max(first, last)
    if bar - min(first, last) > max(_APART_LINES, _UNEVEN_SHARE * lines):
        return None
    if not _LEAST_SHARE * lines <= bar <= (1 - _KEPT_SHARE) / 2 * lines:
        return None
    inner = max(1, min(first, last) - 2 * _APART_LINES)
    bars = (sample[place] for sample in samples for place in (slice(inner), slice(-inner, None)))
    return None if any(map(_is_plain, bars)) else int(bar * step)


def _is_plain(bar: Levels) -> bool:
    """Whether a bar is of one level, whatever is written on it: that is no blurred picture."""
    low, high = np.quantile(bar, (0.1, 0.9))
    return bool(high - low <= _PLAIN_LEVELS)


def _bent_shares(lines: Levels) -> npt.NDArray[np.float64]:
    """Which share of each line bends; shape (lines - 4,), none of fewer lines."""
    middle = lines[_APART_LINES:-_APART_LINES]
    bend = np.abs(lines[2 * _APART_LINES :] - 2 * middle + lines[: -2 * _APART_LINES])
    shares: npt.NDArray[np.float64] = np.mean(bend > _BENT_LEVELS, axis=1)
    return shares
