"""What the operator sees: progress on and off a terminal, hostile text, faults without values."""

import os
import pty
import subprocess
from argparse import Namespace
from pathlib import Path

import pytest

from bench.running import ROOT, environment
from indexer import overview
from indexer.__main__ import main
from indexer.console import Console, took
from indexer.exit_codes import ExitCode, exit_code
from indexer.feeds.rejects import printable
from tests.indexer.stores import LIMIT_S, command, listed, pdq_lines, value


class SteppingClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now_ms = 0

    def monotonic_ms(self) -> int:
        return self.now_ms

    def unix_ms(self) -> int:
        return self.now_ms


def test_progress_without_a_terminal_is_a_line_every_few_seconds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = SteppingClock()
    with Console(clock=clock).progress("loading", 1000, "items") as report:
        for step in range(1, 11):
            clock.now_ms = step * 1000
            report(step * 100, step * 50)
    assert capsys.readouterr().err.splitlines() == [
        "loading: 500 items, 100/s, 25%, 15 s left",
        "loading: 1,000 items, 100/s, 50%, 10 s left",
    ]


def test_progress_of_a_folder_is_told_in_files_and_bytes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    clock = SteppingClock()
    with Console(clock=clock).progress("loading", 8_000_000, "files", is_bytes=True) as report:
        clock.now_ms = 5_000
        report(3, 2_000_000)
    assert capsys.readouterr().err == ("loading: 3 files, 2.0 MB, 25%, 15 s left\n")


@pytest.mark.parametrize(("unit", "said"), [("files", "1 file"), ("hashes", "1 hash")])
def test_one_is_no_plural_and_a_pace_of_nothing_is_not_told(
    unit: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = SteppingClock()
    with Console(clock=clock).progress("loading", None, unit) as report:
        clock.now_ms = 5_000
        report(1, None)
    assert capsys.readouterr().err == f"loading: {said}\n"


def test_progress_on_a_terminal_is_a_bar_that_fits(store: Path, tmp_path: Path) -> None:
    feed = tmp_path / "a-file-with-a-very-long-name-indeed.txt"
    feed.write_text(pdq_lines(2000), encoding="utf-8")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command("load", feed, "--bank", "REMOVED", "--store", store, "--batch-size", 100),
        cwd=ROOT,
        env={**environment(), "COLUMNS": "80", "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how Linux says that a terminal has closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    stdout, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert b"\x1b[" in shown
    assert b"2,000 items" in shown
    assert b"\x1b" not in stdout
    assert len(listed(store)) == 2000


REASONS = ["short", "a-file-with-a-very-long-name-" * 4]
COLUMNS = ("no.#", "time (UTC)", "reason")


@pytest.mark.parametrize("width", [40, 60, 200])
def test_table_loses_nothing_of_what_it_tells(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console()
    console._out.width = width
    rows = [[f"{count}", "2026-11-25 11:09:37", text] for count, text in enumerate(REASONS)]
    console.table(COLUMNS, rows)
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= width
    assert "2026-11-25 11:09:37" in shown
    for reason in REASONS:
        assert reason in "".join(
            line.split()[-1] if line.strip() else "" for line in shown.splitlines()
        )


def test_table_that_does_not_fit_is_a_paragraph_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console._out.width = 30
    console.table(COLUMNS, [["1", "2026-11-25 11:09:37", "load a"], ["2", "", "load b"]])
    assert [line.rstrip() for line in capsys.readouterr().out.splitlines()] == [
        "no. 1, time (UTC) 2026-11-25",
        "11:09:37, reason load a",
        "",
        "no. 2, reason load b",
        "",
    ]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("a\x1b[31m\nb", "a\\x1b[31m\\nb"),
        ("\udcff", "\\udcff"),
        ("\u202e", "\\u202e"),
    ],
)
def test_text_that_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_durations_are_readable() -> None:
    assert [took(ms) for ms in (0, 59_900, 61_000)] == ["0.0 s", "59.9 s", "1 min 1 s"]


def test_fault_is_one_line_with_its_place_and_no_text(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(options: Namespace, console: Console) -> ExitCode:
        raise ValueError(value(1).hex())

    monkeypatch.setattr(overview, "run_stat", fail)
    assert main(["stat", "--store", str(store)]) == ExitCode.FAULT
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("indexer: a fault of the program: ValueError at test_console.py:")
    assert value(1).hex() not in line


def test_error_of_the_program_has_no_code() -> None:
    assert exit_code(ValueError()) is None
    assert exit_code(FileNotFoundError()) is ExitCode.FILE
