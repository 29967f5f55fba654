"""The `firstseen` command: check or hash files from a terminal or a script.

What it sends and what comes back is the SDK's business, what `hash` shows is told in
`hash_command`; here are words and exit codes.
"""

import os

# gRPC's own log would come between the lines; it reads this when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

import argparse
import json
import ssl
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from firstseen.asking import ATTENTION, FileAnswer, FileProgress
from firstseen.client import Client
from firstseen.errors import CallError
from firstseen.hash_command import run_hash
from firstseen.hashing.forms import BankProfile
from firstseen.items import Verdict
from firstseen.options import Options, Plaintext, Tls
from firstseen.progress import Bars, printable

# A server refuses deadlines of more than a day.
_MAX_TIMEOUT_S: Final = 24 * 3600.0
EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
EXIT_STOPPED: Final = 130
# Of many files, the one that wants most attention decides: a script that looks only at
# the code must never take material that was not judged for known.
EXIT_CODES: Final = {
    Verdict.KNOWN: 10,
    Verdict.UNSUPPORTED: 12,
    Verdict.UNSURE: 11,
    Verdict.NOVEL: 0,
}
# What `check --hash-only` hashes: what would be sent.
_AS_ASKED: Final = {"all": False, "vpdq": None, "side": "query", "profile": "standard"}
_STYLES: Final = {
    Verdict.KNOWN: "red",
    Verdict.NOVEL: "green",
    Verdict.UNSURE: "yellow",
    Verdict.UNSUPPORTED: "yellow",
}

_EPILOG: Final = """\
exit codes:
  0    a file is NOVEL (of many: at least one)
  11   none is NOVEL and one is UNSURE
  12   none of these and one is UNSUPPORTED
  10   every file is KNOWN
  1    a file could not be hashed or judged, or the server did not answer
  2    wrong use

A Motion Photo is a picture and a clip, and counts as two files.

examples:
  firstseen check picture.jpg --server match.example:443
  firstseen check *.jpg --server localhost:50051 --plaintext --json
"""

