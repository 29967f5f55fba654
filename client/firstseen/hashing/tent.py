"""From luma of any size to PDQ's 64 × 64 cells, as one linear operator for each axis.

Meta's PDQ runs a box filter twice along each axis and then keeps every n-th value. Both are
linear, so together they are one matrix for each axis: cells = rows @ luma @ columns.T. A row
of such a matrix is a tent, the box filter over itself, and zero nearly everywhere; it is kept
as eight bands of eight rows, an eighth of the work and of the memory.

A picture that was made smaller is reduced as the whole one would be: a weight of a pixel that
stands for four is the sum of their four. Meta's windows are of whole pixels and lie beside their
centre, so that its PDQ of a quarter of a picture is 4.5 bits from that of the whole on average;
by such sums it is 0.4.

Nothing here knows of pictures or hashes.
"""

from functools import lru_cache
from typing import Final

import numpy as np
import numpy.typing as npt

CELLS: Final = 64  # a side; the buffer of Meta's reference implementation
_BANDS: Final = 8
# Operators of sizes in use, 32 bytes a pixel of side: 64 of the longest take 64 MiB.
_CACHED_OPERATORS: Final = 64
_CACHED_SIDE: Final = 1 << 15

Levels = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]
_Band = tuple[int, int, npt.NDArray[np.float32]]


def window_of(side: int) -> int:
    """The width of the box, by Meta's `computeJaroszFilterWindowSize`."""
    return (side + 2 * CELLS - 1) // (2 * CELLS)


def centres(side: int) -> Places:
    """The 64 pixels of an axis that are kept after the filter."""
    return ((np.arange(CELLS) + 0.5) * side / CELLS).astype(np.int64)


def reduce_rows(levels: Levels, side: int | None = None, *, flipped: bool = False) -> Levels:
    """Shape (height, width) to (64, width).

    Args:
        levels: of the picture, or of what it was made smaller to.
        side: the height of the picture itself, in pixels; that of `levels` when None.
        flipped: of the picture upside down.
    """
    cells = np.empty((CELLS, levels.shape[1]), np.float32)
    for place, (start, stop, weights) in _placed(levels.shape[0], side, flipped=flipped):
        np.matmul(weights, levels[start:stop], out=cells[place])
    return cells


def reduce_columns(levels: Levels, side: int | None = None, *, flipped: bool = False) -> Levels:
    """Shape (height, width) to (height, 64); as `reduce_rows`, along the other axis."""
    cells = np.empty((levels.shape[0], CELLS), np.float32)
    for place, (start, stop, weights) in _placed(levels.shape[1], side, flipped=flipped):
        cells[:, place] = levels[:, start:stop] @ weights.T
    return cells


def _placed(count: int, side: int | None, *, flipped: bool) -> list[tuple[slice, _Band]]:
    """The operator of an axis of `count` levels that stand for `side` pixels."""
    side = count if side is None else side
    step = -(-side // count)
    bands = (_cached_bands if side <= _CACHED_SIDE else _bands)(side, step)
    if flipped:
        bands = tuple(
            (count - stop, count - start, weights[:, ::-1]) for start, stop, weights in bands
        )
    rows = CELLS // _BANDS
    return [(slice(rows * i, rows * (i + 1)), band) for i, band in enumerate(bands)]


def _bands(side: int, step: int) -> tuple[_Band, ...]:
    """The operator of an axis of `side` pixels, of which each `step` are given as one level.

    Windows are those of Meta's `box1DFloat`: the output at i is the mean of
    [i - window + half, i + half), cut off at the ends.
    """
    window = window_of(side)
    half = (window + 2) // 2
    at = np.arange(side)
    first = np.maximum(at - (window - half), 0)
    stop = np.minimum(at + half, side)
    share = 1.0 / (stop - first)
    kept = centres(side)
    bands = (
        _band(kept[i : i + CELLS // _BANDS], first, stop, share)
        for i in range(0, CELLS, CELLS // _BANDS)
    )
    return tuple(_summed(band, step) for band in bands)


def _band(
    kept: Places,
    first: Places,
    stop: Places,
    share: npt.NDArray[np.float64],
) -> _Band:
    """The rows of some kept pixels, from the first pixel any of them sees to the last."""
    start = int(first[first[kept[0]]])
    end = int(stop[stop[kept[-1]] - 1])
    weights = np.zeros((len(kept), end - start + 1))
    for row, centre in enumerate(kept):
        inner = slice(int(first[centre]), int(stop[centre]))
        # Each inner box adds a constant over its own window: as steps up and down, summed up.
        step = share[inner] * share[centre]
        np.add.at(weights[row], first[inner] - start, step)
        np.subtract.at(weights[row], stop[inner] - start, step)
    return start, end, np.cumsum(weights, axis=1)[:, :-1].astype(np.float32)


def _summed(band: _Band, step: int) -> _Band:
    """A band for levels that stand for `step` pixels each."""
    if step == 1:
        return band
    start, end, weights = band
    first = start // step
    # Where each level begins, in the pixels of the band; the first may begin before it.
    begins = np.maximum(np.arange(first * step, end, step) - start, 0)
    return first, first + len(begins), np.add.reduceat(weights, begins, axis=1)


_cached_bands = lru_cache(_CACHED_OPERATORS)(_bands)
