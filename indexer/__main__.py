"""The `python -m indexer` command: runs one subcommand and turns every error into one line.

What the subcommands are is told in `arguments`, their exit codes in `exit_codes`.
"""

import signal

if __name__ == "__main__":
    # Ctrl-C while what follows is loaded, for a second, is no fault to tell the whole stack of.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import os
import sys
import traceback
from pathlib import Path

from engine.errors import StoreMissingError
from engine.time_slice import ask_long_slices
from indexer.arguments import parser
from indexer.console import Console
from indexer.exit_codes import ExitCode, exit_code


def main(arguments: list[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    console = Console()
    try:
        options = parser().parse_args(arguments)
        console.as_json = options.json
        code: ExitCode = options.run(options, console)
        sys.stdout.flush()
    except KeyboardInterrupt:
        console.note("indexer: stopped")
        return ExitCode.STOPPED
    except BrokenPipeError:
        # Whoever read stdout has gone; what Python still holds for it goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.FILE
    except Exception as error:  # noqa: BLE001 - the boundary: one line, never a traceback
        known = exit_code(error)
        console.note(f"indexer: {_fault(error) if known is None else _told(error)}", "bold red")
        return ExitCode.FAULT if known is None else known
    return code


def _told(error: Exception) -> str:
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return f"{name}{error.strerror or 'cannot be read'}"
    if isinstance(error, StoreMissingError):
        return f"{error}; `python -m indexer init` makes one"
    return str(error)


def _fault(error: Exception) -> str:
    """Kind and place of a fault; its text might hold what was worked on."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"a fault of the program: {type(error).__name__} at {where}"


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    ask_long_slices()
    sys.exit(main())
