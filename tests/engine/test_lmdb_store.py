"""The store on LMDB: what every store promises, and what files, locks and processes add."""

import errno
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import lmdb
import pytest

from bench.running import environment
from engine.entries import Checkpoint, NewItem
from engine.errors import (
    CorruptError,
    EngineError,
    InvalidInputError,
    StoreFullError,
    StoreUnusableError,
    WriterBusyError,
)
from engine.lmdb_env import Environment, Table
from engine.lmdb_store import LmdbReader, LmdbWriter, create_store
from engine.policy import BankId, BankPolicy
from engine.store import StoreWriter
from engine.store_check import check_store
from tests.engine.store_contract import StoreContract, new
from tests.engine.values import FakeClock, frame, video


class TestLmdbStore(StoreContract):
    """On a disk."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[StoreWriter]:
        if not path.exists():
            create_store(path)
        with LmdbWriter(path, FakeClock()) as store:
            yield store
            assert list(check_store(store)) == []


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one bank and three items."""
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        writer.load(bank.bank_id, new(1, 2, 3))
    return path


def run(root: Path, code: str, path: Path) -> str:
    """What some code prints, in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_second_writer_is_refused_at_once(path: Path, root: Path) -> None:
    with LmdbWriter(path):
        with pytest.raises(WriterBusyError):
            LmdbWriter(path)
        code = (
            "import sys; from pathlib import Path\n"
            "from engine.errors import WriterBusyError; from engine.lmdb_store import LmdbWriter\n"
            "try: LmdbWriter(Path(sys.argv[1]))\n"
            "except WriterBusyError: print('busy')"
        )
        assert run(root, code, path) == "busy"
    with LmdbWriter(path) as writer:
        assert writer.head().entry_count == 9


def test_writer_that_was_killed_leaves_no_lock(path: Path, root: Path) -> None:
    code = (
        "import os, signal, sys; from pathlib import Path\n"
        "from engine.lmdb_store import LmdbWriter\n"
        "writer = LmdbWriter(Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    with pytest.raises(subprocess.CalledProcessError):
        run(root, code, path)
    with LmdbWriter(path) as writer:
        assert list(check_store(writer)) == []


def test_reader_in_another_process_sees_whole_checkpoints(path: Path, root: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from engine.lmdb_store import LmdbReader; from engine.snapshot import Snapshot\n"
        "with LmdbReader(Path(sys.argv[1])) as reader:\n"
        "    last = None\n"
        "    while last is None or last.entry_count < 9 + 3 * 60:\n"
        "        last = Snapshot.of(reader.contents()).checkpoint\n"
        "    print(last.entry_count)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        cwd=root,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    with LmdbWriter(path) as writer:
        bank_id = writer.banks()[0].bank_id
        for number in range(10, 70):
            writer.load(bank_id, new(number))
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (0, "189")


def fill(writer: LmdbWriter, bank_id: BankId) -> Checkpoint:
    """Loads until there is no room left; gives the last head."""
    for number in range(0, 1_000_000, 40):
        before = writer.head()
        try:
            writer.load(bank_id, new(*range(number, number + 40)))
        except StoreFullError as error:
            assert "map size" in str(error)  # noqa: PT017
            return before
    raise AssertionError("the store did not fill up")


def test_full_store_keeps_what_it_had_and_can_still_withdraw(tmp_path: Path) -> None:
    path = tmp_path / "small"
    create_store(path, map_size_bytes=256 << 10)
    with LmdbWriter(path) as writer:
        bank_id = writer.put_bank("REMOVED", BankPolicy()).bank_id
        before = fill(writer, bank_id)
        assert writer.head() == before
        assert list(check_store(writer)) == []
        first = [i.item_id for i in writer.iter_items()][:20]
        assert writer.withdraw(first).removed_items == 20
        assert list(check_store(writer)) == []


def cut(path: Path, size: int) -> None:
    with (path / "data.mdb").open("r+b") as stream:
        stream.truncate(size)


def overwrite(path: Path, data: bytes, at: int = 0) -> None:
    with (path / "data.mdb").open("r+b") as stream:
        stream.seek(at)
        stream.write(data)


def set_format(path: Path, version: int) -> None:
    with lmdb.open(str(path), max_dbs=5) as env, env.begin(write=True) as txn:
        txn.put(b"format", version.to_bytes(4), db=env.open_db(b"meta", txn=txn))


def drop_format(path: Path) -> None:
    with lmdb.open(str(path), max_dbs=5) as env, env.begin(write=True) as txn:
        txn.delete(b"format", db=env.open_db(b"meta", txn=txn))


UNUSABLE: list[tuple[str, Callable[[Path], object], type[EngineError]]] = [
    ("empty file", lambda path: cut(path, 0), StoreUnusableError),
    ("half of the file", lambda path: cut(path, 20_480), CorruptError),
    ("a page", lambda path: cut(path, 4_096), CorruptError),
    ("some bytes", lambda path: cut(path, 100), CorruptError),
    ("garbage", lambda path: overwrite(path, b"\xa5" * 8_192), CorruptError),
    ("zeros", lambda path: overwrite(path, bytes(8_192)), CorruptError),
    ("newer format", lambda path: set_format(path, 2), StoreUnusableError),
    ("no format", drop_format, StoreUnusableError),
    ("no file", lambda path: (path / "data.mdb").unlink(), StoreUnusableError),
]


@pytest.mark.parametrize(("name", "damage", "error"), UNUSABLE, ids=[u[0] for u in UNUSABLE])
def test_store_that_cannot_be_opened_says_so_and_stays_as_it_is(
    path: Path, name: str, damage: Callable[[Path], object], error: type[EngineError]
) -> None:
    damage(path)
    data = path / "data.mdb"
    before = data.read_bytes() if data.exists() else None
    for opener in (LmdbReader, LmdbWriter):
        with pytest.raises(error):
            opener(path)
    assert (data.read_bytes() if data.exists() else None) == before


def test_folder_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    for opener in (LmdbReader, LmdbWriter):
        with pytest.raises(StoreUnusableError, match="no store here"):
            opener(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_store_without_permission_says_so(path: Path) -> None:
    (path / "data.mdb").chmod(0)
    with pytest.raises(StoreUnusableError, match="permission"):
        LmdbReader(path)


def test_store_of_something_else_is_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path)) as env, env.begin(write=True) as txn:
        txn.put(b"a", b"b")
    with pytest.raises(StoreUnusableError, match="not a Firstseen store"):
        LmdbReader(tmp_path)


def test_store_is_not_made_over_another(path: Path) -> None:
    with pytest.raises(InvalidInputError, match="holds a store already"):
        create_store(path)
    with LmdbReader(path) as reader:
        assert reader.head().entry_count == 9
    assert [child.name for child in path.iterdir() if child.name.startswith(".creating")] == []


def test_store_made_in_a_folder_that_cannot_be_made_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusableError):
        create_store(tmp_path / "file" / "store")


def test_replaced_store_is_noticed(path: Path, tmp_path: Path) -> None:
    create_store(tmp_path / "other")
    with LmdbReader(path) as reader:
        assert not reader.is_replaced()
        (tmp_path / "other" / "data.mdb").replace(path / "data.mdb")
        assert reader.is_replaced()
        assert reader.head().entry_count == 9


def test_head_of_an_unchanged_store_takes_no_transaction(
    path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from engine.lmdb_store import LmdbWriter\n"
        "with LmdbWriter(Path(sys.argv[1])) as writer: writer.clear(writer.banks()[0].bank_id)"
    )
    with LmdbReader(path) as reader:
        before = reader.head()
        with monkeypatch.context() as patch:
            patch.setattr(reader.environment, "read", None)
            assert reader.head() == before
        run(root, code, path)
        assert (reader.head().sequence, reader.head().entry_count) == (before.sequence + 1, 0)


def test_head_is_not_taken_for_that_of_a_change_that_is_written_and_not_shown_yet(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LmdbWriter(path) as store:
        number = store.environment.change_number
        with monkeypatch.context() as patch:
            patch.setattr(Environment, "change_number", number + 1)
            before = store.head()
        store.load(BankId(1), new(4))
        assert store.environment.change_number == number + 1
        assert store.head().sequence == before.sequence + 1


def test_head_waits_while_the_file_is_mapped_anew(path: Path) -> None:
    with LmdbReader(path) as reader, ThreadPoolExecutor(1) as pool:
        before = reader.head()
        with reader.environment._reads.none():
            asked = pool.submit(reader.head)
            with pytest.raises(TimeoutError):
                asked.result(0.2)
        assert asked.result(60) == before


def test_head_of_a_closed_store_is_an_error(path: Path) -> None:
    with LmdbReader(path) as reader:
        reader.head()
    with pytest.raises(StoreUnusableError):
        reader.head()


def test_backup_taken_of_a_closed_store_is_the_store(path: Path, tmp_path: Path) -> None:
    backup = tmp_path / "backup"
    backup.mkdir()
    (backup / "data.mdb").write_bytes((path / "data.mdb").read_bytes())
    with LmdbReader(backup) as copied:
        stat, head = copied.stat(), copied.head()
        assert list(check_store(copied)) == []
    with LmdbReader(path) as reader:
        assert (reader.stat().store_id, reader.head()) == (stat.store_id, head)
        assert sum(stat.items_by_bank.values()) == 3
        assert 0 < stat.used_bytes < stat.map_size_bytes


GROWS = """
import sys; from pathlib import Path
from engine.lmdb_store import LmdbWriter
from tests.engine.store_contract import new
with LmdbWriter(Path(sys.argv[1])) as writer:
    writer._env.grow()
    bank_id = writer.banks()[0].bank_id
    while writer._env.used_bytes < 1 << 20:
        numbers = range(len(list(writer.iter_log())) * 1_000, 1 << 30)[:1_000]
        writer.load(bank_id, new(*numbers))
