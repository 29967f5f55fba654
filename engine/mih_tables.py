"""The tables of multi-index hashing: compiled loops that permute codes and sort their chunks.

A row in a bucket is a *posting*. The arrays, of n rows in c chunks:

    values      uint64 (n, words)   the listed values, as they came
    codes       uint64 (n, words)   the same with their bits permuted; only while building
    offsets     uint32 (o,)         for each chunk 2^width + 1 bounds of its buckets
    signatures  uint16 (c * n + l,) for each chunk the n rows, ordered by bucket: of their codes the
                                    next chunk, or what fits; then l = LANES zeros, since so many
                                    are read at a time
    rows        uint32 (c * n,)     which row each signature is of
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from engine.compiled import INT64, UINT8, UINT16, UINT32, UINT64, array, compiled, inlined, out
from engine.turns import in_turns

SIGNATURE_BITS: Final = 16
# Of each step, some tenths of a millisecond.
_PERMUTED_ROWS: Final = 1_024
_PLACED_ROWS: Final = 8_192
_SUMMED_BUCKETS: Final = 65_536
_TOUCHED: Final = 32_768


@inlined
def chunk_of(words: Any, low_bit: int, width: int) -> Any:
    """The bits `low_bit` to `low_bit + width` of a code, as a number."""
    word = low_bit >> 6
    shift = low_bit & 63
    bits = words[word] >> np.uint64(shift)
    if shift + width > 64:
        bits |= words[word + 1] << np.uint64(64 - shift)
    return np.int64(bits & np.uint64((1 << width) - 1))


@inlined
def permute_one(value: Any, source_bits: Any, code: Any) -> None:
    """Writes one code."""
    for word in range(code.shape[0]):
        bits = np.uint64(0)
        for place in range(64):
            source = np.int64(source_bits[word * 64 + place])
            bit = (value[source >> 6] >> np.uint64(source & 63)) & np.uint64(1)
            bits |= bit << np.uint64(place)
        code[word] = bits


@compiled(array(UINT64, 2), array(UINT8, 1), out(UINT64, 2))
def permute(values: Any, source_bits: Any, codes: Any) -> None:
    """Writes to `codes` each value with bit `source_bits[i]` at place i."""
    for row in range(values.shape[0]):
        permute_one(values[row], source_bits, codes[row])


@compiled(array(UINT64, 2), INT64, INT64, out(UINT32, 1))
def count(codes: Any, low_bit: int, width: int, offsets: Any) -> None:
    """Counts how many codes have each bucket b in their chunk, at `offsets[b + 1]`."""
    for row in range(codes.shape[0]):
        offsets[chunk_of(codes[row], low_bit, width) + 1] += np.uint32(1)


@compiled(out(UINT32, 1))
def accumulate(counts: Any) -> None:
    """Adds to each but the first the sum of those before it."""
    for at in range(1, counts.shape[0]):
        counts[at] += counts[at - 1]


@compiled(
    array(UINT64, 2),
    INT64,
    INT64,
    INT64,
    INT64,
    INT64,
    out(UINT32, 1),
    out(UINT16, 1),
    out(UINT32, 1),
)
def place(
    codes: Any,
    first_row: int,
    low_bit: int,
    width: int,
    next_low_bit: int,
    next_width: int,
    offsets: Any,
    signatures: Any,
    rows: Any,
) -> None:
    """Puts neighbouring rows, the first of which is `first_row`, in front of the ends of buckets.

    The ends are at `offsets[b + 1]`, and come down to the beginnings.
    """
    for at in range(codes.shape[0] - 1, -1, -1):
        bucket = chunk_of(codes[at], low_bit, width)
        offsets[bucket + 1] -= np.uint32(1)
        to = offsets[bucket + 1]
        signatures[to] = np.uint16(chunk_of(codes[at], next_low_bit, next_width))
        rows[to] = np.uint32(first_row + at)


def codes_of(
    values: npt.NDArray[np.uint64], source_bits: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint64]:
    """The values with bit `source_bits[i]` at place i, shape (n, words)."""
    codes = np.empty_like(values)
    for start in in_turns(range(0, len(values), _PERMUTED_ROWS)):
        some = slice(start, start + _PERMUTED_ROWS)
        permute(values[some], source_bits, codes[some])
    return codes


def fill_table(
    codes: npt.NDArray[np.uint64],
    chunk: tuple[int, int],
    following: tuple[int, int],
    offsets: npt.NDArray[np.uint32],
    signatures: npt.NDArray[np.uint16],
    rows: npt.NDArray[np.uint32],
) -> None:
    """Orders rows by one chunk of their codes: a counting sort.

    Args:
        codes: every code.
        chunk: where the chunk begins, and its bits.
        following: where the signature begins, and its bits.
        offsets: uint32 (2^width + 1,), zeros; written.
        signatures: uint16 (n,); written.
        rows: uint32 (n,); written.
    """
    _touch(signatures)
    _touch(rows)
    starts = range(0, len(codes), _PLACED_ROWS)
    for start in in_turns(starts):
        count(codes[start : start + _PLACED_ROWS], *chunk, offsets)
    for first in in_turns(range(0, len(offsets) - 1, _SUMMED_BUCKETS)):
        accumulate(offsets[first : first + _SUMMED_BUCKETS + 1])
    # From the back, so that the rows of a bucket stay in order.
    for start in in_turns(reversed(starts)):
        some = codes[start : start + _PLACED_ROWS]
        place(some, start, *chunk, *following, offsets, signatures, rows)
    offsets[:-1] = offsets[1:]
    offsets[-1] = len(codes)


def _touch(array: npt.NDArray[Any]) -> None:
    """Has the kernel give the memory page by page; `place` would ask for most of it at once."""
    for start in in_turns(range(0, len(array), _TOUCHED)):
        array[start : start + _TOUCHED] = 0
