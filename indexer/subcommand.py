"""What every subcommand of the command line has: where the store is, `--json`, and examples."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

Subparsers = Any  # argparse does not name this type


def subcommand(
    commands: Subparsers, name: str, run: Callable[..., object], text: str, *examples: str
) -> argparse.ArgumentParser:
    """Makes a subcommand.

    Args:
        commands: where it belongs.
        name: what is typed.
        run: does it.
        text: what it does, in a line without a full stop.
        examples: what to type, after the program's name.
    """
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
