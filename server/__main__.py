"""`python -m server`: the command line, and what a failed start says.

Exit codes: 0 stopped as asked, 2 wrong use or configuration, 3 the store cannot be used
(missing, empty, locked, of a newer format), 4 the store is damaged, 5 an address or a
certificate cannot be used, 70 a fault of this program.
"""

import os

# gRPC's own log holds callers' addresses, and reads these when it is imported.
os.environ["GRPC_VERBOSITY"] = "NONE"
os.environ.pop("GRPC_TRACE", None)

import argparse
import asyncio
import sys
from pathlib import Path
from typing import Final

from engine.clock import SystemClock
from engine.errors import CorruptError, EngineError
from server.app import serve
from server.config import EXAMPLE_FILE, Config, ConfigError, read_config
from server.listeners import ListenError
from server.telemetry import location_of, start_logging

EXIT_CONFIG: Final = 2
EXIT_STORE_UNUSABLE: Final = 3
EXIT_STORE_CORRUPT: Final = 4
EXIT_LISTEN: Final = 5
EXIT_INTERNAL: Final = 70


def main(arguments: list[str] | None = None) -> int:
    """Runs the server; returns the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.print_example_config:
        sys.stdout.write(EXAMPLE_FILE.read_text(encoding="utf-8"))
        return 0
    if options.config is None:
        parser.error("--config is required")
    try:
        config = read_config(options.config)
    except ConfigError as error:
        return _fail(EXIT_CONFIG, str(error))
    if options.check_config:
        sys.stdout.write(f"{options.config}: fine\n")
        return 0
    return _run(config, options.ready_file)


def _run(config: Config, ready_file: Path | None) -> int:
    clock = SystemClock()
    start_logging(config.log.level, clock)
    try:
        asyncio.run(serve(config, clock, ready_file))
    except ConfigError as error:
        return _fail(EXIT_CONFIG, str(error))
    except ListenError as error:
        return _fail(EXIT_LISTEN, str(error))
    except CorruptError as error:
        return _fail(EXIT_STORE_CORRUPT, _of_store(config, error))
    except EngineError as error:
        return _fail(EXIT_STORE_UNUSABLE, _of_store(config, error))
    except Exception as error:  # noqa: BLE001  its text may hold anything
        return _fail(
            EXIT_INTERNAL, f"internal error: {type(error).__name__} at {location_of(error)}"
        )
    return 0


def _of_store(config: Config, error: EngineError) -> str:
    text = str(error)
    path = str(config.store.path)
    return text if path in text else f"{path}: {text}"


def _fail(code: int, text: str) -> int:
    sys.stderr.write(f"server: {' '.join(text.split())}\n")
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m server", description="Answers whether an item is known already."
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help="the TOML configuration")
    parser.add_argument(
        "--check-config", action="store_true", help="say whether the configuration is fine, and end"
    )
    parser.add_argument(
        "--print-example-config", action="store_true", help="write an example to stdout, and end"
    )
    parser.add_argument(
        "--ready-file",
        type=Path,
        metavar="FILE",
        help="where to write the bound addresses, as JSON, once the list is served",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
