"""Following the store: not loaded, fresh, stale, mended, replaced. Time is a fake."""

import logging
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from engine.entries import Checkpoint, ItemId
from engine.errors import CorruptError, NotReadyError, StoreUnusableError
from engine.follower import Follower
from engine.index_choice import choosers
from engine.index_kind import IndexKind
from engine.lmdb_store import LmdbReader, LmdbWriter
from engine.policy import BankId
from engine.progress import Stage, untold
from engine.segment import Segment, SegmentFolder
from engine.store import Contents
from firstseen.v1 import review_pb2, types_pb2
from server import refresh
from server.config import LimitsConfig, StoreConfig
from server.convert import to_item
from server.refresh import MAX_BACKOFF_MS, REBUILD_LIMIT_MS, Refresher
from server.review import ReviewService
from server.segment_watch import SegmentWatch
from server.service import search_pool
from tests.server.test_states import within_patience
from tests.server.worlds import make_store, message, new_item

LIMIT_MS = 1_000


class FakeClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms = 5_000

    def monotonic_ms(self) -> int:
        return self.now_ms

    def unix_ms(self) -> int:
        return self.now_ms


class FlakyStore(LmdbWriter):
    """A store that fails when a test wants it to, and can be written: one opening a process."""

    failure: Exception | None = None

    def head(self) -> Checkpoint:
        self._fail()
        return super().head()

    def contents(self, stage: Stage = untold) -> Contents:
        self._fail()
        return super().contents(stage)

    def _fail(self) -> None:
        if FlakyStore.failure is not None:
            raise FlakyStore.failure


@pytest.fixture(autouse=True)
def no_failure() -> None:
    FlakyStore.failure = None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_store(tmp_path / "store")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def refresher(path: Path, clock: FakeClock) -> Refresher:
    config = StoreConfig(path, poll_interval_ms=50, staleness_limit_ms=LIMIT_MS)
    return Refresher(lambda: FlakyStore(path), config, clock)


def written(refresher: Refresher) -> FlakyStore:
    """The store it follows, to change it."""
    store = refresher._store
    assert isinstance(store, FlakyStore)
    return store


def sequence(refresher: Refresher) -> int:
    return refresher.view().snapshot.checkpoint.sequence


def test_before_the_first_step_nothing_is_served(refresher: Refresher) -> None:
    with pytest.raises(NotReadyError):
        refresher.view()
    with pytest.raises(NotReadyError):
        refresher.age_ms()
    assert not refresher.is_fresh()


def test_store_is_loaded_and_changes_are_followed(refresher: Refresher, path: Path) -> None:
    assert refresher.step() == 50
    assert sequence(refresher) == 2
    written(refresher).withdraw([ItemId(1)])
    refresher.step()
    assert sequence(refresher) == 3


def test_more_is_loaded_than_one_step_takes_it_goes_on_at_once(
    path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "Follower", partial(Follower, max_poll_entries=2))
    refresher = Refresher(lambda: FlakyStore(path), StoreConfig(path), clock)
    refresher.step()
    for number in range(10, 15):
        written(refresher).load(BankId(1), [new_item(number)])
    steps = [(refresher.step(), sequence(refresher)) for _ in range(3)]
    assert steps == [(0, 4), (0, 6), (50, 7)]


def test_list_without_changes_never_gets_stale(refresher: Refresher, clock: FakeClock) -> None:
    for _ in range(20):
        refresher.step()
        clock.now_ms += LIMIT_MS
        assert refresher.is_fresh()


def test_following_hangs_the_list_gets_stale_and_comes_back(
    refresher: Refresher, clock: FakeClock
) -> None:
    refresher.step()
    clock.now_ms += LIMIT_MS
    assert refresher.is_fresh()
    clock.now_ms += 1
    with pytest.raises(NotReadyError, match="stale"):
        refresher.view()
    refresher.step()
    assert refresher.is_fresh()


@pytest.mark.parametrize("failure", [CorruptError("record 3"), OSError("SECRET"), MemoryError()])
def test_following_fails_it_is_logged_once_backs_off_and_recovers(
    refresher: Refresher,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    failure: Exception,
) -> None:
    refresher.step()
    FlakyStore.failure = failure
    with caplog.at_level(logging.INFO, "firstseen.server"):
        waits = [refresher.step() for _ in range(12)]
        clock.now_ms += LIMIT_MS + 1
        assert not refresher.is_fresh()
        FlakyStore.failure = None
        assert refresher.step() == 50
    assert refresher.is_fresh()
    assert refresher.fatal is None
    assert waits == sorted(waits)
    assert waits[-1] == MAX_BACKOFF_MS
    assert [record.msg for record in caplog.records] == ["refresh_failed", "refresh_recovered"]
    assert "SECRET" not in repr(caplog.records[0].__dict__["fields"])


