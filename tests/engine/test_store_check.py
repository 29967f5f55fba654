"""Checking a store: a whole one is clean, and each kind of damage is named."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import lmdb
import pytest

from engine import records
from engine.entries import EntryId, ItemId, Labels
from engine.hashes import Item
from engine.lmdb_reader import U64, value_key
from engine.lmdb_store import LmdbReader, LmdbWriter, create_store
from engine.policy import BankId, BankPolicy
from engine.store_check import check_store
from tests.engine.store_contract import item, new
from tests.engine.values import pdq, picture, value

Tables = dict[str, "lmdb._Database"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with a history: two banks, three loads, a withdrawal, a cleared bank."""
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        other = writer.put_bank("OTHER", BankPolicy())
        writer.load(bank.bank_id, new(1, 2, 3))  # items 1, 4, 7
        writer.load(other.bank_id, new(4))  # item 10
        writer.withdraw([ItemId(4)])
        writer.clear(other.bank_id)
        writer.load(bank.bank_id, new(5, 6))  # items 13, 16
    return path


def findings(path: Path) -> list[str]:
    with LmdbReader(path) as reader:
        return list(check_store(reader))


class Raw:
    """The tables beneath a store."""

    def __init__(self, env: "lmdb.Environment", txn: "lmdb.Transaction") -> None:
        self.txn = txn
        self.tables = {
            name: env.open_db(
                name.encode(), txn=txn, dupsort=name == "values", dupfixed=name == "values"
            )
            for name in ("meta", "log", "banks", "items", "values")
        }

    def get(self, table: str, key: bytes) -> bytes:
        found = self.txn.get(key, db=self.tables[table])
        assert found is not None
        return bytes(found)

    def put(self, table: str, key: bytes, data: bytes) -> None:
        self.txn.put(key, data, db=self.tables[table])

    def delete(self, table: str, key: bytes, data: bytes = b"") -> None:
        assert self.txn.delete(key, data, db=self.tables[table])

    def put_item(self, item_id: int, found: Item, bank_id: int = 1) -> None:
        self.put("items", U64.pack(item_id), records.encode_item(BankId(bank_id), found, Labels()))

    def change_head(self, change: Callable[[records.Head], records.Head]) -> None:
        head = records.decode_head(self.get("meta", b"head"))
        self.put("meta", b"head", records.encode_head(change(head)))

    def change_log(self, sequence: int, **fields: object) -> None:
        key = U64.pack(sequence)
        record = records.decode_change(sequence, self.get("log", key))
        changed = replace(record, **fields)  # type: ignore[arg-type]
        self.put("log", key, records.encode_change(changed))


@contextmanager
def tampering(path: Path) -> Iterator[Raw]:
    with (
        lmdb.open(str(path), max_dbs=5, map_size=64 << 20) as env,
        env.begin(write=True) as txn,
    ):
        yield Raw(env, txn)


def flip(raw: Raw, table: str, key: bytes) -> None:
    record = bytearray(raw.get(table, key))
    record[-1] ^= 1
    raw.put(table, key, bytes(record))


def forged(raw: Raw) -> None:
    """Another value under a right checksum, in the reverse map too: only the digest tells."""
    raw.put_item(1, picture(pdq(value(99)), *item(1).hashes[1:]))
    raw.delete("values", value_key(1, item(1).hashes[0]), U64.pack(1))
    raw.put("values", value_key(1, pdq(value(99))), U64.pack(1))


def head_count(raw: Raw) -> None:
    raw.change_head(lambda h: replace(h, checkpoint=replace(h.checkpoint, entry_count=99)))


def head_digest(raw: Raw) -> None:
    raw.change_head(lambda h: replace(h, checkpoint=replace(h.checkpoint, digest=1)))


def head_next(raw: Raw) -> None:
    raw.change_head(lambda h: replace(h, next_entry_id=EntryId(h.next_entry_id + 5)))


def old_head(raw: Raw) -> None:
    record = records.decode_change(6, raw.get("log", U64.pack(6)))
    raw.change_head(lambda h: replace(h, checkpoint=record.checkpoint))


DAMAGE: list[tuple[str, Callable[[Raw], object], str]] = [
    (
        "item lost",
        lambda raw: raw.delete("items", U64.pack(7)),
        "items: entries 7 to 12 are missing",
    ),
    (
        "last item lost",
        lambda raw: raw.delete("items", U64.pack(16)),
        "entries 16 to 18 are missing",
    ),
    ("item damaged", lambda raw: flip(raw, "items", U64.pack(7)), "item 7: checksum"),
    ("item came back", lambda raw: raw.put_item(4, item(2)), "item 4: overlaps"),
    ("item beyond the log", lambda raw: raw.put_item(19, item(9)), "19 to 21 are not in the log"),
    ("item of no bank", lambda raw: raw.put_item(1, item(1), 9), "item 1: of bank 9"),
    ("value forged", forged, "head: the digest is not that of the items"),
    (
        "reverse map lacks a row",
        lambda raw: raw.delete("values", value_key(1, item(1).hashes[0]), U64.pack(1)),
        "reverse map: entry 1 is missing",
    ),
    (
        "reverse map has a row too many",
        lambda raw: raw.put("values", value_key(1, pdq(value(50))), U64.pack(7)),
        "a row for entry 7, which is not listed under it",
    ),
    ("log lacks a record", lambda raw: raw.delete("log", U64.pack(4)), "log record 4: missing"),
    ("log lacks its end", lambda raw: raw.delete("log", U64.pack(7)), "the log ends at 6"),
    ("log damaged", lambda raw: flip(raw, "log", U64.pack(3)), "log record 3: checksum"),
    ("log forgets a removal", lambda raw: raw.change_log(5, removed=()), "log record 5:"),
    ("bank damaged", lambda raw: flip(raw, "banks", (2).to_bytes(2)), "bank 2: checksum"),
    ("bank lost", lambda raw: raw.delete("banks", (1).to_bytes(2)), "bank 1, which does not exist"),
    ("head damaged", lambda raw: flip(raw, "meta", b"head"), "head: checksum"),
    ("head lost", lambda raw: raw.delete("meta", b"head"), "head: missing"),
    ("head with another count", head_count, "head: 99 entries, the items have 12"),
    ("head with another digest", head_digest, "head: the digest"),
    ("head with another id", head_next, "head: next entry id 24"),
    ("head of yesterday", old_head, "head: sequence 6, the log ends at 7"),
]


def test_whole_store_is_clean_and_progress_ends_with_all(path: Path) -> None:
    seen: list[tuple[int, int]] = []
    with LmdbReader(path) as reader:
        assert list(check_store(reader, lambda done, total: seen.append((done, total)))) == []
    assert all(done <= total == 12 for done, total in seen)


@pytest.mark.parametrize(("name", "damage", "said"), DAMAGE, ids=[d[0] for d in DAMAGE])
def test_damage_is_named_and_no_value_is_shown(
    path: Path, name: str, damage: Callable[[Raw], object], said: str
) -> None:
    with tampering(path) as raw:
        damage(raw)
    found = findings(path)
    assert any(said in line for line in found), found
    for number in range(1, 7):
        assert value(number).hex() not in "".join(found)
