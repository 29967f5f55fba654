"""Finds the picture inside a picture: without its borders, or inside a phone's screen.

Both look at some 512 lines each way of the brightness alone, taken as they are and not
averaged, so that the plain ground of a screen keeps its one level. A line taken at random is
within a five-hundredth of the true edge; PDQ forgives 1.5 %.
"""

from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from firstseen.hashing.blurred_pad import picture_before_blur
from firstseen.hashing.luma import Box, Luma
from firstseen.hashing.tent import Levels

_LINES: Final = 512
# JPEG leaves most of a bar within 3 levels, but for the block beside the picture; a line may also
# hold some specks. Of 46 photographs, 5 have dark or plain edges of their own that 6 levels
# took off with the bars.
_BAR_LEVELS: Final = 3
_BAR_SPECKS: Final = 0.02
# A bar keeps its level from line to line; the dark edge of a photograph drifts away.
_DRIFT_LEVELS: Final = 1
# What is left must be a picture: bars take at most four fifths of a side.
_LEAST_SHARE: Final = 0.2
_CHUNK_LINES: Final = 8
_ROUNDS: Final = 3  # bars inside bars: a black film in a white frame in a screenshot
# Cutting off less than this leaves a hash that matches anyway.
_WORTH_SHARE: Final = 0.01

# The ground of a screen or a caption: the level of its first or last line, and of a twenty-fifth of
# the picture at least. A level that a picture is full of elsewhere is its own.
_GROUND_SHARE: Final = 0.04
_GROUND_ENDS: Final = 0.9
_GROUND_LEVELS: Final = 4
_GROUND_LINE: Final = 0.5  # a line of text is ground for the most part
_GROUND_EDGE: Final = 0.85
_GAP_SHARE: Final = 0.02  # lines of ground inside a picture: a night sky, a white wall
_REGION_SHARE: Final = 0.12  # of a side, at least
_LEAST_PIXELS: Final = 32

_Mask = npt.NDArray[np.bool_]
_Span = tuple[int, int]


class _Ground(NamedTuple):
    """What a picture may lie on.

    Attributes:
        level: of most of a line at an end of the picture.
        unevenness: how far that line is from it on average; of a screen nearly 0.
        pixels: which are of that level.
    """

    level: float
    unevenness: float
    pixels: _Mask


def inner_pictures(luma: Luma) -> tuple[Box, ...]:
    """The pictures that this one may hold, at most two: each costs a question eight hashes.

    They are that of `border_trim`, that of `main_region` and that before a blurred copy of
    itself. Of three the first is left out: it is nearly always one of the others.
    """
    plain = [border_trim(luma), main_region(luma)]
    found = list(dict.fromkeys(box for box in plain if box is not None))
    sample = _Sample(luma)
    before = picture_before_blur([sample.levels])
    box = None if before is None else sample.worth(before)
    if box is not None:
        found = [*found[-1:], box]
    return tuple(found)


def border_trim(luma: Luma) -> Box | None:
    """The picture without bars of one level around it; None when it has none."""
    sample = _Sample(luma)
    return sample.worth(_without_bars(sample.levels, sample.whole))


def main_region(luma: Luma) -> Box | None:
    """The picture in a screenshot, a letterbox or a caption's frame; None when it is all.

    Looks for the ground of the first and the last line, the longest run of lines that are no
    ground for the most part, and within it the columns and lines that are none.
    """
    sample = _Sample(luma)
    ground = _ground(sample.levels)
    if ground is None:
        return None
    box = sample.whole
    for least, axis in ((_GROUND_LINE, 1), (_GROUND_EDGE, 0), (_GROUND_EDGE, 1)):
        part = ground[box.top : box.bottom, box.left : box.right]
        start, stop = _longest_run(_shares(part, axis) < least)
        if stop - start < _REGION_SHARE * ground.shape[1 - axis]:
            return None
        if axis == 1:
            box = box._replace(top=box.top + start, bottom=box.top + stop)
        else:
            box = box._replace(left=box.left + start, right=box.left + stop)
    return sample.worth(_without_bars(sample.levels, box))


