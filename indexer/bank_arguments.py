"""The command line of `banks`: every action, its options, and an example of each."""

import argparse
from typing import Final

from engine.hashes import MAX_QUALITY, SPECS, HashType
from engine.lmdb_store import MAX_REASON_BYTES
from engine.policy import MAX_NOTE_BYTES
from indexer import banks
from indexer.argument_types import bank_role, new_bank_name, whole_number, words
from indexer.subcommand import Subparsers, subcommand

_EXAMPLES: Final = """examples:
  python -m indexer banks create REMOVED --store ./store
  python -m indexer banks list --store ./store
  python -m indexer banks ACTION --help     # options and more examples
"""


def add_banks(commands: Subparsers) -> None:
    """Adds `banks` and its actions."""
    text = "list, make and change banks"
    group = commands.add_parser(
        "banks",
        help=text,
        description="A bank is a named list with its own rules: what a match says, and how near "
        "a hash must be.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = group.add_subparsers(required=True, metavar="ACTION")
    subcommand(actions, "list", banks.run_list, "list the banks", "banks list --store ./store")
    for name, run, text, examples in (
        (
            "create",
            banks.run_create,
            "make a bank",
            (
                "banks create REMOVED --store ./store",
                "banks create MISTAKES --store ./store --role cleared --pdq-max-distance 10",
            ),
        ),
        (
            "set",
            banks.run_set,
            "change a bank; what is not said stays",
            (
                "banks set REMOVED --store ./store --note 'from the hotline'",
                "banks set REMOVED --store ./store --pdq-max-distance 26",
            ),
        ),
    ):
        command = subcommand(
            actions,
            name,
            run,
            text,
            *examples,
        )
        name_type = new_bank_name if name == "create" else words()
        command.add_argument(
            "name", type=name_type, metavar="NAME", help="of the bank: capitals, digits and _"
        )
        _add_policy(command)
    for name, enabled in (("enable", True), ("disable", False)):
        text = "let a bank match" if enabled else "keep a bank's entries, but match nothing"
        command = subcommand(
            actions, name, banks.run_enable, text, f"banks {name} REMOVED --store ./store"
        )
        command.add_argument("name", type=words(), metavar="NAME", help="of the bank")
        command.set_defaults(enabled=enabled)
    command = subcommand(
        actions,
        "clear",
        banks.run_clear,
        "take every item out of a bank",
        "banks clear REMOVED --store ./store --yes --reason 'supplier withdrew the list'",
    )
    command.add_argument("name", type=words(), metavar="NAME", help="of the bank")
    command.add_argument("--yes", action="store_true", help="required: do it")
    command.add_argument(
        "--reason", type=words(MAX_REASON_BYTES), default="", metavar="TEXT", help="kept in the log"
    )


def _add_policy(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--role",
        type=bank_role,
        metavar="ROLE",
        help="known (default): a match makes KNOWN; cleared (confirmed mistakes): a match "
        "takes that back",
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
        "--note",
        type=words(MAX_NOTE_BYTES),
        metavar="TEXT",
        help="what to remember of the bank",
    )
