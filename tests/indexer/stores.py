"""Stores, hashes and runs of the command for the indexer's tests."""

import json
import random
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from bench.running import ROOT, environment
from engine.entries import Labels, NewItem
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.lmdb_store import LmdbReader

SEED: Final = 20_26
LIMIT_S: Final = 100

Listed = list[tuple[Item, Labels]]
Command = Callable[..., tuple[dict[str, Any], str]]
"""A run in this process, as the fixture `command` gives one: its result and what it said."""


def value(number: int, size_bytes: int = 32) -> HashValue:
    """Value number `number`."""
    return HashValue(random.Random(SEED + number).randbytes(size_bytes))


def picture(number: int, quality: int = 90) -> NewItem:
    """A picture of one PDQ hash."""
    hash_ = Hash(HashType.PDQ, value(number), quality)
    return NewItem(Item(MediaType.IMAGE, (hash_,)))


VPDQ_LINE: Final = f"0,100,{value(1).hex()},0.000\n"


def pdq_lines(count: int, first: int = 0) -> str:
    """A list of PDQ hashes."""
    return "".join(f"{value(number).hex()}\n" for number in range(first, first + count))


def command(*arguments: object) -> list[str]:
    """The command line of a run."""
    return [sys.executable, "-m", "indexer", *map(str, arguments)]


def run(*arguments: object, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """Runs the command as an operator does; a traceback is never right."""
    done = subprocess.run(
        command(*arguments),
        input=stdin,
        capture_output=True,
        cwd=ROOT,
        env=environment(),
        timeout=LIMIT_S,
        check=False,
    )
    assert b"Traceback" not in done.stderr
    return done


def run_json(*arguments: object, stdin: bytes = b"", code: int = 0) -> dict[str, Any]:
    """Runs the command and reads its result."""
    done = run(*arguments, "--json", stdin=stdin)
    assert done.returncode == code, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def listed(store: Path, bank: str = "REMOVED") -> Listed:
    """What a bank lists, in order, without ids."""
    with LmdbReader(store) as reader:
        bank_id = next(b.bank_id for b in reader.banks() if b.name == bank)
        return [(item.item, item.labels) for item in reader.iter_items(bank_id)]
