"""The command line: every subcommand, its options, and an example of each."""

import argparse
import os
from pathlib import Path
from typing import Final

from engine.entries import MAX_LABEL_BYTES, MAX_SEVERITY
from engine.hashes import HashType, MediaType
from engine.lmdb_store import MAX_REASON_BYTES
from firstseen.hashing.forms import BankProfile
from firstseen.strict_parser import StrictParser
from indexer import export, load_command, overview, verify, withdraw
from indexer.argument_types import (
    named_hash_type,
    named_media_type,
    whole_number,
    words,
)
from indexer.bank_arguments import add_banks
from indexer.feeds.opening import Format
from indexer.load import DEFAULT_BATCH_ITEMS
from indexer.subcommand import Subparsers, subcommand

_FIRST_STEPS: Final = """examples:
  python -m indexer init --store ./store
  python -m indexer banks create REMOVED --store ./store
  python -m indexer load removed/ hashes.csv --store ./store --bank REMOVED
  python -m indexer withdraw picture.jpg --store ./store --dry-run
  python -m indexer COMMAND --help     # options and more examples
"""
_EXIT_CODES: Final = """exit codes:
  0 done              1 done, but some were rejected    2 wrong use
  3 no usable store   4 store damaged                   5 store busy
  6 store full        7 a file could not be read or written
  70 a fault of the program                             130 stopped by Ctrl-C
"""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = StrictParser(
        prog="python -m indexer",
        description="Writes the list of known, removed material. There is one writer at a time.",
        epilog=f"{_FIRST_STEPS}\n{_EXIT_CODES}\nFile formats are told in docs/formats.md.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_init(commands)
    add_banks(commands)
    _add_load(commands)
    _add_withdraw(commands)
    _add_export(commands)
    _add_stat(commands)
    _add_log(commands)
    _add_verify(commands)
    return top


def _add_init(commands: Subparsers) -> None:
    command = subcommand(
        commands, "init", overview.run_init, "make an empty store", "init --store ./store"
    )
    command.add_argument(
        "--map-size-gib",
        type=whole_number(1, 1 << 14),
        default=64,
        metavar="N",
        help="the most the store can grow to; address space, not disk (default 64)",
    )


def _add_load(commands: Subparsers) -> None:
    command = subcommand(
        commands,
        "load",
        load_command.run_load,
        "list hashes: those of lists, and of pictures, videos and documents, hashed here",
        "load hashes.csv --store ./store --bank REMOVED --source partner --rejects rejects.csv",
        "load removed/ --store ./store --bank REMOVED --category A --severity 3 --profile wide",
        "load a.jpg clip.mp4 letter.pdf --store ./store --bank REMOVED --reference CASE-12",
        "load removed/ --store ./store --bank REMOVED --only image --exclude 'drafts/*'",
        "load - --format hashes --store ./store --bank REMOVED --dry-run < pdq.txt",
    )
    command.add_argument(
        "sources",
        nargs="+",
        metavar="FILE|FOLDER|-",
        help="what to load, one or several: lists of hashes, pictures, videos, documents, folders; "
        "- is a list on stdin",
    )
    command.add_argument(
        "--bank", type=words(), required=True, metavar="NAME", help="where to list it"
    )
    command.add_argument("--create-bank", action="store_true", help="make the bank if need be")
    _add_format(command)
    _add_labels(command)
    command.add_argument("--dry-run", action="store_true", help="say what would be, change nothing")
    command.add_argument(
        "--rejects", type=Path, metavar="FILE", help="write place and reason of each reject (CSV)"
    )
    command.add_argument(
        "--reason",
        type=words(MAX_REASON_BYTES),
        default="",
        metavar="TEXT",
        help="kept in the log (default: the name of what is loaded)",
    )
    command.add_argument(
        "--batch-size",
        type=whole_number(1, 1_000_000),
        default=DEFAULT_BATCH_ITEMS,
        metavar="N",
        help=f"items in one durable commit (default {DEFAULT_BATCH_ITEMS:,})",
    )
    _add_media(command, has_profile=True)


def _add_media(command: argparse.ArgumentParser, *, has_profile: bool) -> None:
    folder = command.add_argument_group("for files that are hashed here")
    folder.add_argument(
        "--only",
        type=named_media_type,
        action="append",
        metavar="TYPE",
        help="of a folder, only what is image, video or document; repeatable",
    )
    folder.add_argument(
        "--exclude",
        type=words(),
        action="append",
        default=[],
        metavar="GLOB",
        help="of a folder, not the files whose name or path in it fits, as '*.txt'; repeatable",
    )
    folder.add_argument(
        "--everything",
        action="store_true",
        help="of a folder, also hidden files, texts called README, LICENSE or the like, and lists "
        "of hashes as the texts they are",
    )
    if has_profile:
        folder.add_argument(
            "--profile",
            choices=[profile.value for profile in BankProfile],
            default=BankProfile.STANDARD.value,
            help="how many forms of each picture and frame to list: more find more edited copies "
            "and take more memory; see docs/hashing.md (default standard)",
        )
    folder.add_argument(
        "--jobs",
        type=whole_number(1, 1024),
        default=os.cpu_count() or 1,
        metavar="N",
        help="processes that hash (default: one for each core)",
    )
    folder.add_argument(
        "--timeout-s",
        type=whole_number(1, 3600),
        default=60,
        metavar="S",
        help="how long one picture or document may take (default 60); a video may take this "
        "and ten seconds more for each MiB, up to 30 minutes",
    )
    folder.add_argument(
        "--memory-mib",
        type=whole_number(64, 1 << 20),
        default=1_024,
        metavar="N",
        help="what one file may take, beyond 100 MiB or so for the libraries (default 1024)",
    )


def _add_labels(command: argparse.ArgumentParser) -> None:
    labels = command.add_argument_group("for rows that do not say it themselves")
    labels.add_argument(
        "--media-type",
        type=named_media_type,
        default=MediaType.IMAGE,
        metavar="TYPE",
        help="image (default), video or document",
    )
    labels.add_argument(
        "--category",
        type=words(MAX_LABEL_BYTES),
        default="",
        metavar="TEXT",
        help="what kind of material",
    )
    labels.add_argument(
        "--severity",
        type=whole_number(0, MAX_SEVERITY),
        default=0,
        metavar="0-9",
        help="how grave, 9 the most; 0 (default): not said",
    )
    labels.add_argument(
        "--source",
        type=words(MAX_LABEL_BYTES),
        default="",
        dest="list_source",
        metavar="TEXT",
        help="who listed it",
    )
    labels.add_argument(
        "--reference",
        type=words(MAX_LABEL_BYTES),
        default="",
        metavar="TEXT",
        help="the unit's own reference",
    )


def _add_format(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--format",
        type=Format,
        choices=list(Format),
        default=Format.AUTO,
        help="how a list is written; auto (default): by the file's suffix, else by its first line; "
        "hashes: one a line; vpdq: the frames of a video; document: no list, a text to be hashed",
    )
    command.add_argument(
        "--ignore-unknown",
        action="store_true",
        help="in a list, pass over unknown columns and keys",
    )
    command.add_argument(
        "--hash-type",
        type=named_hash_type,
        default=HashType.PDQ,
        metavar="TYPE",
        help="in a list of hashes, lines that name none (default pdq)",
    )


def _add_withdraw(commands: Subparsers) -> None:
    command = subcommand(
        commands,
        "withdraw",
        withdraw.run_withdraw,
        "take items out: by hashes, by the files they were loaded from, by id, or by label",
        "withdraw hashes.txt --store ./store --reason 'case 12 reopened'",
        "withdraw picture.jpg --store ./store",
        "withdraw removed/ --store ./store --dry-run",
        "withdraw --item 17 --item 42 --store ./store",
        "withdraw --reference CASE-12 --bank REMOVED --store ./store --dry-run",
    )
    command.add_argument(
        "source",
        nargs="?",
        metavar="FILE|FOLDER|-",
        help="a list in any format that load reads: every item with any of its hashes goes; or a "
        "picture, video, document or folder: what was loaded from the same files goes; a folder's "
        "vPDQ lists are not looked at: name each",
    )
    command.add_argument(
        "--item",
        type=whole_number(1, (1 << 63) - 1),
        action="append",
        metavar="ID",
        help="the item of this id, as `firstseen explain` tells it; repeatable",
    )
    command.add_argument(
        "--reference", type=words(MAX_LABEL_BYTES), metavar="TEXT", help="items with this reference"
    )
    command.add_argument(
        "--source",
        type=words(MAX_LABEL_BYTES),
        dest="list_source",
        metavar="TEXT",
        help="items from this source",
    )
    command.add_argument(
        "--bank", type=words(), metavar="NAME", help="only from this bank (default: all)"
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be, change nothing")
    command.add_argument(
        "--reason",
        type=words(MAX_REASON_BYTES),
        default="",
        metavar="TEXT",
        help="kept in the log (default: what was named)",
    )
    _add_format(command)
    _add_media(command, has_profile=False)
    command.set_defaults(profile=BankProfile.LEAN.value)  # the fewest forms, raw ones among them


def _add_export(commands: Subparsers) -> None:
    command = subcommand(
        commands,
        "export",
        export.run_export,
        "write a bank as a list that load reads",
        "export REMOVED.csv --store ./store --bank REMOVED --format csv",
        "export - --store ./store --bank REMOVED --format ndjson | gzip > removed.ndjson.gz",
        "export removed-videos --store ./store --bank REMOVED --format vpdq",
    )
    command.add_argument(
        "file",
        metavar="FILE|-",
        help="where to write; - is stdout; for vpdq a folder, new or empty",
    )
    command.add_argument(
        "--bank", type=words(), required=True, metavar="NAME", help="which to write"
    )
    command.add_argument(
        "--format",
        type=Format,
        choices=[Format.CSV, Format.NDJSON, Format.VPDQ],
        default=Format.CSV,
        help="csv (default) and ndjson hold all; vpdq a file for each video, of its frames alone",
    )


def _add_stat(commands: Subparsers) -> None:
    subcommand(
        commands,
        "stat",
        overview.run_stat,
        "tell what is in the store",
        "stat --store ./store",
        "stat --store ./store --json",
    )


def _add_log(commands: Subparsers) -> None:
    command = subcommand(
        commands,
        "log",
        overview.run_log,
        "tell every change: when, which, how many, why",
        "log --store ./store --last 20",
        "log --store ./store --json > audit.ndjson",
    )
    command.add_argument(
        "--last", type=whole_number(1, 1 << 31), metavar="N", help="only the newest N"
    )


def _add_verify(commands: Subparsers) -> None:
    subcommand(
        commands,
        "verify",
        verify.run_verify,
        "recompute log, items, reverse map and digest, and say what is wrong",
        "verify --store ./store",
    )
