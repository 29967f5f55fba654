"""The compiled loops of a search by multi-index hashing.

What the arrays are is told in `mih_tables`, where to look in `mih_plan`. Every loop releases
the GIL, allocates nothing that outlives it and touches no Python object.
"""

from typing import Any

import numpy as np

from engine.compiled import (
    INT32,
    INT64,
    LANES,
    UINT8,
    UINT16,
    UINT32,
    UINT64,
    array,
    compiled,
    inlined,
    lanes_within,
    leaf,
    out,
    popcount,
    prefetch,
    trailing_zeros,
)
from engine.mih_plan import FIRST_MASK, LAST_MASK, LOW_BIT, RADIUS, SLACK, START, WIDTH
from engine.mih_tables import SIGNATURE_BITS, chunk_of, permute_one

_LINE_SIGNATURES = 32  # a cache line is 64 bytes
_FETCHED = 256  # signatures of a bucket that are asked for; the processor goes on by itself
_SCAN_BLOCK = 64  # rows; seldom is one of so many near
# A near row is met once a chunk, and each time it costs some 150 ns to see that it was reported.
# From one hit in so many rows on, and at least so many, comparing every row costs less.
_CLUSTER_ROWS = 800
_CLUSTER_HITS = 64
# The same for rows that their signatures do not rule out, which may be far away.
_PASSED_ROWS = 32
_PASSED_LEAST = 1_024
_WAITING = 512  # of those are looked at together
_LEFT = -1  # a search that was given up


@inlined
def _distance(a: Any, b: Any) -> np.uint64:
    distance = np.uint64(0)
    for word in range(a.shape[0]):
        distance += popcount(a[word] ^ b[word])
    return distance


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
def _count_near(values: Any, query: Any, begin: int, end: int, radius: Any) -> Any:
    """How many rows are near; without a branch, and for 256 bits without a loop in the loop."""
    near = np.uint64(0)
    if values.shape[1] == 4:
        first, second, third, last = query[0], query[1], query[2], query[3]
        for row in range(begin, end):
            distance = popcount(values[row, 0] ^ first) + popcount(values[row, 1] ^ second)
            distance += popcount(values[row, 2] ^ third) + popcount(values[row, 3] ^ last)
            near += np.uint64(distance <= radius)
    else:
        for row in range(begin, end):
            near += np.uint64(_distance(values[row], query) <= radius)
    return near


@inlined
def _scan_one(
    values: Any, query: Any, number: int, radius: Any, most: int, hits: Any, found: int
) -> int:
    """Compares a query with each row, block by block, until there are over `most` hits."""
    for begin in range(0, values.shape[0], _SCAN_BLOCK):
        end = min(begin + _SCAN_BLOCK, values.shape[0])
        if _count_near(values, query, begin, end, radius):
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
    code: Any,
    offsets: Any,
    signatures: Any,
    chunks: Any,
    masks: Any,
    listed: int,
    begins: Any,
    ends: Any,
) -> Any:
    """Writes the bounds of every bucket of a query; returns how many postings they hold.

    First all bounds are asked for, then all signatures: as many loads at once as the processor
    can keep waiting, none behind another that does not need it.
    """
    for c in range(chunks.shape[0]):
        key = chunk_of(code, chunks[c, LOW_BIT], chunks[c, WIDTH])
        for m in range(chunks[c, FIRST_MASK], chunks[c, LAST_MASK]):
            prefetch(offsets, chunks[c, START] + (key ^ np.int64(masks[m])))
    candidates: Any = 0
    p = 0
    for c in range(chunks.shape[0]):
        key = chunk_of(code, chunks[c, LOW_BIT], chunks[c, WIDTH])
        for m in range(chunks[c, FIRST_MASK], chunks[c, LAST_MASK]):
            bucket = chunks[c, START] + (key ^ np.int64(masks[m]))
            begin = c * listed + np.int64(offsets[bucket])
            end = c * listed + np.int64(offsets[bucket + 1])
            candidates += end - begin
            begins[p] = begin
            ends[p] = end
            p += 1
            for at in range(begin, min(end, begin + _FETCHED), _LINE_SIGNATURES):
                prefetch(signatures, at)
            prefetch(signatures, end)
    return candidates


@inlined
def _signature(code: Any, chunks: Any, c: int) -> Any:
    """What the tables have of a code beside chunk `c`: the next one, or as much as fits."""
    following = (c + 1) % chunks.shape[0]
    width = min(chunks[following, WIDTH], SIGNATURE_BITS)
    return chunk_of(code, chunks[following, LOW_BIT], width)


@inlined
def _is_first(code: Any, query: Any, chunks: Any, c: int) -> bool:
    """Whether no chunk before this one has led to this code already."""
    for earlier in range(c):
        low_bit, width = chunks[earlier, LOW_BIT], chunks[earlier, WIDTH]
        flipped = chunk_of(code, low_bit, width) ^ chunk_of(query, low_bit, width)
        flips = np.int64(popcount(np.uint64(flipped)))
        if flips <= chunks[earlier, RADIUS]:
            apart = _signature(code, chunks, earlier) ^ _signature(query, chunks, earlier)
            if flips + np.int64(popcount(np.uint64(apart))) <= chunks[earlier, SLACK]:
                return False
    return True