def test_first_load_fails_it_is_fatal(refresher: Refresher) -> None:
    FlakyStore.failure = CorruptError("record 3")
    refresher.step()
    assert refresher.fatal is FlakyStore.failure


def test_store_is_replaced_the_new_one_is_followed(
    refresher: Refresher, path: Path, tmp_path: Path
) -> None:
    refresher.step()
    old = refresher.view()
    make_store(tmp_path / "restored", count=5)
    (tmp_path / "restored" / "data.mdb").replace(path / "data.mdb")
    (path / "lock.mdb").unlink()
    refresher.step()
    assert refresher.view().snapshot.checkpoint.entry_count == 5
    with pytest.raises(NotReadyError, match="replaced"):
        refresher.items(old, [ItemId(1)])
    assert ItemId(1) in refresher.items(refresher.view(), [ItemId(1)])


def test_store_vanishes_its_list_is_served_until_it_is_stale(
    refresher: Refresher, path: Path, clock: FakeClock
) -> None:
    refresher.step()
    (path / "data.mdb").rename(path / "away")
    refresher.step()
    assert refresher.is_fresh()
    clock.now_ms += LIMIT_MS + 1
    refresher.step()
    assert not refresher.is_fresh()
    (path / "away").rename(path / "data.mdb")
    refresher.step()
    assert refresher.is_fresh()


def test_store_is_absent_at_the_start_it_is_refused(tmp_path: Path, clock: FakeClock) -> None:
    config = StoreConfig(tmp_path / "absent")
    with pytest.raises(StoreUnusableError):
        Refresher(lambda: LmdbReader(config.path), config, clock)
    assert not config.path.exists()


def explain(refresher: Refresher, items: Sequence[types_pb2.Item]) -> list[tuple[int, int]]:
    pool = search_pool()
    service = ReviewService(refresher, LimitsConfig(), pool)
    answers: list[review_pb2.ExplainResponse] = [
        service._explain(to_item(item, 10), 100) for item in items
    ]
    pool.shutdown()
    return [(answer.verdict, answer.match_count) for answer in answers]


def test_item_is_withdrawn_behind_the_snapshot_explain_leaves_it_out(
    refresher: Refresher, path: Path
) -> None:
    refresher.step()
    items = [message(0), message(1)]
    assert explain(refresher, items) == [(types_pb2.VERDICT_KNOWN, 1)] * 2
    hash_ = new_item(0).item.hashes[0]
    written(refresher).withdraw(written(refresher).find(hash_.type, hash_.value))
    assert explain(refresher, items) == [
        (types_pb2.VERDICT_NOVEL, 0),
        (types_pb2.VERDICT_KNOWN, 1),
    ]


def test_started_and_stopped_the_thread_ends(refresher: Refresher) -> None:
    refresher.start()
    refresher.stop()
    assert not refresher._thread.is_alive()


@pytest.fixture
def folder(tmp_path: Path) -> SegmentFolder:
    return SegmentFolder(tmp_path / "segments", IndexKind.AUTO)


@pytest.fixture
def mapped(path: Path, clock: FakeClock, folder: SegmentFolder) -> Refresher:
    """One that follows from a segment, which is found to be damaged after that."""
    refresher = Refresher(
        lambda: FlakyStore(path),
        StoreConfig(path, staleness_limit_ms=LIMIT_MS),
        clock,
        segments=SegmentWatch(folder, clock),
    )
    write_segment(refresher, folder)
    refresher.step()
    assert refresher.is_fresh()
    folder.put_aside(folder.names()[0])
    return refresher


def write_segment(refresher: Refresher, folder: SegmentFolder) -> None:
    contents = written(refresher).contents()
    chosen = choosers(IndexKind.AUTO)
    folder.write(Segment.build(contents.checkpoint, contents.columns, chosen))


def test_segment_is_found_damaged_nothing_is_served_until_there_is_another(
    mapped: Refresher, folder: SegmentFolder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "firstseen.server"):
        assert mapped.step() == 50
        with pytest.raises(NotReadyError, match="damaged"):
            mapped.view()
        assert not mapped.is_fresh()
        mapped.step()
        assert not mapped.is_fresh()
        write_segment(mapped, folder)
        assert within_patience(lambda: mapped.step() == 50 and mapped.is_fresh())
    assert [record.msg for record in caplog.records] == ["segment_dropped", "segment_adopted"]
    assert mapped._follower.resets == 0


