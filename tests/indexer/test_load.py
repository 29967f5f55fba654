"""What a load promises: the same end however often, a dry run that is right, and no half batch."""

import itertools
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.running import ROOT, environment
from engine.entries import Checkpoint, Labels, NewItem
from engine.hashes import SPECS, Hash, HashType, Item, MediaType
from engine.lmdb_store import LmdbReader, LmdbWriter
from engine.policy import Bank, BankId, BankPolicy
from engine.store import LoadResult
from indexer import preview
from indexer.__main__ import main
from indexer.exit_codes import ExitCode
from indexer.feeds.reading import MAX_ITEM_HASHES, Read
from indexer.feeds.rejects import Rejects
from indexer.load import COMMIT_INTERVAL_MS, Admit, Loader
from indexer.preview import Preview
from tests.indexer.stores import LIMIT_S, command, listed, pdq_lines, run, run_json, value
from tests.indexer.test_console import SteppingClock

COUNTS = ("read", "added_items", "added_hashes", "duplicates", "rejected", "hashes_left_out")

LABEL = st.text(st.characters(codec="utf-8", exclude_characters="\n\r\0"), max_size=8)


@st.composite
def new_items(draw: st.DrawFn) -> NewItem:
    """An item that a bank with the default policy takes."""
    hashes = []
    for _ in range(draw(st.integers(1, 3))):
        hash_type = draw(st.sampled_from(list(HashType)))
        spec = SPECS[hash_type]
        quality = draw(st.none() | st.integers(50, 100)) if spec.has_quality else None
        frame, page = draw(st.sampled_from([(None, None), (1500, None), (None, 3)]))
        raw = value(draw(st.integers(0, 20)), spec.size_bytes)
        hashes.append(Hash(hash_type, raw, quality, frame, page))
    labels = Labels(draw(LABEL), draw(st.integers(0, 9)), draw(LABEL), draw(LABEL))
    return NewItem(Item(draw(st.sampled_from(list(MediaType))), tuple(hashes)), labels)


