"""The command line: every subcommand, its options, and an example of each."""

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from engine.entries import MAX_LABEL_BYTES, MAX_SEVERITY
from engine.hashes import MAX_QUALITY, SPECS, HashType, MediaType
from engine.lmdb_store import MAX_REASON_BYTES
from engine.policy import MAX_NOTE_BYTES
from firstseen.hashing.forms import BankProfile
from indexer import banks, export, load_command, overview, verify, withdraw
from indexer.argument_types import (
    bank_role,
    named_hash_type,
    named_media_type,
    new_bank_name,
    whole_number,
    words,
)
from indexer.feeds.opening import Format
from indexer.load import DEFAULT_BATCH_ITEMS

_EXIT_CODES: Final = """exit codes:
  0 done              1 done, but some were rejected    2 wrong use
  3 no usable store   4 store damaged                   5 store busy
  6 store full        7 a file could not be read or written
  70 a fault of the program                             130 stopped by Ctrl-C
"""

Subparsers = Any  # argparse does not name this type


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        prog="python -m indexer",
        description="Writes the list of known, removed material. There is one writer at a time.",
        epilog="File formats and exit codes are told in docs/formats.md.\n\n" + _EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    _add_init(commands)
    _add_banks(commands)
    _add_load(commands)
    _add_withdraw(commands)
    _add_export(commands)
    _add_stat(commands)
    _add_log(commands)
    _add_verify(commands)
    return top


def _command(
    commands: Subparsers, name: str, run: Callable[..., object], text: str, *examples: str
) -> argparse.ArgumentParser:
    shown = "".join(f"  python -m indexer {example}\n" for example in examples)
    found: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    found.add_argument(
        "--store", type=Path, required=True, metavar="FOLDER", help="the folder of the store"
    )
    found.add_argument("--json", action="store_true", help="write the result as JSON, for scripts")
    found.set_defaults(run=run)
    return found


def _add_init(commands: Subparsers) -> None:
    command = _command(
        commands, "init", overview.run_init, "make an empty store", "init --store ./store"
    )
    command.add_argument(
        "--map-size-gib",
        type=whole_number(1, 1 << 14),
        default=64,
        metavar="N",
        help="the most the store can grow to; address space, not disk (default 64)",
    )


def _add_banks(commands: Subparsers) -> None:
    group = commands.add_parser("banks", help="list, make and change banks")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    _command(actions, "list", banks.run_list, "list the banks", "banks list --store ./store --json")
    for name, run, text in (
        ("create", banks.run_create, "make a bank"),
        ("set", banks.run_set, "change a bank; what is not said stays"),
    ):
        command = _command(
            actions,
            name,
            run,
            text,
            f"banks {name} REMOVED --store ./store",
            f"banks {name} FALSE_POSITIVES --store ./store --role cleared --pdq-max-distance 10",
        )
        name_type = new_bank_name if name == "create" else words()
        command.add_argument("name", type=name_type, metavar="NAME", help="capitals, digits and _")
        command.add_argument(
            "--role",
            type=bank_role,
            help="known (default): a match is KNOWN; cleared: a match takes that back",
        )
        command.add_argument(
            "--pdq-max-distance",
            type=whole_number(0, SPECS[HashType.PDQ].max_distance_bits),
            metavar="BITS",
            help="a PDQ hash at this distance still matches (default 31)",
        )
        command.add_argument(
            "--pdq-min-quality",
            type=whole_number(0, MAX_QUALITY),
            metavar="N",
            help="PDQ hashes under it are not listed (default 50)",
        )
        command.add_argument(
            "--note", type=words(MAX_NOTE_BYTES), help="what to remember of the bank"
        )
    for name, enabled in (("enable", True), ("disable", False)):
        text = "let a bank match" if enabled else "keep a bank's entries, but match nothing"
        command = _command(
            actions, name, banks.run_enable, text, f"banks {name} REMOVED --store ./store"
        )
        command.add_argument("name", type=words(), metavar="NAME")
        command.set_defaults(enabled=enabled)
    command = _command(
        actions,
        "clear",
        banks.run_clear,
        "take every item out of a bank",
        "banks clear REMOVED --store ./store --yes --reason 'supplier withdrew the list'",
    )
    command.add_argument("name", type=words(), metavar="NAME")
    command.add_argument("--yes", action="store_true", help="required: do it")
    command.add_argument(
        "--reason", type=words(MAX_REASON_BYTES), default="", help="kept in the log"
    )


