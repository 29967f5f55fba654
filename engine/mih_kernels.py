"""The compiled loops of multi-index hashing; the only file that imports numba.

What the arrays are and why they are so is told in `mih_index` and `mih_plan`. Every
loop releases the GIL, allocates nothing that outlives it and touches no Python object. They
are compiled when this file is first imported and then kept in numba's cache, so that
no query waits for the compiler.

    codes      uint64 (n, words)     the listed values, bits permuted
    offsets    uint32 (o,)           for each chunk 2^width + 1 bounds of its buckets
    postings   uint64 (c * k, 2)     for each chunk its k rows, ordered by bucket: 96 bits
                                     of the code and, in the low half of the second word, the row
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _array(dtype: types.Type, dimensions: int) -> types.Array:
    """A C-contiguous array that is only read; memory-mapped ones are read-only."""
    return types.Array(dtype, dimensions, "C", readonly=True)


def _out(dtype: types.Type, dimensions: int) -> types.Array:
    return types.Array(dtype, dimensions, "C")


def _compiled(*signature: types.Type) -> Callable[[_Function], _Function]:
    """Compiles at import, or takes the machine code from the cache."""
    compiler: Callable[[_Function], _Function] = njit(
        [signature], nogil=True, cache=True, boundscheck=False
    )
    return compiler


def _inlined(function: _Function) -> _Function:
    inlined: _Function = njit(inline="always", cache=True)(function)
    return inlined


@intrinsic  # type: ignore[untyped-decorator]
def _popcount(_context: Any, _word: Any) -> Any:  # noqa: ANN401  numba's own objects
    """How many bits of a word are 1."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        word = ir.IntType(64)
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(word, [word]), "llvm.ctpop.i64"
        )
        return builder.call(function, arguments)

    return types.uint64(types.uint64), generate


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(_context: Any, array: Any, _index: Any) -> Any:  # noqa: ANN401  numba's own objects
    """Asks for the cache line of `array.flat[index]`; waits for nothing, cannot fault."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:  # noqa: ANN401
        number = ir.IntType(32)
        data = make_array(array)(context, builder, arguments[0]).data
        address = builder.gep(data, [arguments[1]])
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [address.type, number, number, number]),
            "llvm.prefetch.p0",
        )
        # To read, to be kept in all caches, data.
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


_LOW_HALF = np.uint64(0xFFFF_FFFF)
_HIGH_HALF = np.uint64(0xFFFF_FFFF_0000_0000)
_LINE_WORDS = 8  # a cache line is 64 bytes
# How many buckets ahead to fetch. Measured at 1 M and 10 M: 8 to 24 are alike, 2 is
# 25 % slower, none is 60 % slower.
_PREFETCH_BUCKETS = 12


@_inlined
def _chunk(words: Any, low_bit: int, width: int) -> int:  # noqa: ANN401
    """The bits `low_bit` to `low_bit + width` of a code, as a number."""
    word = low_bit >> 6
    shift = low_bit & 63
    bits = words[word] >> np.uint64(shift)
    if shift + width > 64:
        bits |= words[word + 1] << np.uint64(64 - shift)
    return np.int64(bits & np.uint64((1 << width) - 1))


@_inlined
def _distance(a: Any, b: Any) -> np.uint64:  # noqa: ANN401
    distance = np.uint64(0)
    for word in range(a.shape[0]):
        distance += _popcount(a[word] ^ b[word])
    return distance


@_compiled(_array(types.uint64, 2), _array(types.int64, 1), _out(types.uint64, 2))
def permute(values: Any, source_bits: Any, codes: Any) -> None:  # noqa: ANN401
    """Writes to `codes` each value with bit `source_bits[i]` at place i."""
    for row in range(values.shape[0]):
        for word in range(values.shape[1]):
            bits = np.uint64(0)
            for place in range(64):
                source = source_bits[word * 64 + place]
                bit = (values[row, source >> 6] >> np.uint64(source & 63)) & np.uint64(1)
                bits |= bit << np.uint64(place)
            codes[row, word] = bits


@_compiled(
    _array(types.uint64, 2),
    _array(types.uint32, 1),
    types.int64,
    types.int64,
    _out(types.uint32, 1),
    _out(types.uint64, 2),
)
def fill_table(
    codes: Any,  # noqa: ANN401
    rows: Any,  # noqa: ANN401
    low_bit: int,
    width: int,
    offsets: Any,  # noqa: ANN401
    postings: Any,  # noqa: ANN401
) -> None:
    """Orders rows by one chunk of their codes: a counting sort.

    Args:
        codes: every code.
        rows: uint32 (k,): which of them to list, ascending.
        low_bit: where the chunk begins.
        width: its bits.
        offsets: uint32 (2^width + 1,), zeros; written.
        postings: uint64 (k, 2); written.
    """
    words = codes.shape[1]
    first = ((low_bit >> 6) + 2) % words
    second = ((low_bit >> 6) + 3) % words
    for i in range(rows.shape[0]):
        offsets[_chunk(codes[rows[i]], low_bit, width) + 1] += np.uint32(1)
    for bucket in range(1 << width):
        offsets[bucket + 1] += offsets[bucket]
    # From the back, so that `offsets[b + 1]`, the end of bucket b, becomes its beginning.
    for i in range(rows.shape[0] - 1, -1, -1):
        row = rows[i]
        bucket = _chunk(codes[row], low_bit, width)
        offsets[bucket + 1] -= np.uint32(1)
        at = offsets[bucket + 1]
        postings[at, 0] = codes[row, first]
        postings[at, 1] = (codes[row, second] & _HIGH_HALF) | np.uint64(row)
    for bucket in range(1 << width):
        offsets[bucket] = offsets[bucket + 1]
    offsets[1 << width] = np.uint32(rows.shape[0])


@_inlined
def _fetch(flat: Any, begin: int, end: int) -> None:  # noqa: ANN401
    for at in range(begin, end, _LINE_WORDS):
        _prefetch(flat, at)
    if end > begin:
        _prefetch(flat, end - 1)


@_inlined
def _found_before(code: Any, query: Any, chunks: Any, c: int) -> bool:  # noqa: ANN401
    """Whether an earlier chunk has led to this row already."""
    for earlier in range(c):
        flipped = _chunk(code, chunks[earlier, 0], chunks[earlier, 1]) ^ _chunk(
            query, chunks[earlier, 0], chunks[earlier, 1]
        )
        if np.int64(_popcount(np.uint64(flipped))) <= chunks[earlier, 2]:
            return True
    return False


_HITS = (_out(types.uint32, 1), _out(types.uint32, 1), _out(types.uint16, 1))


@_compiled(
    _array(types.uint64, 2), _array(types.uint32, 1), _array(types.uint64, 2), types.uint64, *_HITS
)
def scan(
    codes: Any,  # noqa: ANN401
    rows: Any,  # noqa: ANN401
    queries: Any,  # noqa: ANN401
    radius: Any,  # noqa: ANN401
    hit_queries: Any,  # noqa: ANN401
    hit_rows: Any,  # noqa: ANN401
    hit_distances: Any,  # noqa: ANN401
) -> int:
    """Compares each query with each of `rows`; see `probe` for hits and result."""
    found = 0
    for number in range(queries.shape[0]):
        for i in range(rows.shape[0]):
            row = rows[i]
            distance = _distance(codes[row], queries[number])
            if distance <= radius:
                if found < hit_rows.shape[0]:
                    hit_queries[found] = number
                    hit_rows[found] = row
                    hit_distances[found] = distance
                found += 1
    return found


@_compiled(
    _array(types.uint64, 2),
    _array(types.uint32, 1),
    _array(types.uint64, 2),
    _array(types.int64, 2),
    _array(types.int64, 1),
    _array(types.int64, 1),
    _array(types.uint64, 2),
    types.uint64,
    types.int64,
    *_HITS,
)
def probe(
    codes: Any,  # noqa: ANN401
    offsets: Any,  # noqa: ANN401
    postings: Any,  # noqa: ANN401
    chunks: Any,  # noqa: ANN401
    masks: Any,  # noqa: ANN401
    mask_bounds: Any,  # noqa: ANN401
    queries: Any,  # noqa: ANN401
    radius: Any,  # noqa: ANN401
    max_candidates: int,
    hit_queries: Any,  # noqa: ANN401
    hit_rows: Any,  # noqa: ANN401
    hit_distances: Any,  # noqa: ANN401
) -> int:
    """Finds every listed row within the radius of each query.

    Args:
        codes: every code.
        offsets: the bounds of the buckets, chunk after chunk.
        postings: the rows by bucket, chunk after chunk, equally many for each.
        chunks: int64 (c, 4): low bit, width, radius, where its offsets begin.
        masks: int64 (p,): what to flip in a chunk of the query to come to a bucket.
        mask_bounds: int64 (c + 1,): which of the masks are whose.
        queries: uint64 (q, words), permuted.
        radius: inclusive.
        max_candidates: a query with more postings than this to look at compares all rows.
        hit_queries: uint32 (h,); written, as the next two.
        hit_rows: uint32 (h,).
        hit_distances: uint16 (h,).

    Returns:
        How many hits there are; when that is more than `h`, only the first `h` were written.
    """
    words = codes.shape[1]
    chunk_count = chunks.shape[0]
    probe_count = masks.shape[0]
    listed = postings.shape[0] // chunk_count
    flat = postings.reshape(-1)
    begins = np.empty(probe_count, np.int64)
    ends = np.empty(probe_count, np.int64)
    found = 0
    for number in range(queries.shape[0]):
        query = queries[number]
        # First the bounds of every bucket: loads that do not wait for one another.
        candidates = 0
        for c in range(chunk_count):
            key = _chunk(query, chunks[c, 0], chunks[c, 1])
            table = chunks[c, 3]
            base = c * listed
            for p in range(mask_bounds[c], mask_bounds[c + 1]):
                bucket = table + (key ^ masks[p])
                begin = np.int64(offsets[bucket])
                end = np.int64(offsets[bucket + 1])
                candidates += end - begin
                begins[p] = 2 * (base + begin)
                ends[p] = 2 * (base + end)
        if candidates > max_candidates:
            # The rows of the first chunk's postings are all that are listed here.
            for i in range(listed):
                row = np.int64(flat[2 * i + 1] & _LOW_HALF)
                distance = _distance(codes[row], query)
                if distance <= radius:
                    if found < hit_rows.shape[0]:
                        hit_queries[found] = number
                        hit_rows[found] = row
                        hit_distances[found] = distance
                    found += 1
            continue
        for p in range(min(_PREFETCH_BUCKETS, probe_count)):
            _fetch(flat, begins[p], ends[p])
        for c in range(chunk_count):
            word = chunks[c, 0] >> 6
            first = query[(word + 2) % words]
            second = query[(word + 3) % words]
            # A code of one word is whole in the first.
            half = _HIGH_HALF if words > 1 else np.uint64(0)
            for p in range(mask_bounds[c], mask_bounds[c + 1]):
                if p + _PREFETCH_BUCKETS < probe_count:
                    ahead = p + _PREFETCH_BUCKETS
                    _fetch(flat, begins[ahead], ends[ahead])
                # Without a branch, so that the compiler makes vectors of it: seldom does one pass.
                passed = np.uint64(0)
                for at in range(begins[p], ends[p], 2):
                    apart = _popcount(flat[at] ^ first) + _popcount((flat[at + 1] ^ second) & half)
                    passed += np.uint64(apart <= radius)
                if passed == 0:
                    continue
                for at in range(begins[p], ends[p], 2):
                    apart = _popcount(flat[at] ^ first) + _popcount((flat[at + 1] ^ second) & half)
                    if apart > radius:
                        continue
                    row = np.int64(flat[at + 1] & _LOW_HALF)
                    distance = _distance(codes[row], query)
                    if distance > radius or _found_before(codes[row], query, chunks, c):
                        continue
                    if found < hit_rows.shape[0]:
                        hit_queries[found] = number
                        hit_rows[found] = row
                        hit_distances[found] = distance
                    found += 1
    return found
