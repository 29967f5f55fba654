"""The compiled loops of multi-index hashing.

What the arrays are and why they are so is told in `mih_index` and `mih_plan`. Every
loop releases the GIL, allocates nothing that outlives it and touches no Python object.

    values     uint64 (n, words)     the listed values, as they came
    codes      uint64 (n, words)     the same with their bits permuted; only while building
    offsets    uint32 (o,)           for each chunk 2^width + 1 bounds of its buckets
    postings   uint64 (c * n, 2)     for each chunk the n rows, ordered by bucket: 96 bits
                                     of the code and, in the low half of the second word, the row
"""

from typing import Any

import numpy as np

from engine.compiled import (
    INT64,
    UINT32,
    UINT64,
    array,
    compiled,
    inlined,
    leaf,
    out,
    popcount,
    prefetch,
)

_LOW_HALF = np.uint64(0xFFFF_FFFF)
_HIGH_HALF = np.uint64(0xFFFF_FFFF_0000_0000)
_LINE_WORDS = 8  # a cache line is 64 bytes
# How many buckets ahead to fetch. Measured at 1 M and 10 M: 8 to 24 are alike, 2 is
# 25 % slower, none is 60 % slower.
_PREFETCH_BUCKETS = 12
_SCAN_BLOCK = 64  # rows; seldom is one of so many near
# A near row is met once a chunk, and each time it costs some 150 ns to see that it was reported.
# From one hit in so many rows on, and at least so many, comparing every row costs less.
_CLUSTER_ROWS = 800
_CLUSTER_HITS = 64


@inlined
def _chunk(words: Any, low_bit: int, width: int) -> Any:
    """The bits `low_bit` to `low_bit + width` of a code, as a number."""
    word = low_bit >> 6
    shift = low_bit & 63
    bits = words[word] >> np.uint64(shift)
    if shift + width > 64:
        bits |= words[word + 1] << np.uint64(64 - shift)
    return np.int64(bits & np.uint64((1 << width) - 1))


@inlined
def _distance(a: Any, b: Any) -> np.uint64:
    distance = np.uint64(0)
    for word in range(a.shape[0]):
        distance += popcount(a[word] ^ b[word])
    return distance


@inlined
def _permute(value: Any, source_bits: Any, code: Any) -> None:
    for word in range(code.shape[0]):
        bits = np.uint64(0)
        for place in range(64):
            source = source_bits[word * 64 + place]
            bit = (value[source >> 6] >> np.uint64(source & 63)) & np.uint64(1)
            bits |= bit << np.uint64(place)
        code[word] = bits


@compiled(array(UINT64, 2), array(INT64, 1), out(UINT64, 2))
def permute(values: Any, source_bits: Any, codes: Any) -> None:
    """Writes to `codes` each value with bit `source_bits[i]` at place i."""
    for row in range(values.shape[0]):
        _permute(values[row], source_bits, codes[row])


@compiled(
    array(UINT64, 2),
    INT64,
    INT64,
    out(UINT32, 1),
    out(UINT64, 2),
)
def fill_table(
    codes: Any,
    low_bit: int,
    width: int,
    offsets: Any,
    postings: Any,
) -> None:
    """Orders rows by one chunk of their codes: a counting sort.

    Args:
        codes: every code.
        low_bit: where the chunk begins.
        width: its bits.
        offsets: uint32 (2^width + 1,), zeros; written.
        postings: uint64 (n, 2); written.
    """
    words = codes.shape[1]
    first = ((low_bit >> 6) + 2) % words
    second = ((low_bit >> 6) + 3) % words
    for row in range(codes.shape[0]):
        offsets[_chunk(codes[row], low_bit, width) + 1] += np.uint32(1)
    for bucket in range(1 << width):
        offsets[bucket + 1] += offsets[bucket]
    # From the back, so that `offsets[b + 1]`, the end of bucket b, becomes its beginning.
    for row in range(codes.shape[0] - 1, -1, -1):
        bucket = _chunk(codes[row], low_bit, width)
        offsets[bucket + 1] -= np.uint32(1)
        at = offsets[bucket + 1]
        postings[at, 0] = codes[row, first]
        postings[at, 1] = (codes[row, second] & _HIGH_HALF) | np.uint64(row)
    for bucket in range(1 << width):
        offsets[bucket] = offsets[bucket + 1]
    offsets[1 << width] = np.uint32(codes.shape[0])


@inlined
def _report(hits: Any, found: int, number: int, row: Any, distance: Any) -> int:
    """Writes a hit if there is room; returns how many there are now."""
    if found < hits.shape[1]:
        hits[0, found] = number
        hits[1, found] = row
        hits[2, found] = distance
    return found + 1


