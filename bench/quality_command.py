"""The options of `python -m bench quality`, and the run that they ask for."""

import argparse
import os
from pathlib import Path

from bench import quality_bench
from bench.option_types import count, whole_number
from bench.quality_media import PROFILES
from bench.run_file import Run


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds what the command takes besides a seed and a run file."""
    parser.add_argument("media", choices=quality_bench.KINDS, help="what kind is edited")
    parser.add_argument(
        "folders",
        type=Path,
        nargs="*",
        default=[quality_bench.PHOTOS],
        metavar="FOLDER",
        help="what to edit (default: the photographs of the tests); where there is no video, some "
        "are made of photographs",
    )
    parser.add_argument(
        "--same",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="files whose names match one of these, such as 'holiday-*', show the same: to find "
        "one by another is right",
    )
    parser.add_argument(
        "--distractors", type=Path, metavar="FOLDER", help="unrelated files, listed too"
    )
    parser.add_argument(
        "--unrelated",
        type=whole_number,
        default=10_000,
        metavar="N",
        help="unrelated hashes, listed too (default 10_000)",
    )
    parser.add_argument(
        "--profiles",
        nargs="+",
        choices=PROFILES,
        default=list(PROFILES),
        metavar="PROFILE",
        help=f"of the bank, of {', '.join(PROFILES)} (default: all)",
    )
    parser.add_argument(
        "--edits",
        nargs="+",
        metavar="NAME",
        help="edits by their names in the table, no others (default: all)",
    )
    parser.add_argument(
        "--no-peer", action="store_true", help="leave out python-threatexchange, which is installed"
    )
    parser.add_argument(
        "--limit", type=count, metavar="N", help="no more originals than these (default: all)"
    )
    parser.add_argument(
        "--jobs",
        type=count,
        default=os.cpu_count(),
        metavar="N",
        help="processes that hash (default: one for each core)",
    )


def run(options: argparse.Namespace) -> Run:
    """Measures what was asked for.

    Raises:
        ValueError: a folder holds none of that kind, or there is no such edit.
    """
    what = quality_bench.Options(
        tuple(options.folders),
        options.distractors,
        options.unrelated,
        tuple(options.profiles),
        options.limit,
        options.jobs,
        options.seed,
        not options.no_peer,
        tuple(options.same),
        frozenset(options.edits or ()),
    )
    return quality_bench.run(options.media, what)
