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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from firstseen.asking import ATTENTION, FileAnswer
from firstseen.client import Client
from firstseen.errors import CallError, UnavailableError
from firstseen.hash_command import run_hash
from firstseen.hashing.forms import BankProfile
from firstseen.items import Verdict
from firstseen.options import Options, Plaintext, Tls
from firstseen.progress import STYLES, Bars, printable
from firstseen.review import ReviewClient
from firstseen.review_command import Failed, run_explain, run_prioritise

# A server refuses deadlines of more than a day.
_MAX_TIMEOUT_S: Final = 24 * 3600.0
_MAX_MATCHES: Final = 1_000  # of one answer of the review service
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

# In place of a verdict, of a file that got none.
_NO_VERDICT: Final = "ERROR"
_WORD_WIDTH: Final = max(len(verdict.name) for verdict in Verdict)
_UNREADABLE: Final = "cannot be read"
_OVER_TLS: Final = " (it was called over TLS; --plaintext calls without)"

_EPILOG: Final = """\
exit codes:
  0    a file is NOVEL (of many: at least one)
  11   none is NOVEL and one is UNSURE
  12   none of these and one is UNSUPPORTED
  10   every file is KNOWN
  1    a file could not be hashed or judged, or the server did not answer
  2    wrong use
  130  stopped by Ctrl-C; what was answered is shown

A Motion Photo is a picture and a clip, and counts as two files.

examples:
  firstseen check picture.jpg --server match.example:443
  firstseen check *.jpg --server localhost:50051 --plaintext --json
"""

_TOP_EPILOG: Final = """\
examples:
  firstseen check picture.jpg --server match.example:443
  firstseen hash picture.jpg
  firstseen COMMAND --help     # options, exit codes and more examples
"""

_HASH_EPILOG: Final = """\
exit codes: 0 all were hashed, 1 one could not be, 2 wrong use, 130 stopped by Ctrl-C

examples:
  firstseen hash picture.jpg                     # what would be sent at most
  firstseen hash clip.mp4 --vpdq clip.vpdq.txt   # its frames, as Meta's vpdq writes them
  firstseen hash *.pdf --side bank --json > list.ndjson
"""

_EXPLAIN_EPILOG: Final = """\
A line for each listed item, by its nearest hash; `match` makes KNOWN, `near` is worth a look.
To take one out: python -m indexer withdraw --item ID

exit codes: 0 all were explained, 1 one could not be, 2 wrong use, 130 stopped by Ctrl-C

examples:
  firstseen explain copy.jpg --server review:50052 --ca ca.pem --cert me.pem --key me.key
  firstseen explain copy.jpg --server localhost:50052 --plaintext --json
"""

