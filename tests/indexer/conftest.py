"""A store with one empty bank, and commands on it."""

import json
from pathlib import Path
from typing import Any

import pytest

from engine.lmdb_store import LmdbWriter, create_store
from engine.policy import BankPolicy
from indexer.__main__ import main
from tests.indexer.stores import Command


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A store with the bank `REMOVED`."""
    path = tmp_path / "store"
    create_store(path)
    with LmdbWriter(path) as writer:
        writer.put_bank("REMOVED", BankPolicy())
    return path


@pytest.fixture
def command(store: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs a command on the store; gives its result and what it said."""

    def run(name: str, *words: object, code: int = 0) -> tuple[dict[str, Any], str]:
        more = ["--bank", "REMOVED"] if name == "load" else []
        capsys.readouterr()
        text = [*map(str, words), *more, "--store", str(store), "--json"]
        assert main([name, *text]) == code
        out, err = capsys.readouterr()
        return json.loads(out) if out else {}, err

    return run
