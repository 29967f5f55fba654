"""The lists and queries of benchmarks are the same every time, and what they say they are."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from bench import workload
from bench.workload import Values, Workload
from engine.exact_index import ExactIndex

SEED = 20_26
KINDS = [kind for kind in workload.KINDS if kind != "crops" or workload.CROPS.exists()]


def weights(values: Values) -> list[int]:
    return np.bitwise_count(values).sum(axis=1).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
def test_list_is_the_same_every_time(kind: str) -> None:
    one, other = (workload.hashes(500, SEED, kind) for _ in range(2))
    assert np.array_equal(one, other)
    assert len(np.unique(one, axis=0)) == 500
    assert not np.array_equal(one, workload.hashes(500, SEED + 1, kind))


@pytest.mark.parametrize("kind", ["uniform", "balanced", "real"])
def test_short_list_is_the_beginning_of_a_long_one(kind: str) -> None:
    short, long = workload.hashes(20_000, SEED, kind), workload.hashes(20_100, SEED, kind)
    assert np.array_equal(short, long[:20_000])


def test_balanced_hashes_have_128_ones() -> None:
    assert set(weights(workload.hashes(300, SEED, "balanced"))) == {128}


def met(values: Values, order: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """How many entries each meets in 16 tables of 16 bits, against what noise would have it."""
    bits = np.unpackbits(values, axis=1)[:, order]
    found = np.zeros(len(values))
    for chunk in np.split(bits, 16, axis=1):
        keys = (chunk.astype(np.int64) << np.arange(16)).sum(axis=1)
        counts = np.bincount(keys, minlength=1 << 16)
        near = counts + sum(counts[np.arange(1 << 16) ^ (1 << bit)] for bit in range(16))
        found += near[keys] - 1
    return found / (16 * 17 * len(values) / (1 << 16))


def test_real_like_hashes_crowd_buckets_as_photographs_do() -> None:
    values = workload.hashes(60_000, SEED, "real")
    neighbours = met(values, np.arange(256))
    spread = met(values, np.random.default_rng(SEED).permutation(256))
    # The crops: 1.37 and 4.4 in neighbouring bits, 1.01 in a random order.
    assert 1.25 < neighbours.mean() < 1.55
    assert 2.8 < np.percentile(neighbours, 99) < 5.0
    assert 0.98 < spread.mean() < 1.05
    # 99.7 % of the crops have 128 ones, and none more.
    assert 0.996 < np.mean(np.array(weights(values)) == 128) < 0.999
    assert max(weights(values)) == 128


def test_crops_are_extended_by_copies_of_them() -> None:
    if not workload.CROPS.exists():
        pytest.skip("needs the hashes of crops beside the checkout")
    count = workload.CROPS.stat().st_size // 32
    values = workload.hashes(count + 50, SEED, "crops")
    originals = values[:50]  # the copies begin again at the first
    apart = np.bitwise_count(values[count:] ^ originals).sum(axis=1)
    assert apart.max() <= 30
    assert len(set(apart.tolist())) > 5


@pytest.mark.parametrize("kind", ["balanced", "real"])
def test_planted_queries_are_near_and_the_others_far(kind: str) -> None:
    listed = workload.hashes(2_000, SEED, kind)
    queries = workload.queries(listed, 400, SEED, 0.5, kind)
    hits = ExactIndex.build(listed).search(queries, 31)
    assert 150 < len(set(hits.queries.tolist())) < 250
    assert set((hits.distances_bits % 2).tolist()) == {0}
    assert set(range(0, 31, 2)) <= set(hits.distances_bits.tolist())


def test_workload_says_how_many_are_known_and_how_far_they_are() -> None:
    listed = Workload(1_000, seed=SEED).listed()
    for share, distance in ((0.0, 31), (1.0, 31), (1.0, 4), (1.0, 0)):
        work = Workload(1_000, known_share=share, distance_bits=distance, seed=SEED)
        hits = ExactIndex.build(listed).search(work.queries(200, listed), 31)
        assert len(set(hits.queries.tolist())) == 200 * share
        assert hits.distances_bits.max(initial=0) == min(distance, 30) * share


def test_copies_keep_their_weight() -> None:
    listed = workload.hashes(500, SEED, "real")
    copies = workload.copies(listed, 31, np.random.default_rng(SEED))
    assert weights(copies) == weights(listed)


def test_large_list_is_kept_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "LISTS", tmp_path)
    monkeypatch.setattr(workload, "_KEPT_ROWS", 100)
    work = Workload(300, seed=SEED)
    made = np.array(work.listed())
    assert np.array_equal(made, workload.hashes(300, SEED, "real"))
    assert np.array_equal(work.listed(), made)
    assert [path.name for path in tmp_path.iterdir()] == ["real-300-2026-r2.npy"]


@pytest.mark.parametrize(
    "wrong", [{"kind": "odd"}, {"known_share": 1.5}, {"distance_bits": -1}, {"distance_bits": 128}]
)
def test_impossible_workload_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="want"):
        Workload(10, **wrong)  # type: ignore[arg-type]