@inlined
def _compare(
    values: Any, row: Any, query: Any, number: int, radius: Any, hits: Any, found: int
) -> int:
    """Reports a row if it is near enough."""
    distance = _distance(values[row], query)
    return _report(hits, found, number, row, distance) if distance <= radius else found


@inlined
def _scan_one(
    values: Any, query: Any, number: int, radius: Any, most: int, hits: Any, found: int
) -> int:
    """Compares a query with each row, block by block, until there are over `most` hits."""
    for begin in range(0, values.shape[0], _SCAN_BLOCK):
        end = min(begin + _SCAN_BLOCK, values.shape[0])
        passed = np.uint64(0)
        for row in range(begin, end):  # without a branch, so that it becomes vectors
            passed += np.uint64(_distance(values[row], query) <= radius)
        if passed:
            for row in range(begin, end):
                found = _compare(values, row, query, number, radius, hits, found)
        if found > most:
            break
    return found


@compiled(array(UINT64, 2), UINT64, array(UINT64, 2), INT64, out(INT64, 2))
def scan(values: Any, radius: Any, queries: Any, max_hits: int, hits: Any) -> int:
    """Compares each query with each row; arguments and result as `probe` has them."""
    found = 0
    for number in range(queries.shape[0]):
        most = found + max_hits
        found = _scan_one(values, queries[number], number, radius, most, hits, found)
    return found


@inlined
def _look_up(
    query: Any,
    offsets: Any,
    chunks: Any,
    masks: Any,
    mask_bounds: Any,
    listed: int,
    begins: Any,
    ends: Any,
) -> Any:
    """Writes the bounds of every bucket of a query; returns how many postings they hold.

    All bounds before any posting: loads that do not wait for one another.
    """
    candidates: Any = 0
    for c in range(chunks.shape[0]):
        key = _chunk(query, chunks[c, 0], chunks[c, 1])
        for p in range(mask_bounds[c], mask_bounds[c + 1]):
            bucket = chunks[c, 3] + (key ^ masks[p])
            begin = np.int64(offsets[bucket])
            end = np.int64(offsets[bucket + 1])
            candidates += end - begin
            begins[p] = 2 * (c * listed + begin)
            ends[p] = 2 * (c * listed + end)
    return candidates


@inlined
def _fetch(flat: Any, begin: int, end: int) -> None:
    """Asks for the postings of a bucket."""
    for at in range(begin, end, _LINE_WORDS):
        prefetch(flat, at)
    if end > begin:
        prefetch(flat, end - 1)


@inlined
def _fetch_first(flat: Any, begins: Any, ends: Any) -> None:
    """Asks for the postings of the first buckets."""
    for p in range(min(_PREFETCH_BUCKETS, begins.shape[0])):
        _fetch(flat, begins[p], ends[p])


@inlined
def _fetch_next(flat: Any, begins: Any, ends: Any, p: int) -> None:
    """Asks for the postings of a bucket that comes up soon after bucket `p`."""
    if p + _PREFETCH_BUCKETS < begins.shape[0]:
        _fetch(flat, begins[p + _PREFETCH_BUCKETS], ends[p + _PREFETCH_BUCKETS])


@inlined
def _bits_apart(flat: Any, at: int, first: Any, second: Any, half: Any) -> Any:
    """What the 96 bits of a posting differ by: never more than the whole code does."""
    return popcount(flat[at] ^ first) + popcount((flat[at + 1] ^ second) & half)


@inlined
def _count_passing(
    flat: Any, begin: int, end: int, first: Any, second: Any, half: Any, radius: Any
) -> Any:
    """How many postings of a bucket may be near; without a branch, so that it becomes vectors."""
    passed = np.uint64(0)
    for at in range(begin, end, 2):
        passed += np.uint64(_bits_apart(flat, at, first, second, half) <= radius)
    return passed


@inlined
def _is_first(code: Any, query: Any, chunks: Any, c: int) -> bool:
    """Whether no chunk before this one has led to this code already."""
    for earlier in range(c):
        low_bit, width = chunks[earlier, 0], chunks[earlier, 1]
        flipped = _chunk(code, low_bit, width) ^ _chunk(query, low_bit, width)
        if np.int64(popcount(np.uint64(flipped))) <= chunks[earlier, 2]:
            return False
    return True