@leaf
def _weigh(
    values: Any,
    rows: Any,
    chunks: Any,
    source_bits: Any,
    query: Any,
    number: int,
    radius: Any,
    stop: int,
    code: Any,
    other: Any,
    passed: Any,
    count: int,
    hits: Any,
    found: int,
) -> int:
    """Reports what is near of the postings that passed, until there are over `stop` hits."""
    words, listed = values.shape[1], values.shape[0]
    for i in range(count):  # no load waits for another
        prefetch(values, np.int64(rows[passed[i]]) * words)
    for i in range(count):
        at = passed[i]
        row = np.int64(rows[at])
        if found > stop or row >= listed:  # of no index that we made
            continue
        distance = _distance(values[row], query)
        if distance <= radius:
            c = at // listed
            if c > 0:
                permute_one(values[row], source_bits, other)
            if _is_first(other, code, chunks, c):
                found = _report(hits, found, number, row, distance)
    return found


@inlined
def _look_into(
    values: Any,
    signatures: Any,
    rows: Any,
    begins: Any,
    ends: Any,
    chunks: Any,
    masks: Any,
    source_bits: Any,
    query: Any,
    number: int,
    radius: Any,
    stop: int,
    code: Any,
    other: Any,
    passed: Any,
    hits: Any,
    found: int,
) -> int:
    """Reports what is near in the buckets of a query, until there are over `stop` hits.

    Args as `_probe` has them; `begins` and `ends` are the buckets', `code` is the query's.
    Returns `_LEFT` when so many have to be looked at that comparing all rows is faster.
    """
    spare = max(_PASSED_LEAST, values.shape[0] // _PASSED_ROWS)
    p = count = 0
    for c in range(chunks.shape[0]):
        wanted = np.uint16(_signature(code, chunks, c))
        for m in range(chunks[c, FIRST_MASK], chunks[c, LAST_MASK]):
            limit = np.uint64(chunks[c, SLACK]) - popcount(np.uint64(masks[m]))
            for at in range(begins[p], ends[p], LANES):
                lanes = lanes_within(signatures, at, wanted, limit)
                if at + LANES > ends[p]:
                    lanes &= (np.uint64(1) << np.uint64(ends[p] - at)) - np.uint64(1)
                while lanes:  # seldom
                    passed[count] = at + trailing_zeros(lanes)
                    prefetch(rows, passed[count])
                    count += 1
                    lanes &= lanes - np.uint64(1)
                if count > passed.shape[0] - LANES:
                    spare -= count
                    if spare < 0:
                        return _LEFT
                    found = _weigh(
                        values, rows, chunks, source_bits, query, number, radius, stop, code,
                        other, passed, count, hits, found,
                    )  # fmt: skip
                    count = 0
                    if found > stop:
                        return found
            p += 1
    return _weigh(
        values, rows, chunks, source_bits, query, number, radius, stop, code, other, passed, count,
        hits, found,
    )  # fmt: skip


@leaf
def _probe(
    values: Any,
    offsets: Any,
    signatures: Any,
    rows: Any,
    chunks: Any,
    masks: Any,
    source_bits: Any,
    radius: Any,
    max_candidates: int,
    queries: Any,
    max_hits: int,
    hits: Any,
    begins: Any,
    ends: Any,
    passed: Any,
    code: Any,
    other: Any,
) -> int:
    """See `probe`; the last five are room to work in."""
    listed = values.shape[0]
    found = 0
    for number in range(queries.shape[0]):
        query = queries[number]
        start, most = found, found + max_hits
        # From here on all rows are compared, unless there are hits enough to leave the query.
        turn = found + max(_CLUSTER_HITS, listed // _CLUSTER_ROWS)
        permute_one(query, source_bits, code)
        candidates = _look_up(code, offsets, signatures, chunks, masks, listed, begins, ends)
        found = _LEFT
        if candidates <= max_candidates:
            found = _look_into(
                values, signatures, rows, begins, ends, chunks, masks, source_bits, query, number,
                radius, min(turn, most), code, other, passed, hits, start,
            )  # fmt: skip
        if found == _LEFT or turn < found <= most:
            found = _scan_one(values, query, number, radius, most, hits, start)
    return found


@compiled(
    array(UINT64, 2),
    array(UINT32, 1),
    array(UINT16, 1),
    array(UINT32, 1),
    array(INT64, 2),
    array(INT32, 1),
    array(UINT8, 1),
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
    signatures: Any,
    rows: Any,
    chunks: Any,
    masks: Any,
    source_bits: Any,
    radius: Any,
    max_candidates: int,
    queries: Any,
    max_hits: int,
    hits: Any,
) -> int:
    """Finds every row within the radius of each query.

    Args:
        values: see `mih_tables`, as the next three.
        offsets: the buckets' bounds.
        signatures: what rules most rows out.
        rows: as many.
        chunks: see `mih_plan.Probes`, as the next.
        masks: what to flip.
        source_bits: see `mih_tables.permute`.
        radius: inclusive.
        max_candidates: a query with more postings than this to look at compares all rows.
        queries: uint64 (q, words), as they came.
        max_hits: a query with more hits than this is left after one more, or a block of rows.
        hits: int64 (3, h): of each hit the query, the row, the distance; written.

    Returns:
        How many hits there are; of more than `h` only the first `h` were written.
    """
    words, buckets = values.shape[1], 0
    for c in range(chunks.shape[0]):
        buckets += chunks[c, LAST_MASK] - chunks[c, FIRST_MASK]
    bounds, passed = np.empty((2, buckets), np.uint32), np.empty(_WAITING, np.int64)
    codes = np.empty((2, words), np.uint64)
    return _probe(
        values, offsets, signatures, rows, chunks, masks, source_bits, radius, max_candidates,
        queries, max_hits, hits, bounds[0], bounds[1], passed, codes[0], codes[1],
    )  # fmt: skip