def test_segment_is_found_damaged_and_none_is_made_the_store_is_read(
    mapped: Refresher, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "firstseen.server"):
        mapped.step()
        clock.now_ms += REBUILD_LIMIT_MS - 1
        mapped.step()
        assert not mapped.is_fresh()
        clock.now_ms += 1
        mapped.step()
    assert mapped.is_fresh()
    assert [record.msg for record in caplog.records] == ["segment_dropped", "list_reloaded"]
    assert mapped.view().snapshot.loose_count() == 3  # none of it is of the segment


def test_segment_is_found_damaged_and_the_store_is_replaced_the_new_one_is_read(
    mapped: Refresher, path: Path, tmp_path: Path
) -> None:
    mapped.step()
    make_store(tmp_path / "restored", count=5)
    (tmp_path / "restored" / "data.mdb").replace(path / "data.mdb")
    (path / "lock.mdb").unlink()
    mapped.step()
    assert mapped.view().snapshot.checkpoint.entry_count == 5


def behind_by_five(
    path: Path, clock: FakeClock, folder: SegmentFolder, monkeypatch: pytest.MonkeyPatch
) -> Refresher:
    """One that has not stepped yet, whose segment is five items old; a poll takes two."""
    monkeypatch.setattr(refresh, "Follower", partial(Follower, max_poll_entries=2))
    refresher = Refresher(
        lambda: FlakyStore(path), StoreConfig(path), clock, segments=SegmentWatch(folder, clock)
    )
    write_segment(refresher, folder)
    for number in range(10, 15):
        written(refresher).load(BankId(1), [new_item(number)])
    return refresher


def test_server_starts_with_an_old_segment_it_comes_up_in_steps_and_reads_no_whole_list(
    path: Path, clock: FakeClock, folder: SegmentFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresher = behind_by_five(path, clock, folder, monkeypatch)
    monkeypatch.setattr(FlakyStore, "contents", None)
    steps = [(refresher.step(), refresher.is_loaded()) for _ in range(3)]
    assert steps == [(0, False), (0, False), (50, True)]
    assert refresher.is_fresh()
    assert refresher.view().snapshot.loose_count() == 5


def test_old_segment_cannot_be_followed_on_the_whole_list_is_read(
    path: Path,
    clock: FakeClock,
    folder: SegmentFolder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refresher = behind_by_five(path, clock, folder, monkeypatch)
    refresher.step()
    monkeypatch.setattr(FlakyStore, "delta", raising(CorruptError("record 4")))
    assert refresher.step() == 50
    assert refresher.is_fresh()
    assert refresher.fatal is None
    assert [record.msg for record in caplog.records] == ["segment_unfit"]


def raising(error: Exception) -> Callable[..., None]:
    """A method that does nothing else."""

    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_newer_segment_is_unfit_the_mapped_one_is_watched_on(
    path: Path, clock: FakeClock, folder: SegmentFolder, caplog: pytest.LogCaptureFixture
) -> None:
    refresher = Refresher(
        lambda: FlakyStore(path), StoreConfig(path), clock, segments=SegmentWatch(folder, clock)
    )
    write_segment(refresher, folder)
    refresher.step()
    (held,) = folder.names()
    contents = written(refresher).contents()
    of_another_store = replace(contents.checkpoint, sequence=9)
    folder.write(Segment.build(of_another_store, contents.columns, choosers(IndexKind.AUTO)))

    def is_refused() -> bool:
        refresher.step()
        return "segment_unfit" in [record.msg for record in caplog.records]

    with caplog.at_level(logging.WARNING, "firstseen.server"):
        assert within_patience(is_refused)
        folder.put_aside(held)
        refresher.step()
    assert not refresher.is_fresh()
    assert [record.msg for record in caplog.records] == ["segment_unfit", "segment_dropped"]


def test_segment_is_deleted_what_is_mapped_serves_on(
    path: Path, clock: FakeClock, folder: SegmentFolder, tmp_path: Path
) -> None:
    refresher = Refresher(
        lambda: FlakyStore(path), StoreConfig(path), clock, segments=SegmentWatch(folder, clock)
    )
    write_segment(refresher, folder)
    refresher.step()
    shutil.rmtree(tmp_path / "segments")
    refresher.step()
    assert refresher.is_fresh()
    assert refresher._follower.resets == 0
