"""Killed at any point: nothing acknowledged is lost, nothing half-done is seen.

| who is killed | when | afterwards |
|---|---|---|
| the indexer, by SIGKILL | at 20 points of a load of 200,000 lines | the store verifies; the log goes on from what a reader saw; answers agree with the oracle; run again, the load ends as if it had not been stopped |
| the server, by SIGKILL | under load | started again, it gives the same answers |
| the disk is full | in the middle of a load | one clear line; the store verifies and is written to again |
"""  # noqa: E501

import random
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from bench import workload
from bench.running import environment, running_server
from bench.stores import new_items, sent_item
from engine.clock import SystemClock
from engine.entries import Checkpoint
from engine.exact_index import ExactIndex
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.lmdb_store import LmdbReader, LmdbWriter, create_store
from engine.policy import BankPolicy
from engine.snapshot import Snapshot
from engine.store_check import check_store
from engine.verdict import Verdict
from firstseen import CallError, Client, Plaintext
from firstseen import Verdict as SdkVerdict
from indexer.exit_codes import ExitCode
from tests.client.test_callee import ONCE
from tests.client.test_client import ITEM as SDK_ITEM
from tests.server.worlds import PATIENT

SEED = 20_26
LINES = 200_000
BATCH = 2_000
POINTS = 20
BANK = "REMOVED"
END_LIMIT_S = 100


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "indexer", *map(str, words)]


def run(
    root: Path, *words: object, **how: Callable[[], None]
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command(*words),
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=END_LIMIT_S,
        preexec_fn=how.get("before"),
    )


@pytest.fixture(scope="module")
def values() -> workload.Values:
    return workload.hashes(LINES, SEED)


@pytest.fixture(scope="module")
def csv(tmp_path_factory: pytest.TempPathFactory, values: workload.Values) -> Path:
    path = tmp_path_factory.mktemp("csv") / "hashes.csv"
    workload.write_csv(path, values)
    return path


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path, SystemClock()) as writer:
        writer.put_bank(BANK, BankPolicy())
    return path


def load_words(csv: Path, store: Path) -> tuple[object, ...]:
    return ("load", csv, "--store", store, "--bank", BANK, "--batch-size", BATCH)


