"""Who races: our index, FAISS', usearch and python-threatexchange, each in a process of its own.

python-threatexchange pins what this project does not, so it gets an environment of its own, made
once under `.benchmarks/peers`. A peer that cannot race is in the results with the reason.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console

from bench.racer import Answer
from bench.running import OWN_GROUP, ROOT, environment, killing

PEERS: Final = ROOT / ".benchmarks" / "peers"
PYTX: Final = ("threatexchange==1.2.17", "faiss-cpu==1.15.1")
INSTALL_LIMIT_S: Final = 600.0
_READY: Final = "ready"  # a file that says that an environment is whole
MILLION: Final = 1_000_000


class PeerError(Exception):
    """A peer cannot race; the text says why."""


@dataclass(frozen=True, slots=True)
class Peer:
    """An index that races.

    Attributes:
        name: as the tables call it.
        words: of its command, after the interpreter.
        exact: it has to find everything; else its recall is measured.
        packages: what its own environment holds; none, it runs in the project's.
        max_size: larger lists take it too long to build: minutes at a million.
        key: as the command line of `index` calls it.
    """

    name: str
    words: tuple[str, ...]
    exact: bool = True
    packages: tuple[str, ...] = ()
    max_size: int | None = None
    key: str = ""


OURS: Final = "multi-index hashing (ours)"
FLAT: Final = "FAISS IndexBinaryFlat"
MULTI_HASH: Final = "FAISS IndexBinaryMultiHash(256, 16, 16), nflip 1"
_OWN: Final = ("-m", "bench.own_racers")
FIELD: Final = (
    Peer(OURS, (*_OWN, "mih"), key="mih"),
    Peer(FLAT, (*_OWN, "flat"), key="flat"),
    Peer(MULTI_HASH, (*_OWN, "multihash"), key="multihash"),
    Peer(
        "python-threatexchange PDQIndex",
        ("-m", "bench.peer_pytx"),
        packages=PYTX,
        max_size=MILLION,
        key="pytx",
    ),
    Peer(
        "usearch HNSW, Hamming, k = 10",
        (*_OWN, "usearch"),
        exact=False,
        max_size=MILLION,
        key="usearch",
    ),
)


class RunningPeer:
    """A peer's process; one command at a time."""

    def __init__(self, peer: Peer, process: "subprocess.Popen[str]") -> None:
        self.peer = peer
        self._process = process
        self._read()

    def ask(self, *words: object) -> Answer:
        """Sends a command of `racer` and gives its answer.

        Raises:
            PeerError: its process ended.
        """
        if self._process.stdin is None:
            raise PeerError("no pipe")
        try:
            self._process.stdin.write("\t".join(map(str, words)) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerError("its process ended") from error
        return self._read()

    def _read(self) -> Answer:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise PeerError(f"its process ended with exit code {self._process.wait()}")
        answer: Answer = json.loads(line)
        return answer


@contextmanager
def running(peer: Peer) -> Iterator[RunningPeer]:
    """Runs a peer for the block.

    Raises:
        PeerError: it cannot be installed or does not start.
    """
    python = _environment_of(peer.packages) if peer.packages else Path(sys.executable)
    # One thread unless it is told otherwise: FAISS and usearch would each take all cores.
    variables = {**environment(), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [python, *peer.words],
        cwd=ROOT,
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=OWN_GROUP,
    )
    try:
        with killing([process]):
            yield RunningPeer(peer, process)
    finally:
        if process.stdin:
            process.stdin.close()
        process.wait()
        if process.stdout:
            process.stdout.close()


def is_installed(peer: Peer) -> bool:
    """Whether running it takes no installing."""
    return not peer.packages or (_folder_of(peer.packages) / _READY).exists()


def _folder_of(packages: Sequence[str]) -> Path:
    return PEERS / "-".join(packages).replace("==", "-")


def _environment_of(packages: Sequence[str]) -> Path:
    """The interpreter of an environment with some packages, made on first use.

    Raises:
        PeerError: they cannot be installed; tried once a run, and nothing is left behind.
    """
    folder = _folder_of(packages)
    python = folder / "bin" / "python"
    if (folder / _READY).exists():
        return python
    shutil.rmtree(folder, ignore_errors=True)
    steps: tuple[tuple[str, list[str | Path]], ...] = (
        ("making an environment", [sys.executable, "-m", "venv", folder]),
        (
            f"installing {' and '.join(packages)}",
            # Isolated: a foreign pip may not see this checkout's packages.
            [python, "-I", "-m", "pip", "install", "--quiet", *packages],
        ),
    )
    console = Console(stderr=True)
    for what, command in steps:
        with console.status(what):
            try:
                done = subprocess.run(
                    command,
                    capture_output=True,
                    text=True,
                    timeout=INSTALL_LIMIT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired as error:
                shutil.rmtree(folder, ignore_errors=True)
                raise PeerError(f"{what}: took over {INSTALL_LIMIT_S:.0f} s") from error
        if done.returncode:
            shutil.rmtree(folder, ignore_errors=True)
            last = (done.stderr.strip() or "no reason given").splitlines()[-1]
            raise PeerError(f"{what}: {last}")
    (folder / _READY).touch()
    return python
