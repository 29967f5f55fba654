"""The `python -m bench` command: measure, write a run file, print a table."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from bench import freshness_bench, index_bench, load_bench, quality_bench, report, server_bench
from bench.load_bench import BenchError
from bench.quality_media import PROFILES
from bench.run_file import OWN_RUNS, Run
from bench.running import NotStartedError
from bench.workload import KINDS

SEED: Final = 20_26
_Command = Callable[[argparse.Namespace], int]
_EPILOG: Final = """\
examples:
  python -m bench                                   # all of them; about five minutes
  python -m bench server --entries 1000000
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
    except (BenchError, NotStartedError, TimeoutError, ValueError, OSError) as error:
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
        made.set_defaults(run=run)
        return made

    load = command("load", "how fast a CSV is listed, durably", _load)
    load.add_argument("--sizes", type=_count, nargs="+", default=[100_000, 1_000_000])
    fresh = command("freshness", "how soon a change is served", _freshness)
    fresh.add_argument("--entries", type=_count, default=100_000)
    fresh.add_argument("--changes", type=_count, default=200, help="loads, and withdrawals")
    server = command("server", "what Check costs beside an empty call", _server)
    server.add_argument("--entries", type=_count, default=100_000)
    server.add_argument("--calls", type=_count, default=3_000, help="of each kind")
    server.add_argument("--kind", choices=KINDS, default="balanced", help="of hashes")
    index = command("index", "how fast each index searches", _index)
    index.add_argument("--sizes", type=_count, nargs="+", default=[10_000, 100_000, 1_000_000])
    index.add_argument("--kinds", choices=KINDS, nargs="+", default=list(KINDS))
    _add_quality(command("quality", "how many edited copies are found, of any folder", _quality))
    shown = commands.add_parser("report", help="print the tables of run files")
    shown.add_argument("files", type=Path, nargs="*", metavar="FILE")
    shown.add_argument("--fill", type=Path, help="write the tables into a document instead")
    shown.add_argument("--plots", type=Path, metavar="FOLDER", help="draw the runs into a folder")
    shown.set_defaults(run=_report)
    return parser


def _add_quality(quality: argparse.ArgumentParser) -> None:
    quality.add_argument("media", choices=quality_bench.KINDS)
    quality.add_argument(
        "folder",
        type=Path,
        nargs="?",
        default=quality_bench.PHOTOS,
        metavar="FOLDER",
        help="what to edit (default: the photographs of the tests; videos are made of them)",
    )
    quality.add_argument(
        "--distractors", type=Path, metavar="FOLDER", help="unrelated files, listed too"
    )
    quality.add_argument("--unrelated", type=int, default=10_000, help="hashes, listed too")
    quality.add_argument("--profiles", nargs="+", choices=PROFILES, default=list(PROFILES))
    quality.add_argument("--limit", type=_count, help="no more originals than these")
    quality.add_argument("--jobs", type=_count, default=os.cpu_count(), help="processes that hash")


def _count(text: str) -> int:
    number = int(text.replace("_", "").replace(",", ""))
    if number <= 0:
        raise ValueError(text)
    return number


def _load(options: argparse.Namespace) -> int:
    return _finish(load_bench.run(options.sizes, options.seed), options.out)


def _freshness(options: argparse.Namespace) -> int:
    run = freshness_bench.run(options.entries, options.changes, options.seed)
    return _finish(run, options.out)


def _server(options: argparse.Namespace) -> int:
    run = server_bench.run(options.entries, options.calls, options.seed, options.kind)
    return _finish(run, options.out)


def _index(options: argparse.Namespace) -> int:
    return _finish(index_bench.run(options.sizes, options.kinds, options.seed), options.out)


def _quality(options: argparse.Namespace) -> int:
    what = quality_bench.Options(
        options.folder,
        options.distractors,
        options.unrelated,
        tuple(options.profiles),
        options.limit,
        options.jobs,
        options.seed,
    )
    return _finish(quality_bench.run(options.media, what), options.out)


def _all(_: argparse.Namespace) -> int:
    return max(main([kind]) for kind in ("load", "freshness", "server", "index"))


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


def _finish(run: Run, out: Path | None) -> int:
    path = out or OWN_RUNS / f"{run.file_stem}.json"
    run.write(path)
    print(report.table(run))
    Console(stderr=True).print(f"written to {path}", style="dim", markup=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
