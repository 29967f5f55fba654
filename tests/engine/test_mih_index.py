"""Multi-index hashing against the numpy index: every list, every distance, the same pairs."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from bench.running import environment
from engine.errors import CorruptError
from engine.exact_index import ExactIndex
from engine.index import Index
from engine.mih_index import MihIndex
from engine.mih_plan import (
    FIRST_MASK,
    LAST_MASK,
    LOW_BIT,
    RADIUS,
    SLACK,
    START,
    WIDTH,
    Plan,
    permutation,
)
from tests.engine.index_contract import AgainstExactIndexContract, PdqListContract, pairs
from tests.engine.values import SEED

ROWS = 12_000  # enough for tables
DISTANCES = (0, 1, 2, 15, 30, 31, 32, 47, 64)


class _AgainstExactIndex(AgainstExactIndexContract):
    index_type: ClassVar[type[Index]] = MihIndex


class TestMihIndex(_AgainstExactIndex, PdqListContract):
    """Of 256 bits."""


class TestMihIndexOf128Bits(_AgainstExactIndex):
    """Of 128 bits."""

    size_bytes = 16


def near(listed: npt.NDArray[np.uint8], count: int = 40) -> npt.NDArray[np.uint8]:
    """Queries some bits away from listed values, and some far from all."""
    generator = np.random.default_rng(SEED)
    queries = listed[generator.integers(0, len(listed), count)].copy()
    for number, query in enumerate(queries):
        for bit in generator.choice(query.size * 8, number % 40, replace=False):
            query[bit >> 3] ^= np.uint8(1 << (bit & 7))
    return queries


def weighted(count: int) -> npt.NDArray[np.uint8]:
    """Values of exactly 128 ones."""
    order = np.argsort(np.random.default_rng(SEED).random((count, 256)), axis=1)
    return np.packbits(order < 128, axis=1)


def uniform(count: int, size_bytes: int = 32) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(SEED).integers(0, 256, (count, size_bytes), np.uint8)


def few_of_other_weight(count: int) -> npt.NDArray[np.uint8]:
    listed = weighted(count)
    listed[::100, 0] ^= 1
    return listed


def skewed(count: int) -> npt.NDArray[np.uint8]:
    """Half of the bits are nearly always 0, so a few buckets hold nearly everything."""
    return uniform(count) & np.where(np.arange(32) % 2, 255, 1).astype(np.uint8)


def one_bit_apart(count: int) -> npt.NDArray[np.uint8]:
    listed = np.repeat(uniform(1), count, axis=0)
    for row in range(256):
        listed[row, row >> 3] ^= np.uint8(1 << (row & 7))
    return listed


LISTS = {
    "uniform": uniform(ROWS),
    "of 128 ones": weighted(ROWS),
    "few of other weight": few_of_other_weight(ROWS),
    "skewed": skewed(ROWS),
    "all equal": np.repeat(uniform(1), ROWS, axis=0),
    "all zeros": np.zeros((ROWS, 32), np.uint8),
    "one bit apart": one_bit_apart(ROWS),
    "each twice": np.repeat(uniform(ROWS // 2), 2, axis=0),
    "64 bits": uniform(ROWS, 8),
    "128 bits": uniform(ROWS, 16),
}


@pytest.mark.parametrize("name", LISTS)
def test_every_list_at_every_distance_agrees_with_numpy(name: str) -> None:
    listed = LISTS[name]
    index, oracle = MihIndex.build(listed), ExactIndex.build(listed)
    queries = near(listed, 12 if len(np.unique(listed, axis=0)) < 300 else 40)
    for distance in DISTANCES:
        found = pairs(index.search(queries, distance))
        assert found == pairs(oracle.search(queries, distance))


def test_real_hashes_agree_with_numpy(shared_data: Path) -> None:
    listed = np.fromfile(shared_data / "pdq" / "crop-hashes.bin", np.uint8).reshape(-1, 32)
    index, oracle = MihIndex.build(listed), ExactIndex.build(listed)
    queries = near(listed)
    for distance in (0, 30, 31, 47):
        assert pairs(index.search(queries, distance)) == pairs(oracle.search(queries, distance))


@pytest.mark.parametrize("copies", [1, 60, 70, 500, 3_000])
def test_cluster_of_copies_is_found_whole_however_large(copies: int) -> None:
    listed = weighted(ROWS)
    listed[:copies] = near(np.repeat(listed[:1], copies, axis=0), copies)
    index, oracle = MihIndex.build(listed), ExactIndex.build(listed)
    queries = listed[[0, copies // 2, ROWS - 1]].copy()
    assert pairs(index.search(queries, 31)) == pairs(oracle.search(queries, 31))


@pytest.mark.parametrize("copies", [50, 500])
def test_query_with_hits_enough_is_left(copies: int) -> None:
    listed = weighted(ROWS)
    listed[:copies] = listed[0]
    queries = listed[[0, ROWS - 1, 0]].copy()
    index, want = MihIndex.build(listed), set(pairs(ExactIndex.build(listed).search(queries, 31)))
    for max_hits in (0, 10, 64, 65, 99):
        hits = index.search(queries, 31, max_hits)
        assert set(pairs(hits)) <= want
        first, other, last = np.bincount(hits.queries, minlength=3).tolist()
        assert (first, other) == (last, 1)
        # Over 64 near ones all rows are compared, block by block.
        spare = 0 if max_hits <= 64 else 63
        assert 0 <= first - min(copies, max_hits + 1) <= spare


@pytest.mark.parametrize("name", ["offsets", "rows", "signatures", "widths"])
def test_arrays_of_no_index_are_refused_or_read_within_bounds(name: str) -> None:
    listed = weighted(3_000)
    arrays = {n: a.copy() for n, a in MihIndex.build(listed).arrays().items()}
    own = arrays[name]
    if name == "rows":  # too many to check: what they name is checked when it is met
        own[:] = 2**32 - 1
        restored = MihIndex.restore(listed, arrays)
        assert len(restored.search(listed[:10].copy(), 31)) == 0
        return
    if name == "widths":
        own[0] = 1
    elif name == "signatures":
        arrays[name] = own[:-1]  # too few to read so many at a time
    else:
        own[len(own) // 2] = 2**32 - 1
    with pytest.raises(CorruptError, match="no index that was built"):
        MihIndex.restore(listed, arrays)


def test_threads_search_alike() -> None:
    index = MihIndex.build(LISTS["of 128 ones"])
    queries = near(LISTS["of 128 ones"])
    want = pairs(index.search(queries, 31))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: pairs(index.search(queries, 31)), range(32)))
    assert found == [want] * 32


@pytest.mark.parametrize("size_bits", [64, 128, 256])
@pytest.mark.parametrize("row_count", [3_000, 100_000, 1_000_000, 10_000_000])
def test_radii_find_everything_within_the_distance(size_bits: int, row_count: int) -> None:
    plan = Plan.cheapest(size_bits, row_count, 31 * size_bits // 256)
    assert sum(plan.widths) == size_bits
    for radius in range(size_bits // 4 + 1):
        radii = plan.radii(radius)
        # Pigeonhole: whoever misses every chunk is further away than the radius.
        assert sum(own + 1 for own in radii) == radius + 1
        assert min(radii) >= -1


@pytest.mark.parametrize("radius", [3, 9, 31, 35, 47])
def test_value_is_found_however_its_bits_lie(radius: int) -> None:
    chance = np.random.default_rng(SEED)
    listed = uniform(2_000)
    index = MihIndex.build(listed)
    source_bits, edges = permutation(256), np.append(index._plan.low_bits, 256)
    queries = listed[:400].copy()
    for query in queries:  # all bits that are flipped lie in a few chunks, which are full then
        chunks = chance.permutation(len(edges) - 1)
        places = np.concatenate([np.arange(edges[c], edges[c + 1]) for c in chunks])
        if chance.random() < 0.5:  # or as many in each as there may be, but for one
            share = radius // len(chunks)
            first = [edges[c] + i for i in range(share + 1) for c in chunks]
            places = np.array(first[: radius + 1])
        for bit in source_bits[places[:radius]]:
            query.view(np.uint64)[bit >> 6] ^= np.uint64(1) << np.uint64(bit & 63)
    found = set(pairs(index.search(queries, radius)))
    assert found >= {(number, number, radius) for number in range(len(queries))}


def test_probes_are_the_balls_of_their_chunks() -> None:
    plan = Plan.of(64, 6)
    probes = plan.probes(9)
    sizes = (probes.chunks[:, LAST_MASK] - probes.chunks[:, FIRST_MASK]).tolist()
    assert sum(sizes) == plan.probe_count(9)
    for number, chunk in enumerate(probes.chunks.tolist()):
        masks = probes.masks[chunk[FIRST_MASK] : chunk[LAST_MASK]].tolist()
        ball = [mask for mask in range(1 << chunk[WIDTH]) if mask.bit_count() <= chunk[RADIUS]]
        assert sorted(masks) == ball
        layout = plan.low_bits[number], plan.offset_starts[number], plan.slacks(9)[number]
        assert (chunk[LOW_BIT], chunk[START], chunk[SLACK]) == layout


@pytest.mark.parametrize("chunk_count", [16, 24])
def test_expected_shares_are_those_of_unrelated_values(chunk_count: int) -> None:
    plan, rows = Plan.of(256, chunk_count), 50_000
    bits = np.unpackbits(uniform(rows), axis=1)
    apart = np.add.reduceat(bits, plan.low_bits, axis=1, dtype=np.int64)  # from zero, in each chunk
    together = apart + np.roll(apart, -1, axis=1)
    radius = 70  # so far that enough pass to be counted
    is_looked_at = apart <= plan.radii(radius)
    assert is_looked_at.sum() / rows == pytest.approx(plan.bucket_share(radius), rel=0.05)
    passing = (is_looked_at & (together <= plan.slacks(radius))).sum()
    assert passing > 1_000
    assert passing / rows == pytest.approx(plan.passing_share(radius), rel=0.1)


def test_longer_lists_get_fewer_and_wider_chunks() -> None:
    counts = [len(Plan.cheapest(256, 10**n, 31).widths) for n in range(4, 9)]
    assert counts == sorted(counts, reverse=True)
    assert counts[0] > counts[-1]


@pytest.mark.parametrize("size_bits", [64, 128, 256])
def test_permutation_is_fixed(size_bits: int) -> None:
    places = permutation(size_bits)
    assert sorted(places.tolist()) == list(range(size_bits))
    # Written down: an index on disk of this version rests on it.
    first = {64: [13, 11, 14, 38], 128: [19, 111, 59, 91], 256: [160, 190, 223, 143]}[size_bits]
    assert places[:4].tolist() == first


def test_machine_without_vector_instructions_finds_the_same(root: Path) -> None:
    code = (
        "import numpy as np\n"
        "from engine.exact_index import ExactIndex\n"
        "from engine.mih_index import MihIndex\n"
        "listed = np.random.default_rng(1).integers(0, 256, (20000, 32), np.uint8)\n"
        "queries = listed[::500].copy()\n"
        "queries[:, :3] ^= 0b101\n"
        "found, want = (of.build(listed).search(queries, 31) for of in (MihIndex, ExactIndex))\n"
        "assert sorted(found.rows.tolist()) == sorted(want.rows.tolist())\n"
        "print(len(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**environment(), "NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "40"), done.stderr


def test_kernels_are_compiled_where_nothing_can_be_written(root: Path) -> None:
    code = (
        "from numba.core import caching\n"
        "for name in ('CacheImpl', '_CacheImpl'):\n"
        "    if hasattr(caching, name): getattr(caching, name)._locator_classes = []\n"
        "import numpy as np\n"
        "from engine import mih_kernels\n"
        "from engine.mih_index import MihIndex\n"
        "listed = np.random.default_rng(1).integers(0, 256, (3000, 32), np.uint8)\n"
        "assert type(mih_kernels.probe._cache).__name__ == 'NullCache'\n"
        "print(len(MihIndex.build(listed).search(listed[:5].copy(), 31)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "5"), done.stderr
