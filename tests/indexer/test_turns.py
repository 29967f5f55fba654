"""Commands that write at the same time: each has its turn, between two batches of a load."""

import contextlib
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from bench.running import ROOT, environment
from engine.entries import ItemId
from engine.errors import WriterBusyError
from engine.hashes import HashType
from engine.lmdb_store import LmdbReader, LmdbWriter
from engine.policy import BankPolicy
from engine.store import ChangeKind
from engine.store_check import check_store
from engine.store_lock import load_under_way
from indexer import load_command, stores, withdraw
from indexer.console import Console
from indexer.exit_codes import ExitCode
from indexer.feeds.reading import Read
from indexer.stores import WAIT_LIMIT_MS, writing
from tests.indexer.stores import LIMIT_S, Command, listed, pdq_lines, picture, run, value
from tests.indexer.stores import command as command_line
from tests.indexer.test_console import SteppingClock

UNDER_WAY = "others write to this store"


def line(number: int, quality: int = 90) -> Read:
    """A picture as a line of a list."""
    return number, picture(number, quality)


@pytest.fixture
def load(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, int]]:
    """Loads a feed in batches of two, between which it may do as it likes."""

    def run_load(feed: Iterator[Read], code: int = 0) -> dict[str, int]:
        source = tmp_path / "list.txt"
        source.touch()
        monkeypatch.setattr(load_command, "read_file", lambda *_: feed)
        return command("load", source, "--batch-size", 2, code=code)[0]

    return run_load


def load_shut_out(load: Callable[..., dict[str, int]], store: Path, code: ExitCode) -> None:
    """Loads two batches, the second while another writes without end."""
    with contextlib.ExitStack() as stack:

        def feed() -> Iterator[Read]:
            yield from map(line, (1, 2))
            stack.enter_context(LmdbWriter(store))
            yield from map(line, (3, 4))

        load(feed(), code=code)


def test_load_lets_others_withdraw_between_two_batches(
    load: Callable[..., dict[str, int]], store: Path
) -> None:
    def feed() -> Iterator[Read]:
        yield from map(line, (1, 2))
        with LmdbWriter(store) as other:
            assert other.withdraw([ItemId(1)], "urgent").removed_items == 1
        yield from map(line, (3, 4, 5))

    told = load(feed())
    assert (told["added_items"], told["duplicates"]) == (5, 0)
    assert [item.hashes[0].value for item, _ in listed(store)] == [*map(value, (2, 3, 4, 5))]
    with LmdbReader(store) as reader:
        kinds = [record.kind for record in reader.iter_log()]
        assert list(check_store(reader)) == []
        assert told["sequence"] == reader.head().sequence
    took_out, loaded = ChangeKind.WITHDRAW, ChangeKind.LOAD
    assert kinds == [ChangeKind.BANK, loaded, took_out, loaded, loaded]


def test_item_that_two_loads_list_is_listed_once(
    load: Callable[..., dict[str, int]], store: Path
) -> None:
    def feed() -> Iterator[Read]:
        yield line(1)
        with LmdbWriter(store) as other:
            other.load(other.banks()[0].bank_id, [picture(1)])
        yield line(2)

    told = load(feed())
    assert (told["added_items"], told["duplicates"]) == (1, 1)
    assert len(listed(store)) == 2


def test_batch_is_listed_by_the_policy_that_the_bank_has_by_then(
    load: Callable[..., dict[str, int]], store: Path
) -> None:
    def feed() -> Iterator[Read]:
        yield line(1, quality=60)
        yield line(2, quality=90)
        yield line(3, quality=60)
        with LmdbWriter(store) as other:
            [bank] = other.banks()
            limits = replace(bank.policy.types[HashType.PDQ], min_quality=80)
            types = MappingProxyType({**bank.policy.types, HashType.PDQ: limits})
            other.put_bank(bank.name, replace(bank.policy, types=types))
        yield line(4, quality=90)
        yield line(5, quality=60)

    told = load(feed(), code=ExitCode.REJECTS)
    assert (told["read"], told["added_items"], told["rejected"]) == (5, 3, 2)
    assert [item.hashes[0].value for item, _ in listed(store)] == [*map(value, (1, 2, 4))]


