"""A search bound to all it looks at: one call, from a question's bytes to distances.

Between two calls of a server nothing of ours is in the caches. Each array that is made or handed
to a compiled loop costs some two microseconds then, and each step in Python as much: together as
much as the search. So what does not change with the question is handed over once, as a block of
addresses. The arrays are kept beside it and live as long.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.compiled import ADDRESS, INT64, address, array_at, entry, inlined
from engine.mih_kernels import probe, scan
from engine.mih_plan import COLUMNS
from engine.tally import Distances, Rows, nearest

# With more hits than this, all hits are weighed; see `glance`.
MOST_HITS: Final = 512
_NO_ANSWER: Final = 0  # too many hits; what fails gives it too
_LOW_HALF: Final = 0xFFFF_FFFF

# The block: three numbers, then of each array its address and the length of its first axis. A scan
# needs no more than the values.
_RADIUS, _MAX_CANDIDATES, _WORDS = range(3)
_BANK_IDS, _MEDIA_TYPES, _ALIVE, _LIMITS, _KNOWN = range(3, 13, 2)
_VALUES, _OFFSETS, _SIGNATURES, _ROWS, _CHUNKS, _MASKS, _SOURCE_BITS = range(13, 27, 2)
_SCAN_BLOCK_SIZE = _VALUES + 2
_BLOCK_SIZE = 27
_DTYPES: Final = (
    *("uint16", "uint8", "bool", "int32", "bool"),
    *("uint64", "uint32", "uint16", "uint32", "int64", "int32", "uint8"),
)


@inlined
def _column(block: Any, place: int, dtype: Any) -> Any:
    """The array of one axis whose address and length stand at a place of the block."""
    return array_at(address(block[place]), (block[place + 1],), dtype)


@inlined
def _told(block: Any, hits: Any, found: int, passed_over: int) -> int:
    """The nearest of the hits, see `BoundSearch.nearest`; both and 1 in one number."""
    if found > MOST_HITS:
        return _NO_ANSWER
    of_known, of_cleared = nearest(
        hits[1, :found],
        hits[2, :found],
        _column(block, _BANK_IDS, np.uint16),
        _column(block, _MEDIA_TYPES, np.uint8),
        _column(block, _ALIVE, np.bool_),
        _column(block, _LIMITS, np.int32),
        _column(block, _KNOWN, np.bool_),
        passed_over,
    )
    told: int = ((of_cleared + 1) << 32) | (of_known + 1)
    return told


@entry(INT64, ADDRESS, ADDRESS, INT64, INT64)
def _nearest_probed(block_at: Any, queries_at: Any, query_count: int, passed_over: int) -> int:
    """By multi-index hashing; `_NO_ANSWER` or what `_told` says."""
    block = array_at(block_at, (_BLOCK_SIZE,), np.int64)
    words = block[_WORDS]
    hits = np.empty((3, MOST_HITS), np.int64)
    found = probe(
        array_at(address(block[_VALUES]), (block[_VALUES + 1], words), np.uint64),
        _column(block, _OFFSETS, np.uint32),
        _column(block, _SIGNATURES, np.uint16),
        _column(block, _ROWS, np.uint32),
        array_at(address(block[_CHUNKS]), (block[_CHUNKS + 1], COLUMNS), np.int64),
        _column(block, _MASKS, np.int32),
        _column(block, _SOURCE_BITS, np.uint8),
        np.uint64(block[_RADIUS]),
        block[_MAX_CANDIDATES],
        array_at(queries_at, (query_count, words), np.uint64),
        MOST_HITS,
        hits,
    )
    return _told(block, hits, found, passed_over)


@entry(INT64, ADDRESS, ADDRESS, INT64, INT64)
def _nearest_scanned(block_at: Any, queries_at: Any, query_count: int, passed_over: int) -> int:
    """By comparing every row; `_NO_ANSWER` or what `_told` says."""
    block = array_at(block_at, (_SCAN_BLOCK_SIZE,), np.int64)
    words = block[_WORDS]
    hits = np.empty((3, MOST_HITS), np.int64)
    found = scan(
        array_at(address(block[_VALUES]), (block[_VALUES + 1], words), np.uint64),
        np.uint64(block[_RADIUS]),
        array_at(queries_at, (query_count, words), np.uint64),
        MOST_HITS,
        hits,
    )
    return _told(block, hits, found, passed_over)


class BoundSearch:
    """A search of one list within one distance, and what its hits are told apart by."""

    def __init__(
        self, arrays: tuple[npt.NDArray[Any], ...], radius: int, max_candidates: int, rows: Rows
    ) -> None:
        """Takes what `probe` takes, but for the questions; or what `scan` does.

        Args:
            arrays: from the values on, in the order of `probe`; the values alone for a scan.
            radius: as there.
            max_candidates: as there.
            rows: of the same list.

        Raises:
            TypeError: an array is not as the loop would read it.
        """
        self._kept: tuple[npt.NDArray[Any], ...] = (*rows, *arrays)
        for array, name in zip(self._kept, _DTYPES, strict=len(arrays) > 1):
            if array.dtype != np.dtype(name) or not (
                array.flags.c_contiguous and array.flags.aligned
            ):
                raise TypeError(f"an array of {array.dtype}, want {name}, row by row")
        block = [number for array in self._kept for number in (array.ctypes.data, len(array))]
        words = arrays[0].shape[1]
        self._block = np.array([radius, max_candidates, words, *block], np.int64)
        self._block_at = self._block.ctypes.data
        self._query_bytes = words * 8
        self._find = _nearest_probed if len(arrays) > 1 else _nearest_scanned

    def nearest(self, passed_over: int, queries: bytes) -> Distances | None:
        """The nearest hits of one or more questions, or None when all are to be weighed.

        That is when there are too many, or no memory.

        Args:
            passed_over: as `tally.nearest`.
            queries: the values, one after the other.
        """
        count = len(queries) // self._query_bytes
        both = self._find(self._block_at, queries, count, passed_over)
        return None if both == _NO_ANSWER else ((both & _LOW_HALF) - 1, (both >> 32) - 1)
