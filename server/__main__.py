"""`python -m server`: the command line, and what a failed start says.

Without hidden options this is the supervisor: it starts its workers by this same command line,
with `--worker N` added, and loads nothing that only they need.
"""

import os

# gRPC's own log holds callers' addresses, and reads these when it is imported.
os.environ["GRPC_VERBOSITY"] = "NONE"
os.environ.pop("GRPC_TRACE", None)

import argparse
import sys
from pathlib import Path

from engine.clock import SystemClock
from server.child import BUILDER
from server.config import EXAMPLE_FILE, ConfigError, Source, read_source
from server.exit_codes import ExitCode
from server.ports import ListenError
from server.telemetry import location_of, start_logging
from server.workers import Supervisor

_EPILOG = """\
exit codes:
  0 stopped as asked    2 wrong use or configuration    3 no usable store
  4 store damaged       5 address or certificate        70 a fault of the program

examples:
  python -m server --print-example-config > firstseen.toml
  python -m server --config firstseen.toml --check-config
  python -m server --config firstseen.toml

Every key of the configuration is told in docs/operate.md.
"""


def main() -> int:
    """Runs the server; returns the exit code."""
    parser = _parser()
    options = parser.parse_args()
    if options.print_example_config:
        sys.stdout.write(EXAMPLE_FILE.read_text(encoding="utf-8"))
        return ExitCode.STOPPED
    if options.config is None:
        parser.error("--config is required")
    if options.worker is not None:
        # Loads gRPC and the search, some hundred times the size of the supervisor.
        from server.worker import run_worker  # noqa: PLC0415

        return run_worker(options.worker)
    if options.builder:
        from server.builder import run_builder  # noqa: PLC0415

        return run_builder()
    try:
        source = read_source(options.config)
    except ConfigError as error:
        return _fail(ExitCode.CONFIG, str(error))
    if options.check_config:
        return _check(source, options.config)
    return _supervise(source, options.ready_file)


def _check(source: Source, path: Path) -> ExitCode:
    """Says everything that is wrong, and ends as a start would."""
    # Loads LMDB, which the supervisor does without.
    from server.config_check import problems  # noqa: PLC0415

    code = ExitCode.STOPPED
    for problem in problems(source.config):
        _fail(problem.code, problem.text)
        code = code or problem.code
    if code is ExitCode.STOPPED:
        sys.stdout.write(f"{path}: fine\n")
    return code


def _supervise(source: Source, ready_file: Path | None) -> int:
    clock = SystemClock()
    start_logging(source.config.log.level, clock)
    command = [sys.executable, *sys.orig_argv[1:]]
    try:
        return Supervisor(source, command, clock, ready_file, [BUILDER]).run()
    except ListenError as error:
        return _fail(ExitCode.LISTEN, str(error))
    except Exception as error:  # noqa: BLE001  its text may hold anything
        where = f"{type(error).__name__} at {location_of(error)}"
        return _fail(ExitCode.FAULT, f"internal error: {where}")


def _fail(code: ExitCode, text: str) -> ExitCode:
    sys.stderr.write(f"server: {' '.join(text.split())}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Answers over gRPC whether an item is known already, from the store that\n"
        "`python -m indexer` writes. It runs until Ctrl-C or SIGTERM; SIGHUP reads FILE again.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="the TOML configuration; required"
    )
    parser.add_argument(
        "--check-config",
        action="store_true",
        help="say whether a server could start by it, and end",
    )
    parser.add_argument(
        "--print-example-config", action="store_true", help="write an example to stdout, and end"
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="where to write addresses and process ids, as JSON, once all workers serve",
    )
    parser.add_argument("--builder", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker", type=int, metavar="N", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
