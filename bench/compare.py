"""The small parts of two revisions side by side: `python -m bench.compare REF`.

The other revision is checked out into a temporary work tree and runs its own `pytest bench` in this
environment, in turns with this one, so that whatever else the machine does hits both alike. What
counts is the fastest and the median time of all turns.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from bench.running import ROOT, environment

TURNS: Final = 3
# Slower by more than this in both figures is worth a look; a quiet machine repeats within a tenth.
NOTABLE: Final = 1.15


class CompareError(Exception):
    """A revision cannot be measured; the text says why."""


@dataclass(frozen=True, slots=True)
class Times:
    """How long one small part takes, in seconds: the fastest and the median call."""

    fastest_s: float
    median_s: float

    def least(self, other: "Times") -> "Times":
        """The better of two turns."""
        return Times(min(self.fastest_s, other.fastest_s), min(self.median_s, other.median_s))


Measured = Mapping[str, Times]


def main(arguments: Sequence[str] | None = None) -> int:
    """Compares and prints a table; exit code 1 when something could not be measured."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.compare", description="Time the small parts of two revisions."
    )
    parser.add_argument("ref", metavar="REF", help="what to compare with: a commit, tag or branch")
    parser.add_argument("--turns", type=int, default=TURNS, help="of each revision")
    parser.add_argument("--only", metavar="WORDS", help="pytest's -k: which parts")
    options = parser.parse_args(arguments)
    console = Console()
    try:
        with _checked_out(options.ref) as other:
            before, after = _measure(other, options.turns, options.only)
    except CompareError as error:
        Console(stderr=True).print(f"bench.compare: {error}", style="red", markup=False)
        return 1
    console.print(_table(options.ref, before, after))
    return 0


@contextmanager
def _checked_out(ref: str) -> Iterator[Path]:
    """A work tree of a revision, gone after the block."""
    with tempfile.TemporaryDirectory(prefix="firstseen-compare-") as name:
        tree = Path(name) / "tree"
        _git("worktree", "add", "--detach", str(tree), ref)
        try:
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(tree))


def _git(*words: str) -> None:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CompareError(done.stderr.strip())


def _measure(other: Path, turns: int, only: str | None) -> tuple[Measured, Measured]:
    """Both revisions in turns; the other's and this one's times by name."""
    found: tuple[dict[str, Times], dict[str, Times]] = ({}, {})
    with Console(stderr=True).status("measuring") as status:
        for turn in range(turns):
            for times, tree in zip(found, (other, ROOT), strict=True):
                status.update(f"turn {turn + 1} of {turns}: {'REF' if tree == other else 'here'}")
                for name, own in _run(tree, only).items():
                    times[name] = own.least(times.get(name, own))
    return found


def _run(tree: Path, only: str | None) -> Measured:
    """One turn of one revision.

    Raises:
        CompareError: its benchmarks fail, or it has none.
    """
    with tempfile.TemporaryDirectory(prefix="firstseen-compare-") as name:
        out = Path(name) / "times.json"
        # Enabled by hand: revisions before `bench/conftest.py` do not do it themselves.
        options = ["--benchmark-enable", f"--benchmark-json={out}", *(["-k", only] if only else [])]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "bench", "-q", *options],
            cwd=tree,
            env=environment() | {"PYTHONPATH": f"{tree}{os.pathsep}{tree / 'client'}"},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode or not out.exists():
            raise CompareError(f"pytest bench: {done.stdout.strip()}\n{done.stderr.strip()}")
        parts = json.loads(out.read_text(encoding="utf-8"))["benchmarks"]
    return {part["name"]: Times(part["stats"]["min"], part["stats"]["median"]) for part in parts}


def _table(ref: str, before: Measured, after: Measured) -> Table:
    """Times of both and their ratios; what only one has stands at the end."""
    table = Table(box=None, title=f"here against {ref}", title_justify="left", title_style="bold")
    table.add_column("part")
    for head in (ref, "here", "fastest", "median"):
        table.add_column(head, justify="right")
    for name in sorted(before.keys() & after.keys()):
        old, new = before[name], after[name]
        fastest, median = new.fastest_s / old.fastest_s, new.median_s / old.median_s
        style = None
        if min(fastest, median) > NOTABLE:
            style = "red"
        elif max(fastest, median) < 1 / NOTABLE:
            style = "green"
        cells = [_time(old.median_s), _time(new.median_s), f"{fastest:.2f} ×", f"{median:.2f} ×"]
        table.add_row(name, *cells, style=style)
    for name in sorted(before.keys() ^ after.keys()):
        cells = [_time(side[name].median_s) if name in side else "–" for side in (before, after)]
        table.add_row(name, *cells, "", "")
    return table


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:,.1f} µs"


if __name__ == "__main__":
    sys.exit(main())
