"""Bars on stderr while files are hashed; nothing where stderr is no terminal."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from firstseen.items import Verdict

_MOST_NAME: Final = 40
_LEAST_NAME: Final = 10
_BESIDE_NAME: Final = 45  # columns that the bar, the seconds and the time left take
STYLES: Final = {
    Verdict.KNOWN: "red",
    Verdict.NOVEL: "green",
    Verdict.UNSURE: "yellow",
    Verdict.UNSUPPORTED: "yellow",
}


def printable(text: str | Path) -> str:
    """A file name, or what a server said, without characters that a terminal would act on."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


class Bars:
    """One bar for all files, and one for the video that is being hashed.

    A video has a bar from its first frame on; one whose length nobody knows has a moving one.
    """

    def __init__(self, file_count: int, console: Console | None = None) -> None:
        """Takes how many files there will be."""
        shown = console or Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=shown,
            transient=True,
            disable=not shown.is_terminal,
            # What goes to stdout must get there, whatever stderr is.
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._files = self._progress.add_task("files", total=file_count)
        self._video = self._progress.add_task("", visible=False)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._hide()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """No bar is shown while something else is written."""
        self._hide()
        yield
        self._progress.start()

    def _hide(self) -> None:
        if not self._progress.disable:  # even then it would end a line that it never began
            self._progress.stop()

    def each(self, paths: Iterable[Path]) -> Iterator[Path]:
        """The paths, counted as they are asked for: when one is, those before it are hashed."""
        for count, path in enumerate(paths):
            self._progress.update(self._files, completed=count)
            self._progress.update(self._video, visible=False)
            yield path
        self._progress.update(self._video, visible=False)

    def video(self, path: Path, done_ms: int, length_ms: int | None) -> None:
        """Told how far a video is, in milliseconds; shown in seconds."""
        room = max(self._progress.console.width - _BESIDE_NAME, _LEAST_NAME)
        name = printable(path.name)[: min(room, _MOST_NAME)]
        length_s = None if length_ms is None else max(length_ms, done_ms) // 1000
        self._progress.update(
            self._video, description=name, completed=done_ms // 1000, total=length_s, visible=True
        )