@inlined
def _look_into(
    values: Any,
    flat: Any,
    begins: Any,
    ends: Any,
    chunks: Any,
    mask_bounds: Any,
    source_bits: Any,
    query: Any,
    number: int,
    radius: Any,
    stop: int,
    code: Any,
    other: Any,
    hits: Any,
    found: int,
) -> int:
    """Reports what is near in the buckets of a query, until there are over `stop` hits.

    Args as `probe` has them; `begins` and `ends` are the buckets', `code` is the query's and
    `other` room for that of a row.
    """
    words = code.shape[0]
    half = _HIGH_HALF if words > 1 else np.uint64(0)  # a code of one word is whole in the first
    _fetch_first(flat, begins, ends)
    for c in range(chunks.shape[0]):
        word = chunks[c, 0] >> 6
        first, second = code[(word + 2) % words], code[(word + 3) % words]
        for p in range(mask_bounds[c], mask_bounds[c + 1]):
            _fetch_next(flat, begins, ends, p)
            passed = _count_passing(flat, begins[p], ends[p], first, second, half, radius)
            # Seldom does one pass.
            for at in range(begins[p], ends[p] if passed else begins[p], 2):
                if found > stop or _bits_apart(flat, at, first, second, half) > radius:
                    continue
                row = np.int64(flat[at + 1] & _LOW_HALF)
                if row >= values.shape[0]:  # of no index that we made
                    continue
                distance = _distance(values[row], query)
                if distance <= radius:
                    if c > 0:
                        _permute(values[row], source_bits, other)
                    if _is_first(other, code, chunks, c):
                        found = _report(hits, found, number, row, distance)
    return found


@leaf
def _probe(
    values: Any,
    offsets: Any,
    flat: Any,
    chunks: Any,
    masks: Any,
    mask_bounds: Any,
    source_bits: Any,
    radius: Any,
    max_candidates: int,
    queries: Any,
    max_hits: int,
    hits: Any,
    begins: Any,
    ends: Any,
    code: Any,
    other: Any,
) -> int:
    """See `probe`; the last four are room to work in."""
    listed = values.shape[0]
    found = 0
    for number in range(queries.shape[0]):
        query = queries[number]
        start, most = found, found + max_hits
        # From here on all rows are compared, unless there are hits enough to leave the query.
        turn = found + max(_CLUSTER_HITS, listed // _CLUSTER_ROWS)
        stop = min(turn, most)
        _permute(query, source_bits, code)
        candidates = _look_up(code, offsets, chunks, masks, mask_bounds, listed, begins, ends)
        if candidates <= max_candidates:
            found = _look_into(
                values, flat, begins, ends, chunks, mask_bounds, source_bits, query, number, radius,
                stop, code, other, hits, found,
            )  # fmt: skip
        if candidates > max_candidates or turn < found <= most:
            found = _scan_one(values, query, number, radius, most, hits, start)
    return found


@compiled(
    array(UINT64, 2),
    array(UINT32, 1),
    array(UINT64, 2),
    array(INT64, 2),
    array(INT64, 1),
    array(INT64, 1),
    array(INT64, 1),
    UINT64,
    INT64,
    array(UINT64, 2),
    INT64,
    out(INT64, 2),
    makes_arrays=True,
)
def probe(
    values: Any,
    offsets: Any,
    postings: Any,
    chunks: Any,
    masks: Any,
    mask_bounds: Any,
    source_bits: Any,
    radius: Any,
    max_candidates: int,
    queries: Any,
    max_hits: int,
    hits: Any,
) -> int:
    """Finds every row within the radius of each query.

    Args:
        values: see the head of this file, as those up to the postings.
        offsets: the buckets' bounds.
        postings: equally many for each chunk.
        chunks: see `mih_plan.Probes`, as the next two.
        masks: what to flip.
        mask_bounds: whose masks.
        source_bits: see `permute`.
        radius: inclusive.
        max_candidates: a query with more postings than this to look at compares all rows.
        queries: uint64 (q, words), as they came.
        max_hits: a query with more hits than this is left after one more, or a block of rows.
        hits: int64 (3, h): of each hit the query, the row, the distance; written.

    Returns:
        How many hits there are; of more than `h` only the first `h` were written.
    """
    words, buckets = values.shape[1], masks.shape[0]
    begins, ends = np.empty(buckets, np.int64), np.empty(buckets, np.int64)
    code, other = np.empty(words, np.uint64), np.empty(words, np.uint64)
    return _probe(
        values, offsets, postings.reshape(-1), chunks, masks, mask_bounds, source_bits, radius,
        max_candidates, queries, max_hits, hits, begins, ends, code, other,
    )  # fmt: skip