_PRIORITISE_EPILOG: Final = """\
First what is NOVEL, then UNSURE, UNSUPPORTED and KNOWN; within these, what is near nothing listed
comes before what is, and what is near or matches graver material first.

exit codes: 0 all are in the order, 1 one is not, 2 wrong use, 130 stopped by Ctrl-C

examples:
  firstseen prioritise inbox/* --server review:50052 --ca ca.pem --cert me.pem --key me.key
  firstseen prioritise inbox/* --server localhost:50052 --plaintext --json
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = argparse.Namespace()
    try:
        _parser().parse_args(arguments, options)
        code: int = options.run(options)
    except KeyboardInterrupt:
        _complain("stopped")
        return EXIT_STOPPED
    except BrokenPipeError:
        # Whoever read stdout has gone, as `head` does.
        sys.stderr.close()
        return EXIT_ERROR
    except UnavailableError as error:
        _complain(f"{options.server}: {error}{'' if options.plaintext else _OVER_TLS}")
    except CallError as error:
        _complain(str(error))
    except OSError as error:
        _complain(f"{error.filename or 'a file'}: {_reason(error)}")
    else:
        return code
    return EXIT_ERROR


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="firstseen",
        description="Ask whether files are already known, sending only hashes.",
        epilog=_TOP_EPILOG,
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
    _add_server(check)
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
    _add_review(commands)
    return parser


def _add_review(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """What the unit's own listener answers, and the public one does not."""
    explain = commands.add_parser(
        "explain",
        help="say what files match (for the unit: asks its review service)",
        description="Hash files here and ask the review service which listed items they match.",
        epilog=_EXPLAIN_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prioritise = commands.add_parser(
        "prioritise",
        help="say what to look at first (for the unit: asks its review service)",
        description="Hash files here and ask the review service in which order to look at them.",
        epilog=_PRIORITISE_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for command, run in ((explain, run_explain), (prioritise, run_prioritise)):
        _add_common(command)
        _add_server(command)
        command.set_defaults(run=partial(_review, run), usage_error=command.error)
    explain.add_argument(
        "--max-matches",
        type=_match_count,
        default=100,
        metavar="N",
        help="how many listed hashes to tell of each file, 1 to 1000 (default 100)",
    )


def _match_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_MATCHES):
        raise argparse.ArgumentTypeError(f"want 1 to {_MAX_MATCHES}")
    return int(text)


def _add_server(command: argparse.ArgumentParser) -> None:
    command.add_argument("--server", metavar="HOST:PORT", help="whom to ask")
    command.add_argument("--plaintext", action="store_true", help="no TLS: for trying out")
    command.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the authority to trust")
    command.add_argument("--cert", type=Path, metavar="FILE", help="PEM of a client certificate")
    command.add_argument("--key", type=Path, metavar="FILE", help="PEM of its key")
    command.add_argument(
        "--timeout", type=float, default=5.0, metavar="SECONDS", help="for an answer (default 5)"
    )


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
    security, behaviour = _connection(options, "--server is required (or --hash-only)")
    with Client(options.server, security, behaviour) as client, Bars(len(options.files)) as bars:
        answers = client.check_many(bars.each(options.files), bars.video)
        if options.json:
            return exit_code(_as_json(answers, bars))
        return exit_code(_counted(_as_lines(answers, bars), bars))


def _review(run: Callable[..., Iterator[Failed]], options: argparse.Namespace) -> int:
    security, behaviour = _connection(options, "--server is required: the review listener's")
    with ReviewClient(options.server, security, behaviour) as client:
        return _complain_of(run(options, client))


def _connection(options: argparse.Namespace, no_server: str) -> tuple[Tls | Plaintext, Options]:
    if not options.server:
        options.usage_error(no_server)
    if options.server.startswith(("http:", "https:")):
        options.usage_error("--server: want HOST:PORT, without http")
    # Written so that "nan" is refused too.
    if not 0 < options.timeout <= _MAX_TIMEOUT_S:
        options.usage_error("--timeout: want more than 0 and at most 86400 seconds")
    behaviour = Options(
        deadline_ms=max(1, round(options.timeout * 1000)),
        dihedral=not options.no_dihedral,
        exact_when_undecodable=options.exact_when_undecodable,
    )
    return _security(options), behaviour


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


def _as_json(answers: Iterable[FileAnswer], bars: Bars) -> Iterator[FileAnswer]:
    for answer in answers:
        line: dict[str, object] = {"file": str(answer.path)}
        if answer.answer:
            line["verdict"] = answer.answer.verdict.name
            line["sequence"] = answer.answer.checkpoint.sequence
        else:
            line["error"] = _reason(answer.error)
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
            line.append(f": {_reason(answer.error)}", "none")
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


def _reason(error: Exception | None) -> str:
    if isinstance(error, IsADirectoryError):
        return "a folder, not a file"
    if isinstance(error, OSError):
        return error.strerror or _UNREADABLE
    return printable(str(error))


def _hash(options: argparse.Namespace) -> int:
    if options.vpdq is not None and len(options.files) > 1:
        options.usage_error("--vpdq: of one file")
    return _complain_of(run_hash(options))


def _complain_of(failed: Iterable[tuple[Path, Exception]]) -> int:
    code = 0
    for path, error in failed:
        _complain(f"{printable(path)}: {_reason(error)}")
        code = EXIT_ERROR
    return code


def _complain(text: str) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(f"firstseen: {printable(text)}", style="red", markup=False)


if __name__ == "__main__":
    sys.exit(main())