class _Sample:
    """Some of a picture's lines and columns.

    Attributes:
        levels: float32, at most about 512 a side.
        whole: its box, in its own pixels.
    """

    def __init__(self, luma: Luma) -> None:
        self._luma = luma
        self._step_x = max(1, luma.whole.width // _LINES)
        self._step_y = max(1, luma.whole.height // _LINES)
        self.levels: Final = luma.levels[:: self._step_y, :: self._step_x]
        height, width = self.levels.shape
        self.whole: Final = Box(0, 0, width, height)

    def worth(self, box: Box) -> Box | None:
        """A box of the picture; None when it is too small, or as good as all of it."""
        whole = self._luma.whole
        found = Box(
            box.left * self._step_x,
            box.top * self._step_y,
            min(box.right * self._step_x, whole.right),
            min(box.bottom * self._step_y, whole.bottom),
        )
        if min(found.width, found.height) < _LEAST_PIXELS:
            return None
        lost = max(1 - found.width / whole.width, 1 - found.height / whole.height)
        return found if lost >= _WORTH_SHARE else None


def _without_bars(levels: Levels, box: Box) -> Box:
    """The box without bars at its four sides; bars may differ."""
    start = box
    for _ in range(_ROUNDS):
        before = box
        part = levels[box.top : box.bottom, box.left : box.right]
        top, bottom = _bar(part), _bar(part[::-1])
        if top + bottom > part.shape[0] * (1 - _LEAST_SHARE):
            return start
        part = part[top : part.shape[0] - bottom]
        left, right = _bar(part.T), _bar(part.T[::-1])
        if left + right > part.shape[1] * (1 - _LEAST_SHARE):
            return start
        box = Box(box.left + left, box.top + top, box.right - right, box.bottom - bottom)
        if box == before:
            break
    return box


def _bar(lines: Levels) -> int:
    """How many lines at the beginning are of one level, the same for all."""
    if lines.size == 0:
        return 0
    level = np.median(lines[0])
    for start in range(0, len(lines), _CHUNK_LINES):  # most pictures have no bar: stop early
        some = lines[start : start + _CHUNK_LINES]
        middles = np.median(some, axis=1)
        specks = np.mean(np.abs(some - middles[:, None]) > _BAR_LEVELS, axis=1)
        plain = (specks <= _BAR_SPECKS) & (np.abs(middles - level) <= _DRIFT_LEVELS)
        if not plain.all():
            return start + int(np.argmin(plain))
    return len(lines)


def _ground(levels: Levels) -> _Mask | None:
    """Which pixels are of the level of the first or of the last line; None when it is no ground.

    Where the two differ, it is that of the plainer line: below a white caption, a photograph
    may end in black of its own.
    """
    lines = (levels[0], levels[-1])
    grounds = [found for line in lines if (found := _ground_of(line, levels)) is not None]
    if not grounds:
        return None
    one, other = grounds[0], grounds[-1]
    if abs(one.level - other.level) <= _GROUND_LEVELS or one.unevenness == other.unevenness:
        return one.pixels | other.pixels
    return min(grounds, key=lambda ground: ground.unevenness).pixels


def _ground_of(line: Levels, levels: Levels) -> _Ground | None:
    """What is of the level of a line; None when that is of many, or rare in the picture."""
    level = float(np.median(line))
    apart = np.abs(line - level)
    if np.mean(apart <= _GROUND_LEVELS) < _GROUND_ENDS:
        return None
    same = (levels >= level - _GROUND_LEVELS) & (levels <= level + _GROUND_LEVELS)
    if np.count_nonzero(same) < _GROUND_SHARE * same.size:
        return None
    return _Ground(level, float(apart.mean()), same)


def _shares(mask: _Mask, axis: int) -> npt.NDArray[np.float64]:
    """Its mean along an axis, by a matrix product: numpy adds up booleans five times slower."""
    lines = mask if axis == 1 else mask.T
    count = lines.shape[1]
    sums: Levels = lines.astype(np.float32) @ np.ones(count, np.float32)
    return np.divide(sums, count, dtype=np.float64)


def _longest_run(kept: _Mask) -> _Span:
    """The longest run of kept lines, over gaps of a fiftieth of the side."""
    edges = np.flatnonzero(np.diff(kept.astype(np.int8), prepend=0, append=0))
    runs: list[_Span] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if runs and start - runs[-1][1] <= _GAP_SHARE * len(kept):
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return max(runs, key=lambda run: run[1] - run[0], default=(0, 0))
