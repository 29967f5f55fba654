"""The product in a minute: `make demo`.

Starts a real server over a new store in a temporary folder, lists the photographs that ship
with the project, and checks copies of them, pictures that were never listed and a blank
one, all over gRPC. Nothing is printed that was not answered; exit code 0 only if every
verdict is the expected one.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageEnhance, ImageOps
from rich.console import Console
from rich.table import Table

from bench.running import ROOT, NotStartedError, RunningServer, environment, running_server
from firstseen import Client, FirstseenError, Options, Plaintext, Verdict, hash_file

PHOTOS: Final = ROOT / "tests" / "data" / "photos"
NEVER_LISTED: Final = ("nuthatch.jpg", "pier.jpg")
BANK: Final = "REMOVED"
TIMED_CHECKS: Final = 1_000
WITHDRAW_LIMIT_S: Final = 30.0
# What is shown is what is answered; a busy machine may stop for longer than a caller waits.
PATIENT: Final = Options(deadline_ms=30_000)
STYLES: Final = {
    Verdict.KNOWN: "red",
    Verdict.NOVEL: "green",
    Verdict.UNSURE: "yellow",
    Verdict.UNSUPPORTED: "yellow",
}


class DemoError(Exception):
    """Something did not go as it should; the text says what."""


@dataclass(frozen=True, slots=True)
class Case:
    """A picture to check, and what ought to come of it."""

    path: Path
    what: str
    expected: Verdict


def main() -> int:
    """Runs the demo; returns its exit code."""
    console = Console(highlight=False)
    try:
        with tempfile.TemporaryDirectory(prefix="firstseen-demo-") as name:
            return 0 if _run(console, Path(name)) else 1
    except KeyboardInterrupt:
        console.print("demo: stopped")
        return 130
    except (DemoError, NotStartedError, FirstseenError) as error:
        console.print(f"demo: {error}", style="bold red", markup=False)
        return 1


def _run(console: Console, folder: Path) -> bool:
    store = folder / "store"
    listed = folder / "removed"
    listed.mkdir()
    for photo in sorted(PHOTOS.glob("*.jpg")):
        if photo.name not in NEVER_LISTED:
            shutil.copy(photo, listed)
    console.print("\n[bold]The unit lists what was removed[/]: hashes, never pictures")
    _indexer("init", "--store", str(store))
    _indexer("load", str(listed), "--store", str(store), "--bank", BANK, "--create-bank")
    with running_server(store) as server, Client(server.match, Plaintext(), PATIENT) as client:
        count = client.policy().checkpoint.entry_count
        console.print(
            f"  {len(list(listed.iterdir()))} photographs, {count} hashes;"
            f" a server on {server.match} follows the store\n"
        )
        passed = _check_all(console, client, _cases(listed, folder))
        passed &= _withdraw(console, client, store, listed / "leaf.jpg")
        _time(console, client, listed / "dune.jpg")
        _end(console, server)
    console.print(
        "\n[bold green]Every verdict is the expected one.[/]"
        if passed
        else "\n[bold red]A verdict is not the expected one.[/]"
    )
    return passed


def _cases(listed: Path, folder: Path) -> Iterator[Case]:
    """Makes the pictures to check."""
    edited = folder / "edited"
    edited.mkdir()

    def copy(
        source: str, name: str, edit: Callable[[Image.Image], Image.Image], quality: int = 90
    ) -> Path:
        with Image.open(listed / source) as picture:
            edit(picture.convert("RGB")).save(edited / name, quality=quality)
        return edited / name

    def same(picture: Image.Image) -> Image.Image:
        return picture

    quarter = copy("flower.jpg", "flower-quarter.jpg", lambda p: p.reduce(4))
    known = [
        (listed / "dune.jpg", "untouched"),
        (copy("mountain.jpg", "mountain-q30.jpg", same, quality=30), "recompressed, quality 30"),
        (quarter, "scaled to a quarter"),
        (
            copy("road.jpg", "road-bright.jpg", lambda p: ImageEnhance.Brightness(p).enhance(1.3)),
            "30 % brighter",
        ),
        (copy("cups.jpg", "cups.webp", same), "as WebP"),
        (copy("lamp.jpg", "lamp-mirrored.png", ImageOps.mirror), "mirrored, as PNG"),
        (
            copy("drum.jpg", "drum-turned.jpg", lambda p: p.transpose(Image.Transpose.ROTATE_90)),
            "turned by 90°",
        ),
    ]
    for path, what in known:
        yield Case(path, what, Verdict.KNOWN)
    for name in NEVER_LISTED:
        yield Case(PHOTOS / name, "never listed", Verdict.NOVEL)
    blank = edited / "blank.png"
    Image.new("RGB", (640, 480), "white").save(blank)
    yield Case(blank, "nothing to see", Verdict.UNSURE)


def _check_all(console: Console, client: Client, cases: Iterator[Case]) -> bool:
    table = Table(
        title="A reporter's app checks pictures", title_justify="left", title_style="bold", box=None
    )
    table.add_column("file")
    table.add_column("what it is")
    table.add_column("verdict")
    table.add_column("hashed in", justify="right")
    table.add_column("answered in", justify="right")
    passed = True
    for case in cases:
        start_s = time.perf_counter()
        item = hash_file(case.path)
        hashed_s = time.perf_counter()
        verdict = client.check(item).verdict
        answered_s = time.perf_counter()
        wrong = "" if verdict is case.expected else f"\nexpected {case.expected.name}"
        passed &= not wrong
        table.add_row(
            case.path.name,
            case.what,
            f"[{STYLES[verdict]}]{verdict.name}[/]{wrong}",
            f"{(hashed_s - start_s) * 1e3:.0f} ms",
            f"{(answered_s - hashed_s) * 1e3:.1f} ms",
        )
    console.print(table)
    return passed


def _withdraw(console: Console, client: Client, store: Path, photo: Path) -> bool:
    """Takes one photograph off the list and waits until the server says so."""
    item = hash_file(photo)
    before = client.check(item).verdict
    pdq = item.hashes[0].value.hex()
    _indexer("withdraw", "-", "--store", str(store), "--reason", "demo", text=pdq)
    start_s = time.perf_counter()
    verdict = client.check(item).verdict
    while verdict is before and time.perf_counter() - start_s < WITHDRAW_LIMIT_S:
        time.sleep(0.001)
        verdict = client.check(item).verdict
    wait_ms = (time.perf_counter() - start_s) * 1e3
    console.print(
        f"\n[bold]{photo.name} is withdrawn[/]: {before.name} becomes "
        f"[{STYLES[verdict]}]{verdict.name}[/], {wait_ms:.0f} ms after the indexer's end"
    )
    return before is Verdict.KNOWN and verdict is Verdict.NOVEL


def _time(console: Console, client: Client, photo: Path) -> None:
    item = hash_file(photo)
    times_ms = np.empty(TIMED_CHECKS)
    for number in range(TIMED_CHECKS):
        start_ns = time.perf_counter_ns()
        client.check(item)
        times_ms[number] = (time.perf_counter_ns() - start_ns) / 1e6
    p50, p99 = np.percentile(times_ms, [50, 99])
    console.print(
        f"\n[bold]{TIMED_CHECKS:,} checks[/] of {len(item.hashes)} hashes, one after another:"
        f" p50 {p50:.2f} ms, p99 {p99:.2f} ms"
    )


def _end(console: Console, server: RunningServer) -> None:
    code = server.stop()
    if code != 0:
        raise DemoError(f"the server ended with exit code {code}")
    calls = server.output().count(b"\n")
    console.print(f"[dim]The server wrote {calls} log lines, none of them of a call.[/]")


def _indexer(*words: str, text: str | None = None) -> None:
    """Runs the indexer as an operator would.

    Raises:
        DemoError: it failed.
    """
    command: Sequence[str] = (sys.executable, "-m", "indexer", *words)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(),
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise DemoError(f"indexer {words[0]}: {done.stderr.strip()}")


if __name__ == "__main__":
    sys.exit(main())
