"""The builder: when it makes a segment, of what, and what it does when things are wrong."""

import json
import logging
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.running import RunningServer, config_text, running_server
from engine import entries, lmdb_reader
from engine.errors import CorruptError
from engine.follower import Follower
from engine.hashes import HashType
from engine.index_kind import IndexKind
from engine.lmdb_store import LmdbWriter
from engine.segment import SegmentFolder
from firstseen import Client, Plaintext, Verdict
from server import builder as builder_module
from server import refresh
from server.builder import BUILD_INTERVAL_MS, NICENESS, RETRY_MS, Builder
from server.config import Config, parse_config
from server.segment_watch import RETRY_MS as RETRY_READ_MS
from server.segment_watch import SegmentWatch
from tests.engine.values import FakeClock
from tests.server.worlds import PATIENT, make_store, new_item, sent

MIN_ENTRIES = 10
LIMIT_S = 60.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    make_store(tmp_path / "store", MIN_ENTRIES - 1)
    sections = {
        "store": {"path": "store"},
        "match": {"listen": "127.0.0.1:0", "plaintext": True},
        "index": {"segment_min_entries": MIN_ENTRIES},
    }
    return parse_config(sections, tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def builder(config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Iterator[Builder]:
    # LMDB is opened once a process: the store that is followed is the one to write to.
    monkeypatch.setattr(builder_module, "LmdbReader", LmdbWriter)
    builder = Builder(config, clock)
    yield builder
    builder.close()


def load(builder: Builder, first: int, count: int) -> None:
    store: Any = builder._refresher._store
    store.load(1, [new_item(number) for number in range(first, first + count)])


def folder(config: Config) -> SegmentFolder:
    return SegmentFolder(config.index.segments, config.index.kind)


def settle(builder: Builder, is_settled: Callable[[], bool]) -> None:
    """Steps until something that another thread does has happened."""
    end_s = time.monotonic() + LIMIT_S
    while not is_settled():
        assert time.monotonic() < end_s
        builder.step()


def loose(builder: Builder) -> int:
    return builder._refresher.latest().snapshot.loose_count()


def test_short_list_gets_no_segment(builder: Builder, config: Config) -> None:
    builder.step()
    assert folder(config).names() == []


def test_long_list_gets_a_segment_and_another_when_enough_is_new(
    builder: Builder, config: Config, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    load(builder, 100, 1)
    with caplog.at_level(logging.INFO, "firstseen.server"):
        assert builder.step() == 0
    (first,) = folder(config).names()
    assert folder(config).read(first).checkpoint.entry_count == MIN_ENTRIES
    assert [record.msg for record in caplog.records] == ["segment_building", "segment_built"]
    settle(builder, lambda: loose(builder) == 0)
    load(builder, 200, MIN_ENTRIES - 1)
    clock.now_ms += BUILD_INTERVAL_MS
    builder.step()
    assert folder(config).names() == [first]
    load(builder, 300, 1)
    builder.step()
    (second,) = folder(config).names()
    assert second > first
    assert folder(config).read(second).checkpoint.entry_count == 2 * MIN_ENTRIES
    settle(builder, lambda: loose(builder) == 0)


def test_long_list_is_read_and_digested_how_far_is_logged(
    config: Config,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(builder_module, "LmdbReader", LmdbWriter)
    monkeypatch.setattr(builder_module, "PROGRESS_INTERVAL_MS", 0)
    monkeypatch.setattr(lmdb_reader, "_TOLD_ENTRIES", 4)
    monkeypatch.setattr(entries, "_TOLD_ROWS", 4)
    builder = Builder(config, clock)
    load(builder, 100, 1)
    with caplog.at_level(logging.INFO, "firstseen.server"):
        builder.step()
    builder.close()
    told = [r.__dict__["fields"] for r in caplog.records if r.msg == "segment_progress"]
    assert all(fields["percent"] == 100 * fields["done"] // fields["total"] for fields in told)
    lines = [(fields["stage"], fields["done"], fields["total"]) for fields in told]
    digest = [("digest", done, MIN_ENTRIES) for done in (0, 4, 8)]
    read = [done for stage, done, _ in lines if stage == "read"]
    assert read
    assert all(4 <= done <= MIN_ENTRIES for done in read)
    # Read, checked, and checked again when it is written down.
    rest = lines[len(read) :]
    assert rest[:7] == [*digest, *digest, ("index PDQ", 0, MIN_ENTRIES)]
    assert {stage for stage, _, _ in rest[7:]} == {"write"}


def test_builder_starts_with_an_old_segment_it_comes_up_before_it_answers(
    builder: Builder, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(builder, 100, 1)
    builder.step()
    for number in range(200, 205):
        load(builder, number, 1)
    builder.close()
    monkeypatch.setattr(refresh, "Follower", partial(Follower, max_poll_entries=2))
    again = Builder(config, clock)
    again.step()
    assert loose(again) == 5
    again.close()


def test_a_long_load_does_not_keep_it_building(
    builder: Builder, config: Config, clock: FakeClock
) -> None:
    load(builder, 100, 20)
    builder.step()
    (first,) = folder(config).names()
    settle(builder, lambda: loose(builder) == 0)
    load(builder, 200, 100)
    clock.now_ms += BUILD_INTERVAL_MS - 1
    builder.step()
    assert folder(config).names() == [first]
    clock.now_ms += 1
    builder.step()
    assert folder(config).names() != [first]


def test_segment_cannot_be_written_it_is_logged_and_tried_again(
    builder: Builder,
    config: Config,
    clock: FakeClock,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> str:
        raise OSError(28, "SECRET")

    load(builder, 100, 20)
    with monkeypatch.context() as patch, caplog.at_level(logging.INFO, "firstseen.server"):
        patch.setattr(SegmentFolder, "write", fail)
        builder.step()
    assert caplog.records[-1].msg == "segment_failed"
    assert "SECRET" not in repr([record.__dict__ for record in caplog.records])
    builder.step()
    assert folder(config).names() == []
    clock.now_ms += RETRY_MS
    builder.step()
    assert len(folder(config).names()) == 1


def test_what_is_mapped_has_changed_nothing_is_built_of_it(
    builder: Builder, config: Config, clock: FakeClock
) -> None:
    load(builder, 100, 20)
    builder.step()
    settle(builder, lambda: loose(builder) == 0)
    (name,) = folder(config).names()
    values = config.index.segments / name / "PDQ.values.npy"
    with values.open("r+b") as file:
        file.seek(-1, 2)
        last = file.read(1)
        file.seek(-1, 2)
        file.write(bytes([last[0] ^ 1]))
    load(builder, 200, 40)
    clock.now_ms += BUILD_INTERVAL_MS
    with pytest.raises(CorruptError):
        builder.step()
    assert folder(config).names() == []


def test_damaged_segment_is_logged_and_made_again(
    builder: Builder, config: Config, caplog: pytest.LogCaptureFixture
) -> None:
    load(builder, 100, 20)
    builder.step()
    (name,) = folder(config).names()
    (config.index.segments / name / "PDQ.entry_ids.npy").write_bytes(b"")
    watch = SegmentWatch(folder(config), FakeClock())
    with caplog.at_level(logging.INFO, "firstseen.server"):
        assert watch.wait() is None
    assert [record.msg for record in caplog.records] == ["segment_damaged"]
    assert folder(config).names() == []
    # Made again of the same list it has the same name, and is found all the same.
    builder._not_before_ms = 0
    settle(builder, lambda: folder(config).names() == [name])
    assert watch.is_behind()
    settle(builder, lambda: watch.poll() is not None)
    assert not watch.is_behind()


@pytest.mark.parametrize("error", [OSError(24, "Too many open files"), MemoryError()])
def test_segment_cannot_be_read_now_it_stays_and_is_tried_again(
    error: Exception,
    builder: Builder,
    config: Config,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> str:
        raise error

    load(builder, 100, 20)
    builder.step()
    own_clock, segments = FakeClock(), folder(config)
    watch = SegmentWatch(segments, own_clock)
    with monkeypatch.context() as patch:
        patch.setattr(segments, "_digest", fail)
        assert watch.wait() is None
    assert caplog.records[-1].msg == "segment_unreadable"
    assert len(folder(config).names()) == 1
    assert watch.poll() is None
    assert watch._reading is None
    own_clock.now_ms += RETRY_READ_MS
    settle(builder, lambda: watch.poll() is not None)


def events(server: RunningServer) -> list[str]:
    lines = server.output().decode().splitlines()
    return [json.loads(line)["event"] for line in lines]


def await_event(server: RunningServer, event: str, count: int = 1) -> None:
    end_s = time.monotonic() + LIMIT_S
    while events(server).count(event) < count:
        assert time.monotonic() < end_s, server.output()
        server.process.poll()
        time.sleep(0.02)


def niceness_of_builder(server: RunningServer) -> int:
    """The priority of the server's builder process, found as an operator would."""
    listed = subprocess.run(
        ["ps", "-ww", "-o", "ni=,args=", "--ppid", str(server.process.pid)],
        capture_output=True,
        text=True,
        check=True,
    )
    (line,) = [line for line in listed.stdout.splitlines() if line.endswith("--builder")]
    return int(line.split()[0])


def verdicts(server: RunningServer, numbers: range) -> list[Verdict]:
    with Client(server.match, Plaintext(), PATIENT) as client:
        return [client.check(sent(number)).verdict for number in numbers]


def test_workers_serve_from_a_segment_across_changes_restarts_and_damage(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 30)
    index = {"segments": str(tmp_path / "segments"), "segment_min_entries": MIN_ENTRIES}
    settings: Any = {"index": index, "server": {"workers": 2}}
    known, novel = [Verdict.KNOWN] * 30, [Verdict.NOVEL] * 5
    with running_server(store, settings) as server:
        await_event(server, "segment_adopted", 3)  # two workers and the builder itself
        assert niceness_of_builder(server) == NICENESS
        assert verdicts(server, range(30)) == known
        assert verdicts(server, range(90, 95)) == novel
        with LmdbWriter(store) as writer:
            writer.load(writer.banks()[0].bank_id, [new_item(n) for n in range(90, 95)])
            (item_id,) = writer.find(HashType.PDQ, new_item(0).item.hashes[0].value)
            writer.withdraw([item_id])
        end_s = time.monotonic() + LIMIT_S
        # Each time over a new connection: one worker may be a poll behind the other.
        while any(verdicts(server, range(1)) != [Verdict.NOVEL] for _ in range(8)):
            assert time.monotonic() < end_s
        assert verdicts(server, range(2)) == [Verdict.NOVEL, Verdict.KNOWN]
        assert verdicts(server, range(90, 95)) == [Verdict.KNOWN] * 5
    (name,) = [path.name for path in (tmp_path / "segments").glob("0*")]
    with running_server(store, settings) as server:
        await_event(server, "segment_adopted", 2)
        assert verdicts(server, range(2)) == [Verdict.NOVEL, Verdict.KNOWN]
        assert events(server).index("segment_adopted") < events(server).index("serving")
    (tmp_path / "segments" / name / "PDQ.values.npy").write_bytes(b"not an array")
    with running_server(store, settings) as server:
        await_event(server, "segment_built")
        assert "segment_damaged" in events(server)
        assert verdicts(server, range(2)) == [Verdict.NOVEL, Verdict.KNOWN]
        assert verdicts(server, range(90, 95)) == [Verdict.KNOWN] * 5


def test_segment_is_found_damaged_the_workers_drop_it_and_take_another(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 30)
    index = {"segments": str(tmp_path / "segments"), "segment_min_entries": MIN_ENTRIES}
    settings: Any = {"index": index, "server": {"workers": 2}}
    with running_server(store, settings) as server:
        await_event(server, "segment_built")
    with running_server(store, settings) as server:
        await_event(server, "segment_adopted", 3)
        segments = SegmentFolder(tmp_path / "segments", IndexKind.AUTO)
        segments.put_aside(segments.names()[0])
        await_event(server, "segment_dropped", 3)
        await_event(server, "segment_adopted", 6)
        await_event(server, "serving", 4)
        assert verdicts(server, range(30)) == [Verdict.KNOWN] * 30


def test_folder_for_segments_cannot_be_made_the_list_is_served_without(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 30)
    (tmp_path / "file").write_text("in the way")
    index = {"segments": str(tmp_path / "file" / "segments"), "segment_min_entries": MIN_ENTRIES}
    settings: Any = {"index": index}
    with running_server(store, settings) as server:
        assert verdicts(server, range(3)) == [Verdict.KNOWN] * 3
        await_event(server, "builder_died")


def test_sighup_reaches_the_builder_too(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store", 30)
    segments = tmp_path / "segments"
    index = {"segments": str(segments), "segment_min_entries": MIN_ENTRIES}
    with running_server(store, {"index": index}) as server:
        await_event(server, "segment_built")
        text = config_text(store, {"index": {**index, "kind": "mih"}})
        (server.folder / "firstseen.toml").write_text(text, encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        await_event(server, "segment_built", 2)
        kinds = {path.name.split("-")[1] for path in segments.glob("0*")}
        assert kinds == {"auto", "mih"}
        await_event(server, "config_reloaded")
        assert verdicts(server, range(3)) == [Verdict.KNOWN] * 3
