"""What a benchmark leaves behind: one JSON file that says what was measured, where and how."""

import errno
import json
import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bench.running import ROOT
from engine.clock import SystemClock

FORMAT: Final = 1
RUNS: Final = ROOT / "bench" / "runs"  # those that the documents rest on
OWN_RUNS: Final = ROOT / ".benchmarks"  # everyone's own, not committed
_PACKAGES: Final = ("numpy", "faiss-cpu", "lmdb", "grpcio", "numba", "protobuf", "pdqhash")
PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)

Row = dict[str, Any]


def machine() -> Row:
    """Where it ran."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "python": sys.version.split()[0],
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "revision": _revision(),
    }


def _cpu_name() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _revision() -> str:
    """The commit, with a plus when files differ from it; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty=+"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one benchmark.

    Attributes:
        kind: what was run: `load`, `freshness`, `server`, `index`, or `quality` of what.
        settings: what it was told, the seed among it.
        rows: what it measured; durations in the unit that the key ends with.
        command: what to type to run it again.
        machine: where it ran, see `machine`.
    """

    kind: str
    settings: Row
    rows: list[Row]
    command: str = ""
    machine: Row = field(default_factory=machine)

    @property
    def file_stem(self) -> str:
        """How its files are called, without an ending."""
        return self.kind.replace(" ", "-")

    def write(self, path: Path) -> None:
        """Writes the file; there is the whole of it or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(
            {
                "format": FORMAT,
                "kind": self.kind,
                "command": self.command,
                "time": datetime.fromtimestamp(SystemClock().unix_ms() / 1000, UTC).isoformat(),
                "settings": self.settings,
                "machine": self.machine,
                "rows": self.rows,
            },
            indent=1,
        )
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as stream:
            stream.write(text + "\n")
        Path(stream.name).replace(path)
        path.chmod(0o644)

    @staticmethod
    def refuse_unwritable(path: Path) -> None:
        """Tries what `write` needs, which a run of many minutes should not end with.

        Raises:
            OSError: the file cannot be written; of `path`.
        """
        try:
            if path.is_dir():
                raise OSError(errno.EISDIR, "a folder, want the name of a file")
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(path)) from error

    @classmethod
    def read(cls, path: Path) -> "Run":
        """Reads a file.

        Raises:
            ValueError: it is none of this format.
        """
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise ValueError(f"{path.name}: no run file") from None
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"{path.name}: no run file of format {FORMAT}")
        return cls(*(found[name] for name in ("kind", "settings", "rows", "command", "machine")))


def percentiles(durations: npt.NDArray[np.float64], unit: str) -> Row:
    """Percentiles, greatest and number of some durations, named with their unit.

    Args:
        durations: shape (n,), in `unit`.
        unit: such as `us`.
    """
    found = np.percentile(durations, PERCENTILES)
    named = {f"p{p:g}_{unit}": float(v) for p, v in zip(PERCENTILES, found, strict=True)}
    return named | {f"max_{unit}": float(durations.max()), "count": len(durations)}
