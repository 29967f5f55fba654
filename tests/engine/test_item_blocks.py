"""Items are read by blocks of rows, whatever their sizes and wherever a range of them ends."""

from pathlib import Path

import pytest

from engine import lmdb_reader
from engine.entries import EMPTY_CHECKPOINT, ListedItem, NewItem, columns_of
from engine.errors import CorruptError
from engine.hashes import Item
from engine.lmdb_env import Table
from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy
from engine.store import Contents, Delta
from tests.engine.values import frame, pdq, picture, sha256, triples, value, video


def item(number: int) -> Item:
    """Now and then a video, which is forty times as long as a picture, and a picture's file."""
    if number % 50 == 0:
        return video(*(frame(value(1_000 * number + n), 1_000 * n) for n in range(40)))
    hashes = (pdq(value(number)), sha256(value(number)))
    return picture(*hashes[: 2 if number % 35 == 0 else 1])


@pytest.fixture(params=[1, 2, 7, 64, 512])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Made by three loads; read so many items at a time, and few of those that are long."""
    monkeypatch.setattr(lmdb_reader, "_BLOCK_ITEMS", request.param)
    monkeypatch.setattr(lmdb_reader, "_BLOCK_BYTES", 2_000)
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        for first in (0, 100, 200):
            items = [NewItem(item(number)) for number in range(first, first + 100)]
            writer.load(bank.bank_id, items)
    return path


def read_alike(found: Contents | Delta, want: list[ListedItem]) -> None:
    for hash_type, columns in columns_of(want).items():
        assert triples(found.columns[hash_type]) == triples(columns)


def test_whole_list_is_read_as_one_by_one(store: Path) -> None:
    with LmdbWriter(store) as writer:
        read_alike(writer.contents(), list(writer.iter_items()))


def test_ranges_end_where_they_end(store: Path) -> None:
    with LmdbWriter(store) as writer:
        everything = list(writer.iter_items())
        middle = writer.delta(EMPTY_CHECKPOINT, sum(len(i.item.hashes) for i in everything[:100]))
        read_alike(middle, everything[:100])
        rest = writer.delta(middle.head)
        read_alike(rest, everything[100:])
        writer.withdraw([everything[150].item_id])
        read_alike(writer.delta(rest.head), [])
        read_alike(writer.delta(middle.head), everything[100:150] + everything[151:])
        writer.withdraw([listed.item_id for listed in everything[100:250]])
        read_alike(writer.delta(middle.head), everything[250:])


def test_empty_record_is_damage_and_no_end(store: Path) -> None:
    with LmdbWriter(store) as writer:
        item_id = list(writer.iter_items())[60].item_id
        with writer.environment.write() as txn:
            txn.put(Table.ITEMS, item_id.to_bytes(8), b"")
        with pytest.raises(CorruptError, match=f"item {item_id}"):
            writer.contents()
