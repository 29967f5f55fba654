"""The `python -m bench` command: measure, write a run file, print a table."""

import signal

if __name__ == "__main__":
    # Ctrl-C while what follows is loaded, for seconds, is no fault to tell the whole stack of.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
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
from bench.arguments import parser
from bench.command_line import command_of
from bench.freshness_bench import Meanwhile
from bench.generators import GeneratorError
from bench.load_bench import BenchError
from bench.peers import PeerError
from bench.run_file import OWN_RUNS, Run
from bench.running import NotStartedError
from bench.workload import Workload

_WRONG_USE: Final = 2
_STOPPED: Final = 130
_FAULTS: Final = (
    ArithmeticError,
    BenchError,
    GeneratorError,
    NotStartedError,
    PeerError,
    ValueError,
)
_ALL: Final = ("load", "freshness", "server", "kill", "items", "index")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit code."""
    try:
        options = parser().parse_args(arguments)
        if options.command is None:
            options.parser.print_help(sys.stderr)
            return _WRONG_USE
        if hasattr(options, "out"):
            Run.refuse_unwritable(options.out or OWN_RUNS / "run.json")
        code = _RUNS[options.command](options)
    except KeyboardInterrupt:
        text = "bench: stopped; what was being measured is not written"
        Console(stderr=True, soft_wrap=True).print(text, markup=False)
        return _STOPPED
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        text = f"bench: {where}{error.strerror or error}"
        Console(stderr=True, soft_wrap=True).print(text, style="red", markup=False)
        return 1
    except _FAULTS as error:
        Console(stderr=True, soft_wrap=True).print(f"bench: {error}", style="red", markup=False)
        return 1
    return code


def _load(options: argparse.Namespace) -> int:
    return _finish(load_bench.run(options.sizes, options.seed), options)


def _freshness(options: argparse.Namespace) -> int:
    meanwhile = Meanwhile(options.load_rate, options.during_build, options.query, options.rounds)
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
    worst = 0
    for kind in _ALL:
        worst = max(worst, main([kind]))
        if worst == _STOPPED:  # Ctrl-C is for all of them
            break
    return worst


def _report(options: argparse.Namespace) -> int:
    if not options.files and not options.fill:
        raise ValueError("report: no run file named")
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


_RUNS: Final[dict[str, Callable[[argparse.Namespace], int]]] = {
    "all": _all,
    "load": _load,
    "freshness": _freshness,
    "server": _server,
    "index": _index,
    "items": _items,
    "kill": _kill,
    "quality": _quality,
    "report": _report,
}


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
