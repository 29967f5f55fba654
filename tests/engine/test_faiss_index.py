"""The FAISS index against the numpy one."""

from typing import ClassVar

import faiss
import numpy as np

from engine.exact_index import ExactIndex
from engine.faiss_index import FaissFlatIndex, FaissMultiHashIndex
from engine.index import Index
from tests.engine.index_contract import AgainstExactIndexContract, PdqListContract, pairs
from tests.engine.values import SEED


class _AgainstExactIndex(AgainstExactIndexContract):
    index_type: ClassVar[type[Index]] = FaissFlatIndex

    def test_large_random_list_agrees_with_numpy(self) -> None:
        generator = np.random.default_rng(SEED)
        listed = generator.integers(0, 256, (20_000, self.size_bytes), np.uint8)
        queries = listed[::1_000].copy()
        queries[:, :3] ^= generator.integers(0, 256, (len(queries), 3), np.uint8)
        self.check(listed, queries, distances=(0, 12, 31, self.size_bytes * 4 - 16))


class TestFaissFlatIndex(_AgainstExactIndex, PdqListContract):
    pass


class TestFaissFlatIndexOf128Bits(_AgainstExactIndex):
    size_bytes = 16


def test_index_keeps_its_own_copy_of_the_values() -> None:
    listed = np.random.default_rng(SEED).integers(0, 256, (5, 32), np.uint8)
    queries = listed.copy()
    index = FaissFlatIndex.build(listed)
    listed[:] = 0
    assert pairs(index.search(queries, 0)) == [(row, row, 0) for row in range(5)]


def test_search_runs_on_the_calling_thread_alone() -> None:
    faiss.omp_set_num_threads(2)
    index = FaissFlatIndex.build(np.zeros((1, 32), np.uint8))
    index.search(np.zeros((1, 32), np.uint8), 0)
    assert faiss.omp_get_max_threads() == 1


def test_multi_hash_finds_what_a_scan_finds_at_every_distance() -> None:
    generator = np.random.default_rng(SEED)
    listed = generator.integers(0, 256, (5_000, 32), np.uint8)
    queries = listed[::100].copy()
    queries[:, :3] ^= generator.integers(0, 256, (len(queries), 3), np.uint8)
    index, oracle = FaissMultiHashIndex.build(listed), ExactIndex.build(listed)
    for distance in (0, 12, 31, 32, 60):
        assert pairs(index.search(queries, distance)) == pairs(oracle.search(queries, distance))
    assert len(FaissMultiHashIndex.build(listed[:0]).search(queries, 31)) == 0
