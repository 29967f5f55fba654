"""A store with one empty bank."""

from pathlib import Path

import pytest

from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the bank `REMOVED`."""
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path) as writer:
        writer.put_bank("REMOVED", BankPolicy())
    return path
