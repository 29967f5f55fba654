"""`firstseen check`: what a server says of files.

What it sends and what comes back is the business of `client`; here are words and exit codes.
"""

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Final

from rich.console import Console
from rich.text import Text

from firstseen.asking import ATTENTION, FileAnswer
from firstseen.client import Client
from firstseen.complaint import EXIT_ERROR, reason_of
from firstseen.items import Verdict
from firstseen.progress import STYLES, Bars, printable

# Of many files, the one that wants most attention decides: a script that looks only at
# the code must never take material that was not judged for known.
EXIT_CODES: Final = {
    Verdict.KNOWN: 10,
    Verdict.UNSUPPORTED: 12,
    Verdict.UNSURE: 11,
    Verdict.NOVEL: 0,
}
# In place of a verdict, of a file that got none.
_NO_VERDICT: Final = "ERROR"
_WORD_WIDTH: Final = max(len(verdict.name) for verdict in Verdict)


def run_check(options: Namespace, client: Client) -> int:
    """Writes the verdict of each file to stdout; gives the exit code."""
    with Bars(len(options.files)) as bars:
        answers = client.check_many(bars.each(options.files), bars.video)
        if options.json:
            return exit_code(_as_json(answers, bars))
        return exit_code(_counted(_as_lines(answers, bars), bars))


def exit_code(answers: Iterable[FileAnswer]) -> int:
    """The exit code of what became of the files."""
    verdicts = set()
    failed = False
    for answer in answers:
        if answer.answer is None:
            failed = True
        else:
            verdicts.add(answer.answer.verdict)
    if failed:
        return EXIT_ERROR
    return EXIT_CODES[max(verdicts, key=ATTENTION.index)]


def _as_json(answers: Iterable[FileAnswer], bars: Bars) -> Iterator[FileAnswer]:
    for answer in answers:
        line: dict[str, object] = {"file": str(answer.path)}
        if answer.answer:
            line["verdict"] = answer.answer.verdict.name
            line["sequence"] = answer.answer.checkpoint.sequence
        else:
            line["error"] = reason_of(answer.path, answer.error)
        with bars.aside():
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        yield answer


def _as_lines(answers: Iterable[FileAnswer], bars: Bars) -> Iterator[FileAnswer]:
    """Writes each answer as it comes; the name is last, so that no line is ever folded."""
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    for answer in answers:
        verdict = answer.answer.verdict if answer.answer else None
        word = verdict.name if verdict else _NO_VERDICT
        line = Text(f"{word:<{_WORD_WIDTH}}", STYLES[verdict] if verdict else "bold red")
        line.append(f" {answer.elapsed_ms:>7,.0f} ms  ", "dim")
        line.append(printable(answer.path), "none")
        if not answer.answer:
            line.append(f": {reason_of(answer.path, answer.error)}", "none")
        with bars.aside():
            console.print(line)
        yield answer


def _counted(answers: Iterable[FileAnswer], bars: Bars) -> Iterator[FileAnswer]:
    """The answers; of more than one file, how many got which is told at the end on stderr."""
    counts: Counter[str] = Counter()
    for answer in answers:
        counts[answer.answer.verdict.name if answer.answer else _NO_VERDICT] += 1
        yield answer
    if counts.total() > 1:
        words = [*(verdict.name for verdict in STYLES), _NO_VERDICT]
        each = ", ".join(f"{counts[word]:,} {word}" for word in words if counts[word])
        with bars.aside():
            Console(stderr=True, highlight=False, soft_wrap=True).print(
                f"{counts.total():,} files: {each}", style="dim"
            )
