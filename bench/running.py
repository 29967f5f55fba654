"""Starts real server processes for the demo, the benchmarks and the tests, and ends them."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
# The first start of a checkout compiles its loops, which takes a slow machine a minute.
START_LIMIT_S: Final = 180.0
STOP_LIMIT_S: Final = 60.0
# Ctrl-C is for the command that was typed, which then ends the processes that it started.
OWN_GROUP: Final = 0
_POLL_S: Final = 0.01


class NotStartedError(Exception):
    """The server ended or did not begin to serve; the text is what it wrote."""


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server process that serves.

    Attributes:
        match: address of `MatchService`, `host:port`, plaintext unless configured otherwise.
        review: address of `ReviewService`.
        process: its supervisor; what serves are the workers.
        folder: its configuration and what it writes.
    """

    match: str
    review: str
    process: "subprocess.Popen[bytes]"
    folder: Path

    def worker_pids(self) -> list[int]:
        """The process ids of its workers, as of when all of them last served."""
        ready = json.loads((self.folder / "ready.json").read_text(encoding="utf-8"))
        pids: list[int] = ready["workers"]
        return pids

    def output(self) -> bytes:
        """What it wrote to stdout and stderr so far."""
        return (self.folder / "output").read_bytes()

    def stop(self) -> int:
        """Ends it as an operator would; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_LIMIT_S)


@contextmanager
def killing(processes: Sequence["subprocess.Popen[str]"]) -> Iterator[None]:
    """Ends processes at once when Ctrl-C ends the block; they may be in the midst of long work."""
    try:
        yield
    except KeyboardInterrupt:
        for process in processes:
            process.kill()
        raise


def environment() -> dict[str, str]:
    """The environment in which this checkout's packages run."""
    paths = f"{ROOT}{os.pathsep}{ROOT / 'client'}"
    return {**os.environ, "PYTHONPATH": paths}


def config_text(store: Path, overrides: Mapping[str, Mapping[str, object]] | None = None) -> str:
    """A configuration on free loopback ports, without TLS, with one worker.

    Args:
        store: the store's folder.
        overrides: keys by section, over the defaults; a key of `None` is left out.
    """
    listener = {"listen": "127.0.0.1:0", "plaintext": True, "reflection": True}
    sections: dict[str, dict[str, object]] = {
        "store": {"path": str(store)},
        "server": {"workers": 1},
        "match": dict(listener),
        "review": dict(listener),
    }
    for section, keys in (overrides or {}).items():
        sections.setdefault(section, {}).update(keys)
    lines = []
    for section, keys in sections.items():
        lines.append(f"[{section}]")
        # A JSON string, number, boolean or list of strings is one in TOML too.
        lines += [f"{key} = {json.dumps(v)}" for key, v in keys.items() if v is not None]
    return "\n".join(lines) + "\n"


@contextmanager
def running_server(
    store: Path,
    overrides: Mapping[str, Mapping[str, object]] | None = None,
    command: Sequence[str] = (sys.executable, "-m", "server"),
    start_limit_s: float = START_LIMIT_S,
) -> Iterator[RunningServer]:
    """Runs a server over a store; it serves when the block begins and has ended after it.

    Args:
        store: the store's folder.
        overrides: see `config_text`.
        command: what to run instead of the server, with the same options.
        start_limit_s: how long it may take until it serves.

    Raises:
        NotStartedError: it does not serve.
    """
    with tempfile.TemporaryDirectory(prefix="firstseen-") as name:
        folder = Path(name)
        (folder / "firstseen.toml").write_text(config_text(store, overrides), encoding="utf-8")
        ready_file = folder / "ready.json"
        options = ["--config", str(folder / "firstseen.toml"), "--ready-file", str(ready_file)]
        with (folder / "output").open("wb") as output:
            process = subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=OWN_GROUP,
            )
        try:
            ready = _await_ready(process, folder, ready_file, start_limit_s)
            yield RunningServer(ready["match"], ready.get("review", ""), process, folder)
        finally:
            _end(process)


def _await_ready(
    process: "subprocess.Popen[bytes]", folder: Path, ready_file: Path, limit_s: float
) -> dict[str, str]:
    deadline_s = time.monotonic() + limit_s
    while not ready_file.exists():
        try:
            process.wait(_POLL_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline_s:
                continue
        raise NotStartedError((folder / "output").read_text(errors="replace").strip())
    ready: dict[str, str] = json.loads(ready_file.read_text(encoding="utf-8"))
    return ready


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
