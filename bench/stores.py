"""What benchmarks and tests put into stores and send to servers: pictures of one hash each."""

import os
from pathlib import Path

from bench.running import START_LIMIT_S
from bench.workload import Values
from engine.clock import SystemClock
from engine.entries import NewItem
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy
from firstseen import Hash as SentHash
from firstseen import HashType as SentType
from firstseen import HashValue as SentValue
from firstseen import Item as SentItem
from firstseen import MediaType as SentMedia


def new_items(values: Values) -> list[NewItem]:
    """Pictures to list, one for each value."""
    return [
        NewItem(Item(MediaType.IMAGE, (Hash(HashType.PDQ, HashValue(value.tobytes()), 100),)))
        for value in values
    ]


def sent_item(value: Values) -> SentItem:
    """A picture as the app sends it."""
    return SentItem(SentMedia.IMAGE, (SentHash(SentType.PDQ, SentValue(value.tobytes()), 100),))


def make_store(path: Path, values: Values) -> None:
    """A store with one bank that lists `values`."""
    create_store(path)
    with LmdbWriter(path, SystemClock()) as writer:
        bank = writer.put_bank("REMOVED", BankPolicy())
        for start in range(0, len(values), 10_000):
            writer.load(bank.bank_id, new_items(values[start : start + 10_000]))


def worker_count(asked: int = 0) -> int:
    """How many workers a server has: as many as asked for; 0 for one of each core."""
    return asked or os.cpu_count() or 1


def with_workers(count: int) -> dict[str, dict[str, object]]:
    """The configuration of a server with so many workers."""
    return {"server": {"workers": count}}


def start_limit_s(entry_count: int) -> float:
    """How long a server of so long a list may take until it serves, on a busy machine."""
    return START_LIMIT_S + entry_count / 20_000
