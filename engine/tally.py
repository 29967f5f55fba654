"""The nearest of many hits in a known and in a cleared bank: a compiled loop."""

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.compiled import BOOLEAN, INT32, INT64, UINT8, UINT16, array, compiled

# More than any distance: there is no hit.
NOTHING: Final = 1 << 30
NO_MEDIA: Final = -1

Distances = tuple[int, int]
"""The least distance in a known and in a cleared bank, `NOTHING` where there is none."""


class Rows(NamedTuple):
    """What hits are told apart by.

    Attributes:
        bank_ids: uint16, shape (n,): of each listed row.
        media_types: uint8, shape (n,): of each listed row.
        alive: bool, shape (n,): whether it is still listed.
        limits_bits: int32, shape (b,): how far counts, by bank.
        known: bool, shape (b,): whether a bank is a known one.
    """

    bank_ids: npt.NDArray[np.uint16]
    media_types: npt.NDArray[np.uint8]
    alive: npt.NDArray[np.bool_]
    limits_bits: npt.NDArray[np.int32]
    known: npt.NDArray[np.bool_]


@compiled(
    array(INT64, 1),
    array(INT64, 1),
    array(UINT16, 1),
    array(UINT8, 1),
    array(BOOLEAN, 1),
    array(INT32, 1),
    array(BOOLEAN, 1),
    INT64,
)
def nearest(
    rows: Any,
    distances_bits: Any,
    bank_ids: Any,
    media_types: Any,
    alive: Any,
    limits_bits: Any,
    known: Any,
    passed_over: int,
) -> Distances:
    """The nearest hits.

    Args:
        rows: int64 (k,): which row of the list each hit is.
        distances_bits: int64 (k,): how far it is.
        bank_ids: see `Rows`, as the next four.
        media_types: of each row.
        alive: of each row.
        limits_bits: by bank.
        known: by bank.
        passed_over: the media type whose rows count for nothing, or `NO_MEDIA`.
    """
    of_known, of_cleared = NOTHING, NOTHING
    for hit in range(rows.shape[0]):
        row, distance = rows[hit], distances_bits[hit]
        bank = bank_ids[row]
        if not alive[row] or distance > limits_bits[bank] or media_types[row] == passed_over:
            continue
        if known[bank]:
            of_known = min(of_known, distance)
        else:
            of_cleared = min(of_cleared, distance)
    return of_known, of_cleared
