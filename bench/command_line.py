"""The command that makes a run again, from what was asked for."""

import argparse
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_NOT_SHOWN: Final = ("help", "out")


def command_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> str:
    """The command line of a benchmark, with every option that is not at its default.

    Of a file or folder it has the name alone: where it was is this machine's affair.

    Args:
        parser: of the benchmark's own options.
        options: what it made of them.
    """
    words = [word for action in parser._actions for word in _words(action, options)]  # noqa: SLF001
    return f"{parser.prog} {shlex.join(words)}".strip()


def _words(action: argparse.Action, options: argparse.Namespace) -> Iterator[str]:
    value = getattr(options, action.dest, None)
    if action.dest in _NOT_SHOWN or value is None or value == action.default:
        return
    if action.option_strings:
        yield action.option_strings[-1]
    if isinstance(action, argparse._StoreTrueAction):  # noqa: SLF001
        return
    for part in value if isinstance(value, list | tuple) else [value]:
        yield part.name if isinstance(part, Path) else f"{part}"
