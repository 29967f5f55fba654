"""What the operator sees: progress and complaints on stderr, results on stdout."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal

from rich import box, filesize
from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from engine.clock import Clock, SystemClock
from indexer.feeds.rejects import Outcome, Rejects, printable

LINE_INTERVAL_MS: Final = 5_000
_BAR_WIDTH: Final = 16  # the whole fits a terminal of 80 columns
_MAX_PASSED_OVER: Final = 3  # on one line
_LEAST_FOLDED: Final = 8
_GAP: Final = 2  # between columns
_NARROW: Final = 80  # a terminal under it has no room for a bar
_PLAIN_WIDTH: Final = 160  # for files and pipes, which have no width of their own

_ONE: Final = {"files": "file", "hashes": "hash", "items": "item", "videos": "video"}

Report = Callable[[int, int | None], None]
"""Told how much is done and, for the bar, what share of the whole that was."""


class _DoneColumn(ProgressColumn):
    """What is done, and how fast where that says something."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        done = int(task.completed) if task.fields["is_bytes"] else None
        told = _done_told(task.fields["count"], task.fields["unit"], done, task.elapsed)
        return Text(told, style="cyan", no_wrap=True)


class Console:
    """Where a command writes."""

    def __init__(self, *, as_json: bool = False, clock: Clock | None = None) -> None:
        self.as_json = as_json
        self.clock = clock or SystemClock()
        self._out = _console(stderr=False)
        self._err = _console(stderr=True)

    def say(self, text: str) -> None:
        """A line of the result; nothing when the result is JSON."""
        if not self.as_json:
            self._out.print(printable(text), soft_wrap=True)

    def note(self, text: str, style: str = "") -> None:
        """A line beside the result."""
        self._err.print(printable(text), style=style, soft_wrap=True)

    def rejects(self, rejects: Rejects, more: str = "") -> None:
        """The first of what was not taken, and of the files that were passed over.

        Args:
            rejects: all of it.
            more: what to say of those that are not shown.
        """
        for text in rejects.first:
            self.note(text, "yellow")
        if (count := rejects.total - len(rejects.first)) > 0:
            self.note(f"and {count:,} more{more}", "yellow")
        if shown := rejects.first_passed_over[:_MAX_PASSED_OVER]:
            count = rejects.counts[Outcome.PASSED_OVER] - len(shown)
            rest = f" and {count:,} more{more}" if count else ""
            self.note(f"passed over: {', '.join(shown)}{rest}")

    def put_json(self, value: Mapping[str, object]) -> None:
        """One JSON object on one line of stdout."""
        sys.stdout.write(json.dumps(value) + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout; columns that end in `#` are numbers, the last one may be folded.

        Where it does not fit, each row is a paragraph.
        """
        names = [name.rstrip("#") for name in columns]
        cells = [[*map(printable, row)] for row in rows]
        widths = [max(map(cell_len, column)) for column in zip(names, *cells, strict=True)]
        last = min(widths[-1], _LEAST_FOLDED)
        if sum(widths[:-1]) + last + _GAP * len(widths) > self._out.width:
            for row in cells:
                pairs = zip(names, row, strict=True)
                self._out.print(", ".join(f"{name} {text}" for name, text in pairs if text) + "\n")
            return
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, _GAP - 1, 0, 0))
        for index, (name, told) in enumerate(zip(names, columns, strict=True), 1):
            justify: Literal["left", "right"] = "right" if told.endswith("#") else "left"
            is_last = index == len(names)
            table.add_column(name, justify=justify, no_wrap=not is_last, overflow="fold")
        for row in cells:
            table.add_row(*row)
        self._out.print(table)

    def summary(
        self, title: str, values: Mapping[str, object], shown: Mapping[str, str], *, bad: bool
    ) -> None:
        """The end of a command: `values` as JSON, or `shown` as a table under a title."""
        if self.as_json:
            self.put_json(values)
            return
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 2))
        table.add_column(style="dim")
        table.add_column(justify="right")
        for name, value in shown.items():
            table.add_row(name, printable(value))
        self._out.print(printable(title), style="bold yellow" if bad else "bold green")
        self._out.print(table)

    @contextmanager
    def progress(
        self, title: str, total: int | None, unit: str, *, is_bytes: bool = False
    ) -> Iterator[Report]:
        """A bar on a terminal, a line every few seconds elsewhere.

        Args:
            title: what is going on.
            total: the whole, in whatever the caller measures it; None when not known.
            unit: what is counted: `items`, `files`, `videos` or `hashes`.
            is_bytes: tell what is done in bytes too, which is what the whole is in.
        """
        if not self._err.is_terminal:
            yield self._lines(title, total, unit, is_bytes=is_bytes)
            return
        with Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            *([BarColumn(bar_width=_BAR_WIDTH)] if self._err.width >= _NARROW else []),
            *([TaskProgressColumn()] if total else []),
            _DoneColumn(),
            TimeRemainingColumn() if total else TimeElapsedColumn(),
            console=self._err,
            transient=True,
        ) as bar:
            task = bar.add_task(
                printable(title), total=total, count=0, unit=unit, is_bytes=is_bytes
            )

            def report(count: int, done: int | None) -> None:
                bar.update(task, count=count, completed=count if done is None else done)

            yield report

    def _lines(self, title: str, total: int | None, unit: str, *, is_bytes: bool) -> Report:
        started_ms = last_ms = self.clock.monotonic_ms()

        def report(count: int, done: int | None) -> None:
            nonlocal last_ms
            now_ms = self.clock.monotonic_ms()
            if now_ms - last_ms < LINE_INTERVAL_MS:
                return
            last_ms = now_ms
            elapsed_s = (now_ms - started_ms) / 1000
            done_bytes = (count if done is None else done) if is_bytes else None
            text = f"{title}: {_done_told(count, unit, done_bytes, elapsed_s)}"
            share = (count if done is None else done) / total if total else 0
            if share:
                left_s = max(elapsed_s / share - elapsed_s, 0)
                text += f", {share:.0%}, {left_s:,.0f} s left"
            self.note(text)

        return report


def _done_told(count: int, unit: str, done_bytes: int | None, elapsed_s: float | None) -> str:
    """What is done.

    Args:
        count: how many.
        unit: of what, as for many.
        done_bytes: how much that is, where that is measured; what takes longer by its size has
            no pace to tell.
        elapsed_s: in which time.
    """
    text = counted(count, _ONE[unit], unit)
    if done_bytes is not None:
        return f"{text}, {filesize.decimal(done_bytes)}"
    rate = round(count / elapsed_s) if elapsed_s else 0
    return f"{text}, {rate:,}/s" if rate else text


def _console(*, stderr: bool) -> RichConsole:
    plain = not (sys.stderr if stderr else sys.stdout).isatty()
    return RichConsole(
        stderr=stderr,
        markup=False,
        highlight=False,
        emoji=False,
        force_terminal=not plain,
        width=_PLAIN_WIDTH if plain else None,
    )


def counted(count: int, one: str, many: str) -> str:
    """A number with its noun, in the form that the number wants."""
    return f"{count:,} {one if count == 1 else many}"


def took(elapsed_ms: int) -> str:
    """A duration for reading."""
    seconds = elapsed_ms / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    return f"{int(seconds) // 60} min {int(seconds) % 60} s"