def test_load_that_never_has_its_turn_says_what_it_listed(
    load: Callable[..., dict[str, int]],
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(stores, "WAIT_LIMIT_MS", 0)
    notes: list[str] = []
    monkeypatch.setattr(Console, "note", lambda _, text, *__: notes.append(text))
    load_shut_out(load, store, ExitCode.STORE_BUSY)
    assert notes[0] == "2 new items are listed; run the same command again to go on"
    assert "another process is writing" in notes[1]


@pytest.mark.parametrize("name", ["load", "withdraw"])
def test_dry_run_waits_for_nobody(name: str, store: Path, tmp_path: Path) -> None:
    feed = tmp_path / "list.txt"
    feed.write_text(pdq_lines(1))
    bank = ("--bank", "REMOVED", "--store", store)
    run("load", feed, *bank)
    with LmdbWriter(store):
        assert run(name, feed, *bank, "--dry-run").returncode == ExitCode.DONE
        assert run("stat", "--store", store).returncode == ExitCode.DONE


def test_command_that_has_to_wait_says_so_and_goes_on(store: Path, tmp_path: Path) -> None:
    feed = tmp_path / "list.txt"
    feed.write_text(pdq_lines(1))
    words = ("load", feed, "--bank", "REMOVED", "--store", store)
    with LmdbWriter(store):
        processes = [
            subprocess.Popen(
                command_line(*words),
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
            for _ in range(2)
        ]
        for process in processes:
            assert process.stderr is not None
            assert "writing to the store; waiting for up to 10 min" in process.stderr.readline()
        processes[0].send_signal(signal.SIGINT)
        processes[0].communicate(timeout=LIMIT_S)
    processes[1].communicate(timeout=LIMIT_S)
    assert [process.returncode for process in processes] == [ExitCode.STOPPED, ExitCode.DONE]
    assert len(listed(store)) == 1


def test_wait_for_the_store_has_an_end(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clock = SteppingClock()

    def pause(_: float) -> None:
        clock.now_ms += 500

    with LmdbWriter(store), pytest.raises(WriterBusyError, match="waited 10 min 0 s for it"):
        writing(store, Console(clock=clock), pause=pause)
    assert clock.now_ms == WAIT_LIMIT_MS
    assert capsys.readouterr().err.count("waiting for up to") == 1


def test_short_wait_is_not_worth_a_word(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = LmdbWriter(store)
    with writing(store, Console(clock=SteppingClock()), pause=lambda _: other.close()) as writer:
        writer.put_bank("OTHER", BankPolicy())
    assert capsys.readouterr().err == ""


def test_what_takes_out_during_a_load_says_that_it_may_not_be_all(
    command: Command, store: Path, tmp_path: Path
) -> None:
    feed = tmp_path / "list.txt"
    feed.write_text(pdq_lines(2))
    where = ("--store", store)
    clear = ("banks", "clear", "REMOVED", "--yes", *where)
    with load_under_way(store):
        command("load", feed)
        assert UNDER_WAY in command("withdraw", feed)[1]
        assert UNDER_WAY in run(*clear).stderr.decode()
    assert UNDER_WAY not in command("withdraw", feed)[1]
    assert UNDER_WAY not in run(*clear).stderr.decode()


def test_load_says_that_it_is_under_way(load: Callable[..., dict[str, int]], store: Path) -> None:
    def feed() -> Iterator[Read]:
        yield line(1)
        assert UNDER_WAY in run("withdraw", "--source", "x", "--store", store).stderr.decode()
        # What is listed anew has another id.
        assert UNDER_WAY not in run("withdraw", "--item", 7, "--store", store).stderr.decode()

    load(feed())
    assert UNDER_WAY not in run("withdraw", "--source", "x", "--store", store).stderr.decode()


def test_withdrawal_says_that_something_was_listed_since_it_looked(
    command: Command, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = tmp_path / "list.txt"
    feed.write_text(pdq_lines(2))
    command("load", feed)

    def writing_late(path: Path, console: Console) -> LmdbWriter:
        with LmdbWriter(path) as other:
            other.load(other.banks()[0].bank_id, [picture(9)])
        return writing(path, console)

    monkeypatch.setattr(withdraw, "writing", writing_late)
    told, said = command("withdraw", feed)
    assert told["removed_items"] == 2
    assert UNDER_WAY in said


def test_interrupted_load_waits_no_longer(
    load: Callable[..., dict[str, int]], store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    def interrupted(pause_s: float) -> None:
        waits.append(pause_s)
        raise KeyboardInterrupt

    monkeypatch.setattr(
        load_command, "writing", lambda *args, **words: writing(*args, **words, pause=interrupted)
    )
    load_shut_out(load, store, ExitCode.STOPPED)
    assert len(waits) == 1
    assert len(listed(store)) == 2
