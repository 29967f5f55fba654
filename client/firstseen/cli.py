"""The `firstseen` command: check files from a terminal or a script.

What it sends and what comes back is the SDK's business; here are words and exit codes.
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

from firstseen.asking import FileAnswer
from firstseen.client import Client
from firstseen.errors import CallError, MediaError
from firstseen.hashing.file import hash_file
from firstseen.items import Item, Verdict
from firstseen.options import Options, Plaintext, Tls

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
_ATTENTION: Final = (Verdict.KNOWN, Verdict.UNSUPPORTED, Verdict.UNSURE, Verdict.NOVEL)
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

examples:
  firstseen check picture.jpg --server match.example:443
  firstseen check *.jpg --server localhost:50051 --plaintext --json
  firstseen check picture.jpg --hash-only        # what would be sent at most
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _check(options)
    except KeyboardInterrupt:
        return EXIT_STOPPED
    except BrokenPipeError:
        # Whoever read stdout has gone, as `head` does.
        sys.stderr.close()
        return EXIT_ERROR
    except CallError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or ''}: {error.strerror or type(error).__name__}")
    return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firstseen",
        description="Ask whether files are already known, sending only hashes.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check = parser.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "check",
        help="check files",
        description="Hash files here and ask a server whether they are known.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    check.add_argument("files", nargs="+", type=Path, metavar="FILE")
    check.add_argument("--server", metavar="HOST:PORT", help="whom to ask")
    check.add_argument("--plaintext", action="store_true", help="no TLS: for trying out")
    check.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the authority to trust")
    check.add_argument("--cert", type=Path, metavar="FILE", help="PEM of a client certificate")
    check.add_argument("--key", type=Path, metavar="FILE", help="PEM of its key")
    check.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="for an answer (default 5)"
    )
    check.add_argument(
        "--no-dihedral", action="store_true", help="leave out mirrored and rotated forms"
    )
    check.add_argument("--json", action="store_true", help="one JSON object a line")
    check.add_argument(
        "--hash-only", action="store_true", help="show what would be sent at most, and send nothing"
    )
    check.set_defaults(usage_error=check.error)
    return parser


def _check(options: argparse.Namespace) -> int:
    if options.hash_only:
        return _show_hashes(options)
    if not options.server:
        options.usage_error("--server is required (or --hash-only)")
    # Written so that "nan" is refused too.
    if not 0 < options.timeout <= _MAX_TIMEOUT_S:
        options.usage_error("--timeout: want more than 0 and at most 86400 seconds")
    security = _security(options)
    behaviour = Options(
        deadline_ms=max(1, round(options.timeout * 1000)), dihedral=not options.no_dihedral
    )
    with Client(options.server, security, behaviour) as client:
        answers = _timed(client, options.files)
        shown = _as_json(answers) if options.json else _as_table(answers)
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
    return EXIT_CODES[max(verdicts, key=_ATTENTION.index)]


def _timed(client: Client, paths: Iterable[Path]) -> Iterator[tuple[FileAnswer, float]]:
    """Each answer with the milliseconds from opening the file to having the answer.

    Files are asked about together, so the times of neighbours overlap.
    """
    starts_s: deque[float] = deque()

    def started() -> Iterator[Path]:
        for path in paths:
            starts_s.append(time.perf_counter())
            yield path

    for answer in client.check_many(started()):
        yield answer, (time.perf_counter() - starts_s.popleft()) * 1000


def _as_json(answers: Iterator[tuple[FileAnswer, float]]) -> Iterator[FileAnswer]:
    for answer, _ in answers:
        line: dict[str, object] = {"file": str(answer.path)}
        if answer.answer:
            line["verdict"] = answer.answer.verdict.name
            line["sequence"] = answer.answer.checkpoint.sequence
        else:
            line["error"] = _reason(answer)
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
        yield answer


def _as_table(answers: Iterator[tuple[FileAnswer, float]]) -> Iterator[FileAnswer]:
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
            Console(highlight=False).print(table)


def _reason(answer: FileAnswer) -> str:
    error = answer.error
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return printable(str(error))


def printable(text: str | Path) -> str:
    """A file name, or what a server said, without characters that a terminal would act on."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(text))


def _show_hashes(options: argparse.Namespace) -> int:
    code = 0
    for path in options.files:
        try:
            item = hash_file(path, dihedral=not options.no_dihedral)
        except (MediaError, OSError) as error:
            _complain(f"{printable(path)}: {_reason(FileAnswer(path, error=error))}")
            code = EXIT_ERROR
            continue
        if options.json:
            sys.stdout.write(json.dumps(_as_sent(path, item)) + "\n")
        else:
            sys.stdout.write(f"{printable(path)}: {item.media_type.name.lower()}\n")
            for hash_ in item.hashes:
                quality = "" if hash_.quality is None else f"  quality {hash_.quality}"
                sys.stdout.write(f"  {hash_.type.name:<12}  {hash_.value.hex()}{quality}\n")
    return code


def _as_sent(path: Path, item: Item) -> dict[str, object]:
    hashes = [
        {"type": hash_.type.name.lower(), "value": hash_.value.hex()}
        | ({} if hash_.quality is None else {"quality": hash_.quality})
        for hash_ in item.hashes
    ]
    return {"file": str(path), "media_type": item.media_type.name.lower(), "hashes": hashes}


def _complain(text: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"firstseen: {printable(text)}", style="red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
