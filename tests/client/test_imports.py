"""What importing the package costs, and what it must never import."""

import subprocess
import sys
from pathlib import Path

import pytest

import firstseen
from bench.running import environment


def modules_after(code: str, root: Path) -> set[str]:
    """The top-level modules that are loaded after running some code."""
    text = f"{code}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_contract_alone_loads_no_decoders(root: Path) -> None:
    loaded = modules_after("import firstseen\nfrom firstseen.v1 import match_pb2", root)
    assert not loaded & {"PIL", "numpy", "pdqhash", "pi_heif", "rich"}


def test_whole_sdk_loads_nothing_of_the_server(root: Path) -> None:
    loaded = modules_after(
        "import firstseen.cli, firstseen.review, firstseen.async_client\n"
        "import firstseen.hashing.image",
        root,
    )
    assert not loaded & {"engine", "server", "indexer", "bench", "faiss", "lmdb", "numba"}


def test_every_public_name_is_there() -> None:
    for name in firstseen.__all__:
        assert getattr(firstseen, name).__name__ == name
    assert dir(firstseen) == sorted(firstseen.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        firstseen.nothing  # noqa: B018
