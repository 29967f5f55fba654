"""The thread that follows the store: when it looks, and how it shares the cores."""

from pathlib import Path

from engine.clock import SystemClock
from engine.lmdb_store import LmdbReader
from engine.time_slice import SLICE_NS
from server.config import StoreConfig
from server.refresh import Refresher, _pause_s
from tests.engine.test_time_slice import NEEDS_SLICES, own
from tests.server.test_states import within_patience
from tests.server.worlds import make_store

INTERVAL_MS = 50


def test_pause_is_half_of_the_interval_to_the_whole() -> None:
    pauses_s = [_pause_s(INTERVAL_MS) for _ in range(1_000)]
    assert INTERVAL_MS / 2 <= min(pauses_s) * 1_000 < INTERVAL_MS * 0.6
    assert INTERVAL_MS * 0.9 < max(pauses_s) * 1_000 <= INTERVAL_MS


def test_what_is_behind_does_not_pause() -> None:
    assert _pause_s(0) == 0


@NEEDS_SLICES
def test_only_that_thread_has_long_slices(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    slices_ns: list[int] = []

    def stage(_: str, __: int, ___: int) -> None:
        slices_ns.append(own()[2])

    refresher = Refresher(lambda: LmdbReader(path), StoreConfig(path), SystemClock(), stage=stage)
    refresher.start()
    assert within_patience(refresher.is_loaded)
    refresher.stop()
    assert set(slices_ns) == {SLICE_NS}
    assert own()[2] < SLICE_NS