_HASH_EPILOG: Final = """\
exit codes: 0 all were hashed, 1 one could not be, 2 wrong use

examples:
  firstseen hash picture.jpg                     # what would be sent at most
  firstseen hash clip.mp4 --vpdq clip.vpdq.txt   # its frames, as Meta's vpdq writes them
  firstseen hash *.pdf --side bank --json > list.ndjson
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except BrokenPipeError:
        # Whoever read stdout has gone, as `head` does.
        sys.stderr.close()
        return EXIT_ERROR
    except CallError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or ''}: {error.strerror or 'cannot be read'}")
    else:
        return code
    return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firstseen",
        description="Ask whether files are already known, sending only hashes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="check files",
        description="Hash files here and ask a server whether they are known.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(check)
    check.add_argument("--server", metavar="HOST:PORT", help="whom to ask")
    check.add_argument("--plaintext", action="store_true", help="no TLS: for trying out")
    check.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the authority to trust")
    check.add_argument("--cert", type=Path, metavar="FILE", help="PEM of a client certificate")
    check.add_argument("--key", type=Path, metavar="FILE", help="PEM of its key")
    check.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="for an answer (default 5)"
    )
    check.add_argument("--hash-only", action="store_true", help="as `firstseen hash`: send nothing")
    check.set_defaults(run=_check, usage_error=check.error, **_AS_ASKED)
    hash_ = commands.add_parser(
        "hash",
        help="show the hashes of files, and send nothing",
        description="Hash files here and show what would be sent, or listed.",
        epilog=_HASH_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _add_common(hash_)
    hash_.add_argument("--all", action="store_true", help="show every hash, not the first few")
    hash_.add_argument(
        "--vpdq", type=Path, metavar="FILE", help="also write the frames of one video as vPDQ"
    )
    hash_.add_argument(
        "--side",
        choices=("query", "bank"),
        default="query",
        help="as it is asked about (default), or as it is listed",
    )
    hash_.add_argument(
        "--profile",
        choices=[profile.value for profile in BankProfile],
        default=BankProfile.STANDARD.value,
        help="with --side bank, how many forms (default standard)",
    )
    hash_.set_defaults(run=_hash, usage_error=hash_.error)
    return parser


def _add_common(command: argparse.ArgumentParser) -> None:
    command.add_argument("files", nargs="+", type=Path, metavar="FILE")
    command.add_argument(
        "--no-dihedral", action="store_true", help="leave out mirrored and rotated forms"
    )
    command.add_argument(
        "--exact-when-undecodable",
        action="store_true",
        help="take a video or document that cannot be read by its exact hashes alone; "
        "NOVEL then says only that this very file is not listed",
    )
    command.add_argument("--json", action="store_true", help="one JSON object a line")


def _check(options: argparse.Namespace) -> int:
    if options.hash_only:
        return _hash(options)
    if not options.server:
        options.usage_error("--server is required (or --hash-only)")
    # Written so that "nan" is refused too.
    if not 0 < options.timeout <= _MAX_TIMEOUT_S:
        options.usage_error("--timeout: want more than 0 and at most 86400 seconds")
    security = _security(options)
    behaviour = Options(
        deadline_ms=max(1, round(options.timeout * 1000)),
        dihedral=not options.no_dihedral,
        exact_when_undecodable=options.exact_when_undecodable,
    )
    with Client(options.server, security, behaviour) as client, Bars(len(options.files)) as bars:
        answers = _timed(client, bars.each(options.files), bars.video)
        shown = _as_json(answers, bars) if options.json else _as_table(answers, bars)
        return exit_code(shown)


def _security(options: argparse.Namespace) -> Tls | Plaintext:
    if options.plaintext:
        if options.ca or options.cert or options.key:
            options.usage_error("--plaintext: not with --ca, --cert or --key")
        return Plaintext()
    if bool(options.cert) != bool(options.key):
        options.usage_error("--cert and --key belong together")
    read = {name: getattr(options, name) for name in ("ca", "key", "cert")}
    pem = {name: path.read_bytes() if path else None for name, path in read.items()}
    try:
        # gRPC itself would only log, and then reach nobody.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if pem["ca"] is not None:
            context.load_verify_locations(cadata=pem["ca"].decode())
        if options.cert:
            context.load_cert_chain(options.cert, options.key, password="")  # never asks for one
    except (ssl.SSLError, ValueError):
        options.usage_error("--ca, --cert or --key: not PEM, or the key is not the certificate's")
    return Tls(pem["ca"], pem["key"], pem["cert"])


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


def _timed(
    client: Client, paths: Iterable[Path], progress: FileProgress
) -> Iterator[tuple[FileAnswer, float]]:
    """Each answer with the milliseconds from opening the file to having the answer.

    Files are asked about together, so the times of neighbours overlap.
    """
    starts_s: deque[float] = deque()

    def started() -> Iterator[Path]:
        for path in paths:
            starts_s.append(time.perf_counter())
            yield path

    for answer in client.check_many(started(), progress):
        yield answer, (time.perf_counter() - starts_s.popleft()) * 1000


def _as_json(answers: Iterator[tuple[FileAnswer, float]], bars: Bars) -> Iterator[FileAnswer]:
    for answer, _ in answers:
        line: dict[str, object] = {"file": str(answer.path)}
        if answer.answer:
            line["verdict"] = answer.answer.verdict.name
            line["sequence"] = answer.answer.checkpoint.sequence
        else:
            line["error"] = _reason(answer)
        with bars.aside():
            sys.stdout.write(json.dumps(line) + "\n")
            sys.stdout.flush()
        yield answer


def _as_table(answers: Iterator[tuple[FileAnswer, float]], bars: Bars) -> Iterator[FileAnswer]:
    table = Table(box=None, pad_edge=False)
    table.add_column("file", overflow="fold")
    table.add_column("verdict")
    table.add_column("time", justify="right")
    try:
        for answer, elapsed_ms in answers:
            verdict = answer.answer.verdict if answer.answer else None
            said = Text(verdict.name, _STYLES[verdict]) if verdict else Text(_reason(answer))
            table.add_row(Text(printable(answer.path)), said, f"{elapsed_ms:.0f} ms")
            yield answer
    finally:
        if table.row_count:
            with bars.aside():
                Console(highlight=False).print(table)


def _reason(answer: FileAnswer) -> str:
    error = answer.error
    if isinstance(error, OSError):
        return error.strerror or "cannot be read"
    return printable(str(error))


def _hash(options: argparse.Namespace) -> int:
    if options.vpdq is not None and len(options.files) > 1:
        options.usage_error("--vpdq: of one file")
    code = 0
    for path, error in run_hash(options):
        told = error.strerror if isinstance(error, OSError) else None
        _complain(f"{printable(path)}: {told or printable(str(error)) or 'cannot be read'}")
        code = EXIT_ERROR
    return code


def _complain(text: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"firstseen: {printable(text)}", style="red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
