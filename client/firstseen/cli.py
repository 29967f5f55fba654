"""The `firstseen` command: check or hash files from a terminal or a script.

Its options are told in `arguments`, what each command does in a file of its own
(`check_command`, `hash_command`, `review_command`); here is which runs, and how it ends.
"""

import os

# gRPC's own log would come between the lines; it reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import sys
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from firstseen.arguments import parser
from firstseen.check_command import run_check
from firstseen.client import Client
from firstseen.complaint import EXIT_ERROR, complain, complain_of, reason
from firstseen.connection import connection
from firstseen.errors import CallError
from firstseen.hash_command import run_hash
from firstseen.review import ReviewClient
from firstseen.review_command import Failed, run_explain, run_prioritise

EXIT_STOPPED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    try:
        options = parser().parse_args(arguments)
        return _COMMANDS[options.command](options)
    except KeyboardInterrupt:
        complain("stopped")
        return EXIT_STOPPED
    except BrokenPipeError:
        # Whoever read stdout has gone, as `head` does.
        sys.stderr.close()
    except CallError as error:
        complain(str(error))
    except OSError as error:
        complain(f"{error.filename or 'a file'}: {reason(error)}")
    return EXIT_ERROR


def _check(options: Namespace) -> int:
    if options.hash_only:
        return _hash(options)
    with Client(*connection(options, "--server is required (or --hash-only)")) as client:
        return run_check(options, client)


def _hash(options: Namespace) -> int:
    if options.vpdq is not None and len(options.files) > 1:
        options.usage_error("--vpdq: of one file")
    if options.vpdq is not None and options.vpdq.is_dir():
        options.usage_error("--vpdq: a folder; want the name of a file to write")
    return complain_of(run_hash(options))


def _review(run: Callable[[Namespace, ReviewClient], Iterator[Failed]], options: Namespace) -> int:
    whom = connection(options, "--server is required: the review listener's")
    with ReviewClient(*whom) as client:
        return complain_of(run(options, client))


_COMMANDS: Final[dict[str, Callable[[Namespace], int]]] = {
    "check": _check,
    "hash": _hash,
    "explain": partial(_review, run_explain),
    "prioritise": partial(_review, run_prioritise),
}


if __name__ == "__main__":
    sys.exit(main())
