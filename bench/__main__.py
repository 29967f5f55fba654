"""The `python -m bench` command: measure, write a run file, print a table."""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from rich.console import Console

from bench import (
    freshness_bench,
    index_bench,
    items_bench,
    kill_bench,
    load_bench,
    quality_command,
    report,
    server_bench,
)
from bench.command_line import command_of
from bench.freshness_bench import Meanwhile
from bench.generators import GeneratorError
from bench.load_bench import BenchError
from bench.peers import PeerError
from bench.run_file import OWN_RUNS, Run
from bench.running import NotStartedError
from bench.workload import KINDS, Workload

SEED: Final = 20_26
_FAULTS: Final = (
    ArithmeticError,
    BenchError,
    GeneratorError,
    NotStartedError,
    OSError,
    PeerError,
    TimeoutError,
    ValueError,
)
_Command = Callable[[argparse.Namespace], int]
_EPILOG: Final = """\
examples:
  python -m bench                                   # all of them; about fifteen minutes
  python -m bench server --entries 100000 --workers 1
  python -m bench freshness --load-rate 1000 --during-build
  python -m bench index --sizes 100000 1000000 --kinds uniform --out /tmp/index.json
  python -m bench quality images ~/Pictures --limit 50
  python -m bench report bench/runs/*.json          # the tables of earlier runs
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except KeyboardInterrupt:
        return 130
    except _FAULTS as error:
        Console(stderr=True).print(f"bench: {error}", style="red", markup=False)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure what Firstseen does, beside what it is compared with.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--seed", type=int, default=SEED, help="of hashes, queries and moments")
    common.add_argument("--out", type=Path, help="run file (default: .benchmarks/KIND.json)")
    parser.set_defaults(run=_all, seed=SEED, out=None)
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(
        name: str, help_: str, run: Callable[[argparse.Namespace], int]
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help_, description=help_, parents=[common])
        made.set_defaults(run=run, parser=made)
        return made

    load = command("load", "how fast a CSV is listed, durably", _load)
    load.add_argument("--sizes", type=_count, nargs="+", default=[100_000, 1_000_000])
    fresh = command("freshness", "how soon a change is served", _freshness)
    _add_list(fresh, 1_000_000)
    fresh.add_argument("--changes", type=_count, default=200, help="loads, and withdrawals")
    fresh.add_argument("--load-rate", type=_count, default=0, help="hashes listed a second")
    fresh.add_argument(
        "--during-build", action="store_true", help="an eighth of the list is added beforehand"
    )
    fresh.add_argument("--query", type=_seconds, default=3.0, help="seconds of others' checks")
    server = command("server", "what Check costs beside an empty call", _server)
    _add_list(server, 1_000_000)
    server.add_argument("--block", type=_seconds, default=0.75, help="seconds of load at a time")
    server.add_argument("--blocks", type=_count, default=server_bench.BLOCKS, help="a figure")
    server.add_argument(
        "--loads",
        type=float,
        nargs="*",
        default=server_bench.LOADS,
        metavar="SHARE",
        help="fixed rates, as shares of what the empty server can do",
    )
    index = command("index", "how fast each index searches", _index)
    index.add_argument("--sizes", type=_count, nargs="+", default=[10_000, 100_000, 1_000_000])
    index.add_argument("--kinds", choices=KINDS, nargs="+", default=["real", "uniform"])
    index.add_argument("--peers", choices=index_bench.KEYS, nargs="+", default=index_bench.KEYS)
    index.add_argument("--round", type=_seconds, default=index_bench.ROUND_S, help="seconds")
    items = command("items", "what judging a picture, a video or a document costs", _items)
    items.add_argument("--sizes", type=_count, nargs="+", default=[1_000_000])
    items.add_argument("--for", dest="for_s", type=_seconds, default=4.0, help="seconds, each")
    kill = command("kill", "what the SDK sees of workers that are killed", _kill)
    _add_list(kill, 100_000)
    kill.add_argument("--kills", type=_count, default=5)
    kill.add_argument("--every", type=_seconds, default=3.0, help="seconds from one to the next")
    quality = command("quality", "how many edited copies are found, of any folder", _quality)
    quality_command.add_options(quality)
    shown = commands.add_parser("report", help="print the tables of run files")
    shown.add_argument("files", type=Path, nargs="*", metavar="FILE")
    shown.add_argument("--fill", type=Path, help="write the tables into a document instead")
    shown.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the runs into a folder")
    shown.set_defaults(run=_report)
    return parser


def _add_list(parser: argparse.ArgumentParser, entry_count: int) -> None:
    """Options of every benchmark that runs a server over a list."""
    parser.add_argument("--entries", type=_count, default=entry_count)
    parser.add_argument("--kind", choices=KINDS, default="real", help="of hashes")
    parser.add_argument("--workers", type=_count, default=0, help="default: one of each core")


def _count(text: str) -> int:
    number = int(text.replace("_", "").replace(",", ""))
    if number <= 0:
        raise ValueError(text)
    return number


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < 3_600:
        raise ValueError(text)
    return seconds


def _load(options: argparse.Namespace) -> int:
    return _finish(load_bench.run(options.sizes, options.seed), options)


def _freshness(options: argparse.Namespace) -> int:
    meanwhile = Meanwhile(options.load_rate, options.during_build, options.query)
    run = freshness_bench.run(_work(options), options.changes, meanwhile, options.workers)
    return _finish(run, options)


def _kill(options: argparse.Namespace) -> int:
    run = kill_bench.run(_work(options), options.kills, options.every, options.workers)
    return _finish(run, options)


def _work(options: argparse.Namespace) -> Workload:
    return Workload(options.entries, options.kind, seed=options.seed)


def _server(options: argparse.Namespace) -> int:
    run = server_bench.run(
        _work(options), options.block, options.blocks, options.workers, options.loads
    )
    return _finish(run, options)


def _index(options: argparse.Namespace) -> int:
    run = index_bench.run(options.sizes, options.kinds, options.seed, options.peers, options.round)
    return _finish(run, options)


def _quality(options: argparse.Namespace) -> int:
    return _finish(quality_command.run(options), options)


def _items(options: argparse.Namespace) -> int:
    return _finish(items_bench.run(options.sizes, options.seed, options.for_s), options)


def _all(_: argparse.Namespace) -> int:
    return max(main([kind]) for kind in ("load", "freshness", "server", "kill", "items", "index"))


def _report(options: argparse.Namespace) -> int:
    if options.fill:
        text = options.fill.read_text(encoding="utf-8")
        options.fill.write_text(report.filled(text), encoding="utf-8")
    runs = [Run.read(path) for path in options.files]
    if options.plots:
        from bench import plot  # noqa: PLC0415  takes a second to import

        plot.draw(runs, options.plots)
        return 0
    for run in runs:
        print(report.table(run))
    return 0


def _finish(run: Run, options: argparse.Namespace) -> int:
    run = replace(run, command=command_of(options.parser, options))
    path = options.out or OWN_RUNS / f"{run.file_stem}.json"
    run.write(path)
    print(report.table(run))
    Console(stderr=True).print(f"written to {path}", style="dim", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