# On a busy machine the first text takes a second: a table of Unicode is made for it.
@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(items=st.lists(new_items(), max_size=12))
@pytest.mark.parametrize("format_", ["csv", "ndjson"])
def test_export_loads_back_to_the_same_list(
    format_: str,
    items: list[NewItem],
    tmp_path_factory: pytest.TempPathFactory,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path_factory.mktemp("round")
    store, out = folder / "store", str(folder / f"out.{format_}")
    where = ["--store", str(store), "--json"]
    assert main(["init", *where]) == ExitCode.DONE
    with LmdbWriter(store) as writer:
        writer.load(writer.put_bank("REMOVED", BankPolicy()).bank_id, items)
    assert main(["export", out, "--bank", "REMOVED", "--format", format_, *where]) == ExitCode.DONE
    assert main(["load", out, "--bank", "COPY", "--create-bank", *where]) == ExitCode.DONE
    assert listed(store, "COPY") == listed(store)
    assert main(["verify", *where]) == ExitCode.DONE
    capsys.readouterr()


def test_label_that_csv_cannot_hold_is_said(store: Path, tmp_path: Path) -> None:
    row = f'{{"type":"pdq","value":"{value(1).hex()}","source":"a\\nb"}}'
    run_json("load", "-", "--bank", "REMOVED", "--store", store, stdin=row.encode())
    out = tmp_path / "out"
    done = run("export", out, "--bank", "REMOVED", "--store", store)
    assert done.returncode == ExitCode.USAGE
    assert b"item 1: source holds a line break" in done.stderr
    assert list(tmp_path.glob("out*")) == []
    for path in (out, "-"):
        done = run("export", path, "--bank", "REMOVED", "--format", "ndjson", "--store", store)
        assert done.returncode == ExitCode.DONE
    assert done.stdout == out.read_bytes()


FEED = (
    "quality,pdq,md5\n"
    + "".join(f"100,{value(i % 7).hex()},\n" for i in range(20))
    + f"40,{value(30).hex()},{value(30, 16).hex()}\n"  # the PDQ is left out
    + f"40,{value(31).hex()},\n"  # nothing is left
    + f",,{value(30, 16).hex()}\n"  # what the left-out one became
    + "100,bad,\n"
)


@pytest.mark.parametrize("batch_size", [1, 3, 1000])
@pytest.mark.parametrize("bank", ["REMOVED", "NEW"])
def test_dry_run_counts_what_the_load_does(
    bank: str, batch_size: int, store: Path, tmp_path: Path
) -> None:
    run_json("load", "-", "--bank", "REMOVED", "--store", store, stdin=pdq_lines(2).encode())
    feed = tmp_path / "a.csv"
    feed.write_text(FEED, encoding="utf-8")
    where = ("--bank", bank, "--create-bank", "--store", store)
    load = ("load", feed, *where, "--batch-size", batch_size)
    before = listed(store)
    dry = run_json(*load, "--dry-run", code=ExitCode.REJECTS)
    assert listed(store) == before
    with LmdbReader(store) as reader:
        assert [b.name for b in reader.banks()] == ["REMOVED"]
    done = run_json(*load, code=ExitCode.REJECTS)
    assert [dry[name] for name in COUNTS] == [done[name] for name in COUNTS]
    assert dry["exact"]
    assert done["hashes_left_out"] == 1
    assert done["rejected"] == 2
    again = run_json(*load, code=ExitCode.REJECTS)
    assert (again["added_items"], again["duplicates"]) == (0, 22)
    assert again["sequence"] == done["sequence"]


def test_dry_run_that_forgets_says_so(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "MAX_REMEMBERED", 1)
    with LmdbWriter(store) as writer:
        dry = Preview(writer, writer.banks()[0].bank_id)
        items = [NewItem(Item(MediaType.IMAGE, (Hash(HashType.PDQ, value(i)),))) for i in (0, 1)]
        assert dry.is_exact
        dry.load(items)
        assert not dry.is_exact


def test_rejects_are_written_without_a_value(store: Path, tmp_path: Path) -> None:
    canary = value(77).hex()
    feed = tmp_path / "a.csv"
    feed.write_text(
        f"pdq,quality\n{canary}0,\n{canary[:-1]},\n{canary},20\n{canary},{canary}\n",
        encoding="utf-8",
    )
    rejects = tmp_path / "rejects.csv"
    done = run("load", feed, "--bank", "REMOVED", "--store", store, "--rejects", rejects)
    assert done.returncode == ExitCode.REJECTS
    text = rejects.read_text(encoding="utf-8")
    assert [line.split(",")[0] for line in text.splitlines()] == ["place", "2", "3", "4", "5"]
    for shown in (text, done.stdout.decode(), done.stderr.decode()):
        assert canary[:16] not in shown


def test_many_rejects_are_shown_in_part(store: Path) -> None:
    done = run("load", "-", "--bank", "REMOVED", "--store", store, stdin=b"bad\n" * 1000)
    assert len(done.stderr.splitlines()) == 12
    assert b"and 990 more" in done.stderr


def head(store: Path) -> int:
    with LmdbReader(store) as reader:
        return reader.head().sequence


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_load_that_is_ended_midway_is_run_again(
    how: signal.Signals, store: Path, tmp_path: Path
) -> None:
    lines = 30_000
    feed = tmp_path / "a.txt"
    feed.write_text(pdq_lines(lines), encoding="utf-8")
    load = ("load", feed, "--bank", "REMOVED", "--store", store, "--batch-size", 100)
    process = subprocess.Popen(
        command(*load),
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + LIMIT_S
    while head(store) < 10:
        assert process.poll() is None
        assert time.monotonic() < deadline
    process.send_signal(how)
    _, stderr = process.communicate(timeout=LIMIT_S)
    assert process.returncode == (ExitCode.STOPPED if how is signal.SIGINT else -how)
    assert b"Traceback" not in stderr
    kept = listed(store)
    assert 0 < len(kept) < lines
    # Ctrl-C lists what was read until then; what is killed leaves whole batches.
    assert how is signal.SIGINT or len(kept) % 100 == 0
    assert run_json("verify", "--store", store)["clean"]
    again = run_json(*load)
    assert again["duplicates"] == len(kept)
    wanted = itertools.chain.from_iterable(item.hashes for item, _ in listed(store))
    assert [hash_.value for hash_ in wanted] == [value(i) for i in range(lines)]


@pytest.mark.parametrize("format_", ["csv", "ndjson"])
def test_longest_item_loads_back(format_: str, store: Path, tmp_path: Path) -> None:
    frames = [
        Hash(HashType.PDQ_TILE, value(number), 100, number * 700)
        for number in range(MAX_ITEM_HASHES - 2)
    ]
    whole = Hash(HashType.VIDEOHASH, value(1, 8), frame_offset_ms=14_000_000)
    hashes = (*frames, whole, Hash(HashType.TLSH, value(1, 35)))
    with LmdbWriter(store) as writer:
        bank = writer.put_bank("LONG", BankPolicy())
        writer.load(bank.bank_id, [NewItem(Item(MediaType.VIDEO, hashes))])
    out, where = str(tmp_path / "out"), ["--store", str(store), "--json", "--format", format_]
    assert main(["export", out, "--bank", "LONG", *where]) == ExitCode.DONE
    assert main(["load", out, "--bank", "REMOVED", *where]) == ExitCode.DONE
    [(item, _)] = listed(store)
    assert item.hashes == hashes


def loader(clock: SteppingClock, *, is_slow: bool) -> tuple[Loader, list[int]]:
    """A loader that lists nothing, and how large each of its commits was."""
    commits: list[int] = []

    def commit(admit: Admit, _: bool) -> LoadResult:
        batch = admit(bank)
        commits.append(len(batch))
        by_type = Counter(new.item.media_type for new in batch)
        return LoadResult(Checkpoint(1, 1, 1), len(batch), len(batch), 0, by_type)

    bank = Bank(BankId(1), "REMOVED")
    return Loader(bank, commit, Rejects(), clock, 1_000, is_slow=is_slow), commits


def one_hash_items(count: int) -> Iterator[Read]:
    for number in range(count):
        hashes = (Hash(HashType.PDQ, value(number), 90),)
        yield number, NewItem(Item(MediaType.VIDEO, hashes), Labels())


def test_load_that_is_stopped_lists_what_was_read() -> None:
    def stopping() -> Iterator[Read]:
        yield from one_hash_items(5)
        raise KeyboardInterrupt

    stopped, commits = loader(SteppingClock(), is_slow=False)
    with pytest.raises(KeyboardInterrupt):
        stopped.load(stopping(), lambda *_: None, lambda: None)
    assert commits == [5]
    assert stopped.totals.added_by_type == {MediaType.VIDEO: 5}


@pytest.mark.parametrize(("is_slow", "wanted"), [(True, [2, 2, 2]), (False, [6])])
def test_slow_items_do_not_wait_for_others_to_be_listed(is_slow: bool, wanted: list[int]) -> None:
    clock = SteppingClock()

    def videos() -> Iterator[Read]:
        for read in one_hash_items(6):
            clock.now_ms += COMMIT_INTERVAL_MS // 2
            yield read

    made, commits = loader(clock, is_slow=is_slow)
    made.load(videos(), lambda *_: None, lambda: None)
    assert commits == wanted
