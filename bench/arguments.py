"""The command line of the benchmarks: every command, its options, and an example of each."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from bench import index_bench, quality_command, server_bench
from bench.option_types import count, seconds
from bench.workload import KINDS
from firstseen.strict_parser import StrictParser

SEED: Final = 20_26
_EPILOG: Final = """\
Each prints a table and writes a run file, which `report` reads. COMMAND --help tells the options.

exit codes: 0 done, 1 something failed, 2 wrong use, 130 stopped by Ctrl-C

examples:
  python -m bench all                        # all but quality; about fifteen minutes
  python -m bench server --entries 100000    # one of them, over a shorter list
  python -m bench quality images ~/Pictures --limit 50
  python -m bench report bench/runs/*.json   # the tables of earlier runs
"""


def parser() -> argparse.ArgumentParser:
    """The command line; what it gives has the command's name in `command`, if there is one."""
    top = StrictParser(
        prog="python -m bench",
        description="Measure what Firstseen does, beside what it is compared with.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.set_defaults(command=None, parser=top)
    commands = top.add_subparsers(metavar="COMMAND")
    _bare_command(commands, "all", "every benchmark but quality; about fifteen minutes", "all")
    for add in (_add_load, _add_freshness, _add_server, _add_index, _add_items, _add_kill):
        add(commands)
    quality_command.add_options(
        _command(
            commands,
            "quality",
            "how many edited copies are found, of any folder",
            "quality images --limit 5 --no-peer",
            "quality videos ~/Videos --profiles standard --distractors ~/Other",
            "quality documents ~/Documents --unrelated 100000 --out documents.json",
        )
    )
    _add_report(commands)
    return top


_Commands = Any  # argparse does not name this type


def _command(commands: _Commands, name: str, text: str, *examples: str) -> argparse.ArgumentParser:
    made = _bare_command(commands, name, text, *examples)
    made.add_argument(
        "--seed",
        type=int,
        default=SEED,
        metavar="N",
        help=f"of hashes, queries and moments (default {SEED})",
    )
    made.add_argument(
        "--out", type=Path, metavar="FILE", help="the run file (default: .benchmarks/KIND.json)"
    )
    return made


def _bare_command(
    commands: _Commands, name: str, text: str, *examples: str
) -> argparse.ArgumentParser:
    shown = "".join(f"  python -m bench {example}\n" for example in examples)
    made: argparse.ArgumentParser = commands.add_parser(
        name,
        help=text,
        description=text[0].upper() + text[1:] + ".",
        epilog=f"examples:\n{shown}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.set_defaults(command=name, parser=made)
    return made


def _add_load(commands: _Commands) -> None:
    command = _command(
        commands,
        "load",
        "how fast a CSV is listed, durably",
        "load --sizes 10000 100_000",
    )
    _add_sizes(command, [100_000, 1_000_000], "lines of the CSV, each size in turn")


def _add_freshness(commands: _Commands) -> None:
    command = _command(
        commands,
        "freshness",
        "how soon a change is served",
        "freshness --entries 100000 --changes 20",
        "freshness --load-rate 1000 --during-build",
    )
    _add_list(command, 1_000_000)
    command.add_argument(
        "--changes",
        type=count,
        default=200,
        metavar="N",
        help="so many loads, and so many withdrawals (default 200)",
    )
    command.add_argument(
        "--load-rate",
        type=count,
        default=0,
        metavar="N",
        help="hashes that are listed each second meanwhile (default: none)",
    )
    command.add_argument(
        "--during-build",
        action="store_true",
        help="list or withdraw an eighth of the list first, so that a segment is being built",
    )
    command.add_argument(
        "--query",
        type=seconds,
        default=3.0,
        metavar="SECONDS",
        help="how long the checks of others are timed at a time (default 3)",
    )
    command.add_argument(
        "--rounds",
        type=count,
        default=4,
        metavar="N",
        help="so many times, by turns quiet and not (default 4)",
    )


def _add_server(commands: _Commands) -> None:
    command = _command(
        commands,
        "server",
        "what Check costs beside an empty call",
        "server --entries 100000 --workers 1",
        "server --entries 10000 --block 0.3 --blocks 2 --loads",
    )
    _add_list(command, 1_000_000)
    command.add_argument(
        "--block",
        type=seconds,
        default=0.75,
        metavar="SECONDS",
        help="how long one server is loaded before the other's turn (default 0.75)",
    )
    command.add_argument(
        "--blocks",
        type=count,
        default=server_bench.BLOCKS,
        metavar="N",
        help=f"turns of each figure (default {server_bench.BLOCKS})",
    )
    command.add_argument(
        "--loads",
        type=float,
        nargs="*",
        default=server_bench.LOADS,
        metavar="SHARE",
        help="fixed rates, as shares of what the empty server can do; none of them without a "
        f"SHARE (default {' '.join(map(str, server_bench.LOADS))})",
    )


def _add_index(commands: _Commands) -> None:
    command = _command(
        commands,
        "index",
        "how fast each index searches",
        "index --sizes 100000 1000000 --kinds uniform",
        "index --sizes 10000 --peers mih flat --round 0.2 --out index.json",
    )
    _add_sizes(command, [10_000, 100_000, 1_000_000], "hashes listed, each size in turn")
    _add_choice(command, "--kinds", KINDS, ["real", "uniform"], "what hashes")
    _add_choice(command, "--peers", index_bench.KEYS, index_bench.KEYS, "which indexes")
    command.add_argument(
        "--round",
        type=seconds,
        default=index_bench.ROUND_S,
        metavar="SECONDS",
        help=f"how long one is asked before the next one's turn (default {index_bench.ROUND_S:g})",
    )


def _add_items(commands: _Commands) -> None:
    command = _command(
        commands,
        "items",
        "what judging a picture, a video or a document costs",
        "items --sizes 10000 --for 1",
    )
    _add_sizes(command, [1_000_000], "hashes listed, each size in turn")
    command.add_argument(
        "--for",
        dest="for_s",
        type=seconds,
        default=4.0,
        metavar="SECONDS",
        help="how long each kind of item is judged (default 4)",
    )


def _add_kill(commands: _Commands) -> None:
    command = _command(
        commands,
        "kill",
        "what the SDK sees of workers that are killed",
        "kill --entries 10000 --workers 2 --kills 2 --every 2",
    )
    _add_list(command, 100_000)
    command.add_argument(
        "--kills", type=count, default=5, metavar="N", help="how many workers (default 5)"
    )
    command.add_argument(
        "--every",
        type=seconds,
        default=3.0,
        metavar="SECONDS",
        help="from one to the next (default 3)",
    )


def _add_report(commands: _Commands) -> None:
    command = _bare_command(
        commands,
        "report",
        "print the tables of run files",
        "report bench/runs/*.json",
        "report --fill docs/performance.md",
        "report bench/runs/*.json --plots docs/img",
    )
    command.add_argument("files", type=Path, nargs="*", metavar="FILE", help="run files")
    command.add_argument(
        "--fill", type=Path, metavar="DOCUMENT", help="write the tables into a document instead"
    )
    command.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the runs into a folder")


def _add_sizes(command: argparse.ArgumentParser, sizes: list[int], text: str) -> None:
    told = " ".join(f"{size:_}" for size in sizes)
    command.add_argument(
        "--sizes",
        type=count,
        nargs="+",
        default=sizes,
        metavar="N",
        help=f"{text} (default {told})",
    )


def _add_choice(
    command: argparse.ArgumentParser,
    name: str,
    choices: Sequence[str],
    default: Sequence[str],
    text: str,
) -> None:
    command.add_argument(
        name,
        choices=choices,
        nargs="+",
        default=default,
        metavar=name.strip("-").removesuffix("s").upper(),
        help=f"{text}, of {', '.join(choices)} (default {' '.join(default)})",
    )


def _add_list(parser: argparse.ArgumentParser, entry_count: int) -> None:
    """Options of every benchmark that runs a server over a list."""
    parser.add_argument(
        "--entries",
        type=count,
        default=entry_count,
        metavar="N",
        help=f"hashes listed (default {entry_count:_})",
    )
    parser.add_argument(
        "--kind",
        choices=KINDS,
        default="real",
        metavar="KIND",
        help=f"what hashes, of {', '.join(KINDS)} (default real)",
    )
    parser.add_argument(
        "--workers",
        type=count,
        default=0,
        metavar="N",
        help="of the server (default: one of each core)",
    )