def _add_load(commands: Subparsers) -> None:
    command = _command(
        commands,
        "load",
        load_command.run_load,
        "list the hashes of a file, or pictures, videos and documents that are hashed here",
        "load hashes.csv --store ./store --bank REMOVED --source partner --rejects rejects.csv",
        "load removed/ --store ./store --bank REMOVED --category A --severity 3 --profile wide",
        "load clip.mp4 --store ./store --bank REMOVED --reference CASE-12",
        "load removed/ --store ./store --bank REMOVED --only image --exclude 'drafts/*'",
        "load - --format hashes --store ./store --bank REMOVED --dry-run < pdq.txt",
    )
    command.add_argument(
        "sources",
        nargs="+",
        metavar="FILE|FOLDER|-",
        help="what to load, one or several; - is stdin. A text that is no list is a document",
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
        help="kept in the log (default: the file's name)",
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
        help="of a folder, also hidden files, README and LICENSE texts, and lists of hashes",
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
    labels.add_argument("--severity", type=whole_number(0, MAX_SEVERITY), default=0, metavar="0-9")
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
        help="auto: by the file's suffix, else by its first line",
    )
    command.add_argument(
        "--ignore-unknown", action="store_true", help="pass over unknown columns and keys"
    )
    command.add_argument(
        "--hash-type",
        type=named_hash_type,
        default=HashType.PDQ,
        metavar="TYPE",
        help="in a list of hashes, lines that name none (default pdq)",
    )


def _add_withdraw(commands: Subparsers) -> None:
    command = _command(
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
        "picture, video, document or folder: what was loaded from the same files goes",
    )
    command.add_argument(
        "--item",
        type=whole_number(1, (1 << 63) - 1),
        action="append",
        metavar="ID",
        help="repeatable",
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
        "--reason", type=words(MAX_REASON_BYTES), default="", help="kept in the log"
    )
    _add_format(command)
    _add_media(command, has_profile=False)
    command.set_defaults(profile=BankProfile.LEAN.value)  # the fewest forms, raw ones among them


def _add_export(commands: Subparsers) -> None:
    command = _command(
        commands,
        "export",
        export.run_export,
        "write a bank as a list that loads back",
        "export REMOVED.csv --store ./store --bank REMOVED --format csv",
        "export - --store ./store --bank REMOVED --format ndjson | gzip > removed.ndjson.gz",
        "export removed-videos --store ./store --bank REMOVED --format vpdq",
    )
    command.add_argument(
        "file",
        metavar="FILE|-",
        help="where to write; - is stdout; for vpdq a folder, new or empty",
    )
    command.add_argument("--bank", type=words(), required=True, metavar="NAME")
    command.add_argument(
        "--format",
        type=Format,
        choices=[Format.CSV, Format.NDJSON, Format.VPDQ],
        default=Format.CSV,
        help="csv (default) and ndjson hold all; vpdq a file for each video, of its frames alone",
    )


def _add_stat(commands: Subparsers) -> None:
    _command(
        commands, "stat", overview.run_stat, "tell what is in the store", "stat --store ./store"
    )


def _add_log(commands: Subparsers) -> None:
    command = _command(
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
    _command(
        commands,
        "verify",
        verify.run_verify,
        "recompute log, items, reverse map and digest, and say what is wrong",
        "verify --store ./store || echo damaged",
    )
