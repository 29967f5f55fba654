"""PDQ's 64 × 64 cells, rounded where Meta's loops round.

`firstseen.hashing.tent` gives the same cells but for the last bits of a float. Where two
coefficients are equal but for those, they decide about bits of the hash: in thin pictures and
plain ones, and now and then in a photograph. For these the loops are done as Meta's are:
running sums in float32, one addition after the other.
"""

from typing import Final

import numpy as np

from firstseen.hashing.tent import CELLS, Levels, Places, centres, window_of

_STRIP_VALUES: Final = 1 << 18  # at once; what a cache holds


def reduce_in_order(luma: Levels) -> Levels:
    """Shape (height, width) to (64, 64), by running sums.

    Takes some ten times as long as the matrix products, and twice the memory of `luma`.
    """
    if luma.shape == (CELLS, CELLS):  # Meta's takes it as it is, without a filter
        return luma
    rows, columns = (centres(side) for side in luma.shape)
    once = _box(_box(luma, None).T, None).T
    return _box(_box(once, columns).T, rows).T


def _box(levels: Levels, kept: Places | None) -> Levels:
    """The box filter along the second axis, at some places of it or at all."""
    height, width = levels.shape
    out = np.empty((height, width if kept is None else len(kept)), np.float32)
    step = max(1, _STRIP_VALUES // width)
    for top in range(0, height, step):
        out[top : top + step] = _running_mean(levels[top : top + step], kept)
    return out


def _running_mean(lines: Levels, kept: Places | None) -> Levels:
    """Meta's `box1DFloat` of every line: add what comes in, take off what goes out.

    The order is that of its four phases: additions alone until the window is full, then an
    addition and a subtraction in turn, then subtractions alone. As one sequence with signs,
    its running sum is numpy's, which adds one by one.
    """
    width = lines.shape[1]
    window = window_of(width)
    ahead = (window + 2) // 2 - 1  # how far the window reaches beyond the pixel it is for
    slides = width - window
    slid = window + 2 * slides
    sequence = np.empty((lines.shape[0], slid + ahead), np.float32)
    sequence[:, :window] = lines[:, :window]
    sequence[:, window:slid:2] = lines[:, window:]
    np.negative(lines[:, :slides], out=sequence[:, window + 1 : slid : 2])
    np.negative(lines[:, slides : slides + ahead], out=sequence[:, slid:])
    np.cumsum(sequence, axis=1, dtype=np.float32, out=sequence)
    at = np.arange(width) if kept is None else kept
    out_of_window = np.maximum(at - (window - ahead) + 1, 0)  # pixels the window has left behind
    into_window = np.minimum(at + ahead + 1, width)
    # A slide is two steps; what fills or empties the window alone is one.
    steps = into_window + np.minimum(out_of_window, slides) - 1
    steps += np.maximum(out_of_window - slides, 0)
    counts = (into_window - out_of_window).astype(np.float32)
    return np.divide(sequence[:, steps], counts, dtype=np.float32)