"""


def test_store_grows_while_it_is_read_the_read_ends_before_another_begins(
    tmp_path: Path, root: Path
) -> None:
    path = tmp_path / "small"
    create_store(path, map_size_bytes=1 << 19)
    with LmdbWriter(path) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        writer.load(bank.bank_id, new(1, 2, 3))
    with LmdbReader(path) as reader, ThreadPoolExecutor(1) as pool:
        items = reader.iter_items()
        before = [next(items)]
        run(root, GROWS, path)
        head = pool.submit(reader.head)
        with pytest.raises(TimeoutError):
            head.result(0.2)
        before += items
        assert len(before) == 3
        assert head.result(30).entry_count > 1_000


@pytest.mark.parametrize("seed", range(12))
def test_store_opens_after_a_withdrawal_that_frees_its_end(seed: int, path: Path) -> None:
    """LMDB counts pages that a change took and freed again, and does not write them."""
    chance = random.Random(seed)

    def clip() -> NewItem:
        frames = range(chance.choice([2, 15, 300, 900]))
        return NewItem(video(*(frame(chance.randbytes(32), 500 * n) for n in frames)))

    with LmdbWriter(path) as writer:
        bank_id = writer.put_bank("REMOVED", BankPolicy()).bank_id
        for _ in range(chance.randint(1, 3)):
            writer.load(bank_id, [clip() for _ in range(chance.randint(1, 8))])
        ids = [listed.item_id for listed in writer.iter_items()]
        writer.withdraw(chance.sample(ids, chance.randint(1, len(ids))))
        head = writer.head()
    with LmdbReader(path) as reader:
        assert reader.head() == head


@pytest.mark.parametrize(
    ("code", "want"), [(errno.ENOSPC, StoreFullError), (errno.EACCES, StoreUnusableError)]
)
def test_file_cannot_be_made_longer_nothing_is_changed(
    path: Path, code: int, want: type[EngineError], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with LmdbWriter(path) as writer:
        head = writer.head()
        os.truncate(path / "data.mdb", writer.environment.used_bytes)
        monkeypatch.setattr(os, "truncate", fail)
        with pytest.raises(want):
            writer.put_bank("REMOVED", BankPolicy())
        assert writer.head() == head


@pytest.mark.parametrize("damaged", [1, 28, 58])  # three hashes an item
def test_damaged_item_among_others_is_named(tmp_path: Path, damaged: int) -> None:
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        writer.load(bank.bank_id, new(*range(1, 21)))
        key = damaged.to_bytes(8)
        with writer.environment.write() as txn:
            record = txn.get(Table.ITEMS, key)
            assert record is not None
            txn.put(Table.ITEMS, key, record[:-1] + bytes([record[-1] ^ 1]))
        with pytest.raises(CorruptError, match=f"item {damaged}: checksum"):
            writer.contents()
