"""The small parts by themselves: `pytest bench`.

Times with their spread, to be compared between revisions on one machine (`make bench-compare`);
what the whole costs is measured by `python -m bench`.
"""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from bench import workload
from bench.running import ROOT
from bench.server_bench import PDQ_ONLY, SDK, cases
from bench.stores import make_store, new_items
from engine.faiss_index import FaissFlatIndex
from engine.index import Index
from engine.lmdb_store import LmdbReader, LmdbWriter
from engine.mih_index import MihIndex
from engine.snapshot import Snapshot
from engine.verdict import Verdict
from firstseen.hashing.image import hash_image, hash_listed_image
from firstseen.hashing.pdq import PdqBackend, pdq_hashes
from server.convert import to_item

SEED = 20_26
ENTRIES = 100_000


@pytest.fixture(scope="module")
def listed() -> workload.Values:
    return workload.hashes(ENTRIES, SEED, "real")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, listed: workload.Values) -> Path:
    path = tmp_path_factory.mktemp("micro") / "store"
    make_store(path, listed)
    return path


@pytest.mark.parametrize("index_type", [FaissFlatIndex, MihIndex])
def test_search(
    benchmark: BenchmarkFixture, listed: workload.Values, index_type: type[Index]
) -> None:
    index = index_type.build(listed)
    query = listed[:1].copy()
    assert len(benchmark(index.search, query, 31)) >= 1


@pytest.mark.parametrize("case", [PDQ_ONLY, SDK])
def test_verdict(
    benchmark: BenchmarkFixture, store: Path, listed: workload.Values, case: str
) -> None:
    with LmdbReader(store) as reader:
        snapshot = Snapshot.of(reader.contents())
    item = to_item(cases(listed, 1, SEED)[case][0], 1_024)
    assert benchmark(snapshot.judge, item) in Verdict


def test_conversion(benchmark: BenchmarkFixture, listed: workload.Values) -> None:
    message = cases(listed, 1, SEED)[SDK][0]
    assert len(benchmark(to_item, message, 1_024).hashes) == 15


def test_hashing(benchmark: BenchmarkFixture) -> None:
    data = (ROOT / "tests" / "data" / "photos" / "leaf.jpg").read_bytes()
    assert len(benchmark(lambda: hash_image(data)).hashes) >= 10


def test_listed_hashing(benchmark: BenchmarkFixture) -> None:
    data = (ROOT / "tests" / "data" / "photos" / "leaf.jpg").read_bytes()
    assert len(benchmark(lambda: hash_listed_image(data)).hashes) >= 10


@pytest.mark.parametrize("size", [(640, 480), (1920, 1080), (4032, 3024)])
@pytest.mark.parametrize("backend", PdqBackend)
def test_pdq(benchmark: BenchmarkFixture, backend: PdqBackend, size: tuple[int, int]) -> None:
    with Image.open(ROOT / "tests" / "data" / "photos" / "leaf.jpg") as photo:
        pixels = np.asarray(photo.convert("RGB").resize(size))
    assert len(benchmark(pdq_hashes, pixels, backend=backend)) == 8


def test_commit(benchmark: BenchmarkFixture, store: Path) -> None:
    generator = np.random.default_rng(SEED)
    with LmdbWriter(store) as writer:
        bank_id = writer.banks()[0].bank_id

        def commit() -> int:
            fresh = generator.integers(0, 256, (100, 32), np.uint8)
            return writer.load(bank_id, new_items(fresh)).added_items

        assert benchmark(commit) == 100
