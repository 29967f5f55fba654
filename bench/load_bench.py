"""How fast the indexer lists a file, durably, and how much memory that takes.

The command itself is run, as an operator would; each batch is on disk before the next begins.
"""

import contextlib
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

from bench import workload
from bench.run_file import Row, Run
from bench.running import OWN_GROUP, ROOT, environment, killing

BANK: Final = "REMOVED"
_POLL_S: Final = 0.02


class BenchError(Exception):
    """What is measured did not work; the text is what it said."""


def indexer(*words: str) -> tuple[Row, float, float]:
    """Runs the indexer; gives its result, its seconds and its greatest memory in MiB.

    Raises:
        BenchError: it failed.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start_s = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "indexer", *words, "--json"],
            cwd=ROOT,
            env=environment(),
            stdout=out,
            stderr=err,
            text=True,
            process_group=OWN_GROUP,
        )
        memory_mib = 0.0
        with killing([process]):
            while process.poll() is None:
                memory_mib = max(memory_mib, _memory_mib(process.pid))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_POLL_S)
        elapsed_s = time.perf_counter() - start_s
        out.seek(0)
        err.seek(0)
        if process.returncode != 0:
            raise BenchError(err.read().strip())
        found: Row = json.loads(out.read())
        return found, elapsed_s, memory_mib


def _memory_mib(pid: int) -> float:
    """The most that a process had in memory so far, pages of the store's file among it.

    The kernel's own figure: what `getrusage` says of a child counts its parent's too.
    """
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:  # it has just ended, or this is no Linux
        return 0.0
    found = re.search(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)
    return int(found[1]) / 1024 if found else 0.0


def run(sizes: list[int], seed: int) -> Run:
    """Loads a CSV of each size into a new store, and then once more.

    Args:
        sizes: lines of each file.
        seed: of the hashes.
    """
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="firstseen-load-") as name:
            folder = Path(name)
            csv, store = folder / "hashes.csv", str(folder / "store")
            workload.write_csv(csv, workload.hashes(size, seed))
            indexer("init", "--store", store)
            for what in ("new", "listed already"):
                words = ("load", str(csv), "--store", store, "--bank", BANK, "--create-bank")
                found, elapsed_s, memory_mib = indexer(*words)
                added = found["added_hashes"]
                if added != (size if what == "new" else 0):
                    raise BenchError(f"{added} hashes listed, want {size}")
                rows.append(
                    {
                        "lines": size,
                        "what": what,
                        "elapsed_s": elapsed_s,
                        "hashes_per_s": size / elapsed_s,
                        "memory_mib": memory_mib,
                    }
                )
    return Run("load", {"sizes": sizes, "seed": seed}, rows)