def kill_at(root: Path, csv: Path, store: Path, sequence: int, spins: int) -> Checkpoint:
    """Kills a load once a reader has seen so many changes; gives the last that it saw."""
    process = subprocess.Popen(
        command(*load_words(csv, store)),
        cwd=root,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with LmdbReader(store) as reader:
        seen = reader.head()
        while seen.sequence < sequence and process.poll() is None:
            seen = reader.head()
        for _ in range(spins):  # some way into the next change
            seen = reader.head()
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert process.returncode in {-signal.SIGKILL, 0}
    return seen


def check_after(store: Path, seen: Checkpoint, values: workload.Values) -> None:
    """The store is whole, goes on from what was seen, and answers as the oracle does."""
    with LmdbReader(store) as reader:
        assert list(check_store(reader)) == []
        head = reader.head()
        assert head.sequence >= seen.sequence
        assert seen == Checkpoint(0, 0, 0) or seen in {r.checkpoint for r in reader.iter_log()}
        contents = reader.contents()
    listed = contents.columns[HashType.PDQ].values
    assert np.array_equal(listed, values[: head.entry_count])
    snapshot = Snapshot.of(contents)
    queries = workload.queries(values, 60, head.sequence)
    oracle = ExactIndex.build(listed) if len(listed) else None
    near = set(oracle.search(queries, 31).queries.tolist()) if oracle else set()
    for number, query in enumerate(queries):
        item = Item(MediaType.IMAGE, (Hash(HashType.PDQ, HashValue(query.tobytes()), 100),))
        assert (snapshot.judge(item) is Verdict.KNOWN) == (number in near)


def check_served(store: Path, values: workload.Values) -> None:
    """A server over a store that a killed indexer left answers as the oracle does."""
    with LmdbReader(store) as reader:
        listed = reader.contents().columns[HashType.PDQ].values
    queries = workload.queries(values, 100, SEED)
    near = set(ExactIndex.build(listed).search(queries, 31).queries.tolist())
    with running_server(store) as server, Client(server.match, Plaintext(), PATIENT) as client:
        found = [client.check(sent_item(query)).verdict for query in queries]
    assert {n for n, verdict in enumerate(found) if verdict is SdkVerdict.KNOWN} == near
    assert near


def kill_and_check(
    root: Path, csv: Path, store: Path, values: workload.Values, points: int
) -> None:
    chance = random.Random(SEED + points)
    batches = LINES // BATCH
    stops = sorted(chance.sample(range(1, batches), points))
    for stop in stops:
        with LmdbReader(store) as reader:
            before = reader.head().sequence
        seen = kill_at(root, csv, store, max(before, stop + 1), chance.randrange(20_000))
        check_after(store, seen, values)
    check_served(store, values)
    assert run(root, "verify", "--store", store).returncode == ExitCode.DONE
    ended = run(root, *load_words(csv, store))
    assert ended.returncode == ExitCode.DONE, ended.stderr
    with LmdbReader(store) as reader:
        head = reader.head()
    assert head.entry_count == LINES
    check_after(store, head, values)


def test_indexer_killed_in_a_load_loses_nothing(
    root: Path, csv: Path, store: Path, values: workload.Values
) -> None:
    kill_and_check(root, csv, store, values, 3)


@pytest.mark.slow
def test_indexer_killed_at_twenty_points_loses_nothing(
    root: Path, csv: Path, store: Path, values: workload.Values
) -> None:
    kill_and_check(root, csv, store, values, POINTS)


def test_server_killed_under_load_gives_the_same_answers_again(
    csv: Path, store: Path, values: workload.Values
) -> None:
    with LmdbWriter(store, SystemClock()) as writer:
        writer.load(writer.banks()[0].bank_id, new_items(values[:5_000]))
    queries = [sent_item(query) for query in workload.queries(values[:5_000], 200, SEED)]

    def answers(client: Client) -> list[SdkVerdict]:
        return [client.check(item).verdict for item in queries]

    with running_server(store) as server:
        with Client(server.match, Plaintext(), PATIENT) as client:
            before = answers(client)
        assert set(before) == {SdkVerdict.KNOWN, SdkVerdict.NOVEL}
        stopped: list[Exception] = []
        busy = threading.Barrier(5)

        def hammer() -> None:
            with Client(server.match, Plaintext(), ONCE) as client:
                client.check(SDK_ITEM)
                busy.wait(END_LIMIT_S)
                try:
                    while True:
                        for want, item in zip(before, queries, strict=True):
                            assert client.check(item).verdict is want
                except CallError as error:
                    stopped.append(error)

        threads = [threading.Thread(target=hammer) for _ in range(4)]
        for thread in threads:
            thread.start()
        busy.wait(END_LIMIT_S)
        server.process.kill()
        server.process.wait(END_LIMIT_S)
        for thread in threads:
            thread.join(END_LIMIT_S)
        assert len(stopped) == 4
    with LmdbReader(store) as reader:
        assert list(check_store(reader)) == []
    with running_server(store) as server, Client(server.match, Plaintext(), PATIENT) as client:
        assert answers(client) == before


def test_full_map_is_a_clear_error_and_the_store_stays_whole(
    root: Path, csv: Path, tmp_path: Path, values: workload.Values
) -> None:
    store = tmp_path / "small"
    create_store(store, map_size_bytes=4 << 20)
    with LmdbWriter(store, SystemClock()) as writer:
        writer.put_bank(BANK, BankPolicy())
    check_full(run(root, *load_words(csv, store)), store, values)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of eight mebibytes, where this may be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        done = subprocess.run(mount, capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("no mount command")
    if done.returncode != 0:
        pytest.skip("may not mount a file system here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_full_disk_is_a_clear_error_and_the_store_stays_whole(
    root: Path, csv: Path, tiny_disk: Path, values: workload.Values
) -> None:
    store = tiny_disk / "store"
    create_store(store)
    with LmdbWriter(store, SystemClock()) as writer:
        writer.put_bank(BANK, BankPolicy())
    check_full(run(root, *load_words(csv, store)), store, values)


def test_file_that_may_not_grow_is_a_clear_error_and_the_store_stays_whole(
    root: Path, csv: Path, store: Path, values: workload.Values
) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (6 << 20, 6 << 20))

    check_full(run(root, *load_words(csv, store), before=limit), store, values)


def check_full(
    done: "subprocess.CompletedProcess[str]", store: Path, values: workload.Values
) -> None:
    assert done.returncode == ExitCode.STORE_FULL, (done.returncode, done.stderr)
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert "no room" in line or "full" in line, line
    with LmdbReader(store) as reader:
        head = reader.head()
    assert 0 < head.entry_count < LINES
    check_after(store, head, values)
    with LmdbWriter(store, SystemClock()) as writer:
        (bank,) = writer.banks()
        writer.withdraw([next(writer.iter_items(bank.bank_id)).item_id])
        assert list(check_store(writer)) == []
        assert writer.head().entry_count == head.entry_count - 1
