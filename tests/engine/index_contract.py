"""What every index has to hold to; each index has a test class that derives from this one.

What only one index promises is tested beside that index.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any, ClassVar, Final

import numpy as np
import numpy.typing as npt
import pytest

from engine.errors import CorruptError, InvalidInputError
from engine.exact_index import ExactIndex
from engine.index import Hits, Index
from tests.engine.naive import distance_bits
from tests.engine.values import SEED, flipped, rows, value

Pairs = list[tuple[int, int, int]]

MANY_ROWS: Final = 140_000  # more than `ExactIndex` compares at a time
THREADS: Final = 4

# Pairs of a needle and a line of the haystack, counted by Meta's own reference tool.
PAIRS_WITHIN_BITS: Final = {0: 50, 15: 151, 31: 250, 47: 287}


def naive_pairs(
    values: npt.NDArray[np.uint8], queries: npt.NDArray[np.uint8], max_distance_bits: int
) -> Pairs:
    """Query, row and distance of every pair within the distance, in pure Python."""
    return [
        (query, row, distance)
        for query, wanted in enumerate(queries)
        for row, listed in enumerate(values)
        if (distance := distance_bits(listed.tobytes(), wanted.tobytes())) <= max_distance_bits
    ]


def pairs(hits: Hits) -> Pairs:
    """Hits in the order of the oracle; a pair reported twice stays twice."""
    return sorted(
        zip(hits.queries.tolist(), hits.rows.tolist(), hits.distances_bits.tolist(), strict=True)
    )


class IndexContract:
    """Tests of `engine.index.Index`.

    Attributes:
        index_type: the index under test.
        size_bytes: of a value.
        distances: the distances that it takes.
    """

    index_type: ClassVar[type[Index]]
    size_bytes: ClassVar[int] = 32
    distances: ClassVar[tuple[int, ...]] = (0, 1, 30, 31, 32, 64, 256)

    def oracle(
        self,
        values: npt.NDArray[np.uint8],
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
    ) -> Pairs:
        """What has to be found."""
        return naive_pairs(values, queries, max_distance_bits)

    def value(self, number: int) -> bytes:
        return value(number, self.size_bytes)

    def rows(self, values: Iterable[bytes]) -> npt.NDArray[np.uint8]:
        return rows(values, self.size_bytes)

    def check(
        self,
        values: npt.NDArray[np.uint8],
        queries: npt.NDArray[np.uint8],
        distances: Iterable[int] | None = None,
    ) -> None:
        """Compares the index with the oracle at each distance."""
        index = self.index_type.build(values)
        assert len(index) == len(values)
        for distance in self.distances if distances is None else distances:
            hits = index.search(queries, distance)
            found, want = pairs(hits), self.oracle(values, queries, distance)
            assert found == want, f"within {distance} bits: {len(found)} pairs, want {len(want)}"
            assert len(hits) == len(want)
            assert hits.queries.dtype == np.int64
            assert hits.rows.dtype == np.int64
            assert hits.distances_bits.dtype == np.int64

    def test_neighbours_at_every_limit_are_found_inclusively(self) -> None:
        queries = [self.value(number) for number in range(3)]
        most = self.size_bytes * 8
        planted = sorted(
            {min(d + step, most) for d in self.distances for step in (-1, 0, 1) if d + step >= 0}
        )
        listed = [
            flipped(query, distance, number)
            for number, query in enumerate(queries)
            for distance in planted
        ]
        self.check(self.rows(listed), self.rows(queries))
        index = self.index_type.build(self.rows(listed))
        for limit in self.distances:
            hits = index.search(self.rows(queries[:1]), limit)
            own = sorted(hits.distances_bits[hits.rows < len(planted)].tolist())
            assert own == [d for d in planted if d <= limit], f"within {limit} bits"

    def test_values_one_bit_apart_are_told_apart(self) -> None:
        query = self.value(0)
        self.check(self.rows(flipped(query, 1, number) for number in range(40)), self.rows([query]))
        index = self.index_type.build(self.rows([flipped(query, 1), query]))
        assert pairs(index.search(self.rows([query]), 0)) == [(0, 1, 0)]

    def test_each_single_bit_counts(self) -> None:
        zeros = bytes(self.size_bytes)
        listed = [(1 << bit).to_bytes(self.size_bytes) for bit in range(self.size_bytes * 8)]
        self.check(self.rows(listed), self.rows([zeros, listed[7]]))

    def test_duplicates_are_all_found(self) -> None:
        listed = [self.value(number % 5) for number in range(50)]
        self.check(self.rows(listed), self.rows([self.value(3), self.value(3), self.value(9)]))

    def test_list_of_one_value_is_found_whole(self) -> None:
        listed = self.rows([self.value(0)] * 3_000)
        hits = self.index_type.build(listed).search(self.rows([self.value(0), self.value(1)]), 0)
        assert pairs(hits) == [(0, row, 0) for row in range(3_000)]

    def test_all_zeros_and_all_ones_are_found(self) -> None:
        extremes = [bytes(self.size_bytes), b"\xff" * self.size_bytes]
        self.check(self.rows([*extremes, self.value(0)]), self.rows(extremes))

    def test_values_of_any_weight_are_found(self) -> None:
        bits = self.size_bytes * 8
        listed = [flipped(bytes(self.size_bytes), weight, weight) for weight in range(0, bits, 5)]
        queries = [flipped(listed[3], 1), flipped(listed[30 % len(listed)], 30), listed[-1]]
        self.check(self.rows(listed), self.rows(queries))

    def test_random_lists_agree_with_the_oracle(self) -> None:
        generator = np.random.default_rng(SEED)
        for count in (2, 17, 63, 64, 65, 130):
            listed = generator.integers(0, 256, (count, self.size_bytes), np.uint8)
            queries = listed[generator.integers(0, count, 6)].copy()
            for number in range(len(queries)):
                near = flipped(queries[number].tobytes(), 7 * number, number)
                queries[number] = np.frombuffer(near, np.uint8)
            self.check(listed, queries)

    def test_more_rows_than_are_compared_at_once_are_all_seen(self) -> None:
        generator = np.random.default_rng(SEED)
        listed = generator.integers(0, 256, (MANY_ROWS, self.size_bytes), np.uint8)
        wanted = (0, 65_535, 65_536, 131_071, 131_072, MANY_ROWS - 1)
        largest = max(d for d in self.distances if d <= 31)
        queries = self.rows(flipped(listed[row].tobytes(), largest, row) for row in wanted)
        hits = self.index_type.build(listed).search(queries, largest)
        assert pairs(hits) == [(query, row, largest) for query, row in enumerate(wanted)]

    def test_empty_index_finds_nothing(self) -> None:
        self.check(self.rows([]), self.rows([self.value(0)]))

    def test_no_queries_find_nothing(self) -> None:
        self.check(self.rows([self.value(0)]), self.rows([]))
        self.check(self.rows([]), self.rows([]))

    def test_index_of_one_row_finds_it(self) -> None:
        self.check(self.rows([self.value(0)]), self.rows([self.value(1), self.value(0)]))

    def test_query_with_too_many_hits_keeps_one_more_and_spares_the_others(self) -> None:
        listed = self.rows([self.value(0)] * 5_000 + [self.value(1)] * 3)
        queries = self.rows([self.value(0), self.value(1), self.value(0)])
        hits = self.index_type.build(listed).search(queries, 0, 10)
        counts = np.bincount(hits.queries, minlength=3)
        assert (counts[[0, 2]] > 10).all()
        assert counts[1] == 3
        assert (hits.rows[hits.queries != 1] < 5_000).all()

    def test_nearest_are_the_first_of_all_by_distance_and_row(self) -> None:
        generator = np.random.default_rng(SEED)
        listed = generator.integers(0, 256, (3_000, self.size_bytes), np.uint8)
        listed[::7] = listed[0]
        for row in range(0, 300, 3):
            near = flipped(listed[1].tobytes(), row % 41, row)
            listed[row] = np.frombuffer(near, np.uint8)
        queries = listed[[0, 1, 50, 2_999]].copy()
        index = self.index_type.build(listed)
        for limit in self.distances:
            everything = self.oracle(listed, queries, limit)
            for k in (0, 1, 5, 10_000):
                want = []
                for query in range(len(queries)):
                    own = [pair for pair in everything if pair[0] == query]
                    want += sorted(own, key=lambda pair: (pair[2], pair[1]))[:k]
                hits = index.nearest(queries, k, limit)
                found = zip(
                    hits.queries.tolist(), hits.rows.tolist(), hits.distances_bits.tolist(),
                    strict=True,
                )  # fmt: skip
                assert list(found) == want, (limit, k)

    def test_negative_number_of_nearest_is_refused(self) -> None:
        index = self.index_type.build(self.rows([self.value(0)]))
        with pytest.raises(InvalidInputError) as refusal:
            index.nearest(self.rows([self.value(0)]), -1, 0)
        assert refusal.value.field == "k"

    def test_index_restored_from_its_read_only_arrays_finds_the_same(self) -> None:
        generator = np.random.default_rng(SEED)
        for count in (0, 1, 6_000):
            listed = generator.integers(0, 256, (count, self.size_bytes), np.uint8)
            queries = np.concatenate([listed[:40], self.rows([self.value(0)])])
            index = self.index_type.build(listed)
            frozen = {name: array.copy() for name, array in index.arrays().items()}
            for array in (listed, *frozen.values()):
                array.flags.writeable = False
            restored = self.index_type.restore(listed, frozen)
            assert len(restored) == count
            for distance in self.distances:
                want = pairs(index.search(queries, distance))
                assert pairs(restored.search(queries, distance)) == want

    def test_arrays_that_do_not_fit_are_refused(self) -> None:
        listed = np.random.default_rng(SEED).integers(0, 256, (6_000, self.size_bytes), np.uint8)
        arrays = dict(self.index_type.build(listed).arrays())
        for name, array in arrays.items():
            with pytest.raises(CorruptError):
                self.index_type.restore(listed, arrays | {name: array[:-1]})
            with pytest.raises(CorruptError):
                self.index_type.restore(listed, {n: a for n, a in arrays.items() if n != name})
            if name != "widths":  # a few small numbers, of whatever type
                with pytest.raises(CorruptError):
                    self.index_type.restore(listed, arrays | {name: array.astype(np.float32)})
                swapped = array.astype(array.dtype.newbyteorder(">"))
                if swapped.dtype != array.dtype:  # more than a byte each
                    with pytest.raises(CorruptError):
                        self.index_type.restore(listed, arrays | {name: swapped})

    def test_queries_that_are_not_contiguous_are_answered(self) -> None:
        listed = self.rows(self.value(number) for number in range(8))
        queries = self.rows(self.value(number) for number in range(8))
        wide = np.concatenate([queries, queries], axis=1)
        self.check(listed, queries[::3])
        self.check(listed, wide[:, : self.size_bytes])
        self.check(listed, np.asfortranarray(queries))

    def test_values_that_are_not_contiguous_are_listed(self) -> None:
        listed = self.rows(self.value(number) for number in range(8))
        self.check(listed[::2], listed)
        self.check(np.asfortranarray(listed), listed)

    def test_read_only_arrays_are_taken_and_left_as_they_are(self) -> None:
        listed = self.rows(self.value(number) for number in range(4))
        queries = listed[1:3].copy()
        before = listed.copy()
        listed.flags.writeable = queries.flags.writeable = False
        self.check(listed, queries)
        assert (listed == before).all()

    def test_queries_of_wrong_shape_or_type_are_refused(self) -> None:
        index = self.index_type.build(self.rows([self.value(0)]))
        size = self.size_bytes
        wrong: list[npt.NDArray[Any]] = [
            np.zeros(size, np.uint8),
            np.zeros((1, 1, size), np.uint8),
            np.zeros((size, 1), np.uint8),
            *(np.zeros((1, other), np.uint8) for other in (0, 8, size - 1, size + 1, 2 * size)),
            np.zeros((0, size + 1), np.uint8),
            *(np.zeros((1, size), dtype) for dtype in (np.int8, np.uint16, np.float64, np.bool_)),
            np.zeros((1, size // 8), np.uint64),
        ]
        for queries in wrong:
            with pytest.raises(
                InvalidInputError, match=rf"uint8 of shape \(n, {size}\)"
            ) as refusal:
                index.search(queries, 0)
            assert refusal.value.field == "queries"

    def test_negative_distance_is_refused(self) -> None:
        index = self.index_type.build(self.rows([self.value(0)]))
        with pytest.raises(InvalidInputError) as refusal:
            index.search(self.rows([self.value(0)]), -1)
        assert refusal.value.field == "max_distance_bits"

    def test_threads_that_search_at_the_same_time_agree(self) -> None:
        generator = np.random.default_rng(SEED)
        listed = generator.integers(0, 256, (5_000, self.size_bytes), np.uint8)
        queries = np.concatenate(
            [listed[::97], generator.integers(0, 256, (20, self.size_bytes), np.uint8)]
        )
        index = self.index_type.build(listed)
        limit = max(d for d in self.distances if d <= 64)
        want = pairs(index.search(queries, limit))
        assert len(want) >= len(listed[::97])
        barrier = Barrier(THREADS)

        def search(_: int) -> list[Pairs]:
            barrier.wait(60)
            return [pairs(index.search(queries, limit)) for _ in range(3)]

        with ThreadPoolExecutor(THREADS) as pool:
            for found in pool.map(search, range(THREADS)):
                assert found == [want] * 3


class AgainstExactIndexContract(IndexContract):
    """The same with the numpy index as the oracle, which has its own tests."""

    def oracle(
        self,
        values: npt.NDArray[np.uint8],
        queries: npt.NDArray[np.uint8],
        max_distance_bits: int,
    ) -> Pairs:
        """What the numpy index finds."""
        return pairs(ExactIndex.build(values).search(queries, max_distance_bits))


class PdqListContract:
    """The same index on Meta's published list of real photographs.

    Attributes:
        index_type: the index under test, over 256 bits.
    """

    index_type: ClassVar[type[Index]]

    def test_published_list_has_its_published_pairs(self, shared_data: Path) -> None:
        haystack, needles = (
            rows(bytes.fromhex(line) for line in (shared_data / "pdq" / name).read_text().split())
            for name in ("haystack.txt", "needles.txt")
        )
        index = self.index_type.build(haystack)
        counts = {within: len(index.search(needles, within)) for within in PAIRS_WITHIN_BITS}
        assert counts == PAIRS_WITHIN_BITS
        assert set(index.search(needles, 31).queries.tolist()) == set(range(len(needles)))
