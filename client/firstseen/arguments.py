"""The options of the `firstseen` command, and what its help says."""

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

from firstseen.hashing.forms import BankProfile
from firstseen.strict_parser import StrictParser
from firstseen.usage import problem_of_address

# A server refuses deadlines of more than a day.
_MAX_TIMEOUT_S: Final = 24 * 3600.0
_MAX_MATCHES: Final = 1_000  # of one answer of the review service
# What `check --hash-only` hashes: what would be sent.
_AS_ASKED: Final = {"all": False, "vpdq": None, "side": "query", "profile": "standard"}

_CHECK_EPILOG: Final = """\
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

_EPILOG: Final = """\
examples:
  firstseen check picture.jpg --server match.example:443
  firstseen hash picture.jpg
  firstseen COMMAND --help     # options, exit codes and more examples
"""

_HASH_EPILOG: Final = """\
What is `not sent by check` makes no verdict; `explain` sends it, for a reviewer.

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


def parser() -> ArgumentParser:
    """The parser; what it parsed has the command's name as `command`."""
    whole = StrictParser(
        prog="firstseen",
        description="Ask whether files are already known, sending only hashes.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    commands = whole.add_subparsers(required=True, metavar="COMMAND", dest="command")

    def command(name: str, purpose: str, description: str, epilog: str) -> ArgumentParser:
        return commands.add_parser(
            name,
            help=purpose,
            description=f"Hash files here and {description}.",
            epilog=epilog,
            formatter_class=RawDescriptionHelpFormatter,
        )

    asked = "ask a server whether they are known"
    _add_check(command("check", "check files", asked, _CHECK_EPILOG))
    purpose = "show the hashes of files, and send nothing"
    _add_hash(command("hash", purpose, "show what would be sent, or listed", _HASH_EPILOG))
    purpose = "say what files match (for the unit: asks its review service)"
    asked = "ask the review service which listed items they match"
    _add_explain(command("explain", purpose, asked, _EXPLAIN_EPILOG))
    purpose = "say what to look at first (for the unit: asks its review service)"
    asked = "ask the review service in which order to look at them"
    _add_server(command("prioritise", purpose, asked, _PRIORITISE_EPILOG))
    return whole


def _add_check(command: ArgumentParser) -> None:
    _add_server(command)
    command.add_argument(
        "--hash-only", action="store_true", help="as `firstseen hash`: send nothing"
    )
    command.set_defaults(**_AS_ASKED)


def _add_hash(command: ArgumentParser) -> None:
    _add_files(command)
    command.add_argument("--all", action="store_true", help="show every hash, not the first few")
    command.add_argument(
        "--vpdq", type=Path, metavar="FILE", help="also write the frames of one video as vPDQ"
    )
    command.add_argument(
        "--side",
        choices=("query", "bank"),
        default="query",
        help="as it is asked about (default), or as it is listed",
    )
    command.add_argument(
        "--profile",
        choices=[profile.value for profile in BankProfile],
        default=BankProfile.STANDARD.value,
        help="with --side bank, how many forms (default standard)",
    )


def _add_explain(command: ArgumentParser) -> None:
    _add_server(command)
    command.add_argument(
        "--max-matches",
        type=_match_count,
        default=100,
        metavar="N",
        help="how many listed hashes to tell of each file, 1 to 1000 (default 100)",
    )


def _add_server(command: ArgumentParser) -> None:
    """The options of a command that hashes files and asks a server."""
    _add_files(command)
    command.add_argument("--server", type=_address, metavar="HOST:PORT", help="whom to ask")
    command.add_argument("--plaintext", action="store_true", help="no TLS: for trying out")
    command.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the authority to trust")
    command.add_argument("--cert", type=Path, metavar="FILE", help="PEM of a client certificate")
    command.add_argument("--key", type=Path, metavar="FILE", help="PEM of its key")
    command.add_argument(
        "--timeout", type=_timeout, default=5.0, metavar="SECONDS", help="for an answer (default 5)"
    )


def _add_files(command: ArgumentParser) -> None:
    """The options of a command that hashes files; what is wrong of several they may say too."""
    command.set_defaults(usage_error=command.error)
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


def _address(text: str) -> str:
    if problem := problem_of_address(text):
        raise ArgumentTypeError(problem)
    return text


def _timeout(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    # Written so that "nan" is refused too.
    if not 0 < seconds <= _MAX_TIMEOUT_S:
        raise ArgumentTypeError(f"want more than 0 and at most {_MAX_TIMEOUT_S:.0f} seconds")
    return seconds


def _match_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_MATCHES):
        raise ArgumentTypeError(f"want 1 to {_MAX_MATCHES}")
    return int(text)
