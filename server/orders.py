"""What the supervisor and its processes say to each other, over stdin and stdout as JSON lines.

A process is given one `Order` on its stdin, which stays open: its end means that the supervisor
is gone. It answers on stdout: `{"serving": true}`, `{"serving": false}` or, before it ends
because it cannot begin, `{"failed": "one line"}`.
"""

import json
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from server.config import Address, Config, parse_config
from server.ports import with_addresses


@dataclass(frozen=True, slots=True)
class Order:
    """What a process is to run.

    Attributes:
        toml: the configuration as the supervisor read it. A process that is started again gets
            what was accepted, whatever the file holds by then.
        folder: what relative paths in it are relative to.
        addresses: where to listen, by listener; no port is 0.
        is_early: whether to listen before the list is loaded. Only without another worker: else
            callers would be refused whom that one could answer.
        digests_fd: an open file through which the processes tell one another digests of files
            (see `engine.file_digest.SharedDigests`); the process inherits it.
    """

    toml: str
    folder: Path
    addresses: Mapping[str, Address]
    is_early: bool
    digests_fd: int

    def line(self) -> bytes:
        """As it is sent."""
        places = {name: [place.host, place.port] for name, place in self.addresses.items()}
        order = {
            "toml": self.toml,
            "folder": str(self.folder),
            "addresses": places,
            "is_early": self.is_early,
            "digests_fd": self.digests_fd,
        }
        return json.dumps(order).encode() + b"\n"

    def config(self) -> Config:
        """The configuration, at the addresses of the order.

        Raises:
            ConfigError: it is wrong; the supervisor sends none that is.
        """
        config = parse_config(tomllib.loads(self.toml), self.folder)
        return with_addresses(config, self.addresses)


def receive_order() -> Order:
    """Waits for the order of this process.

    Raises:
        ValueError: there is none; this is not run by a supervisor.
    """
    order = json.loads(sys.stdin.buffer.readline())
    places = {name: Address(host, port) for name, (host, port) in order["addresses"].items()}
    folder = Path(order["folder"])
    return Order(order["toml"], folder, places, order["is_early"], order["digests_fd"])


@dataclass(frozen=True, slots=True)
class Report:
    """What a process says of itself.

    Attributes:
        is_serving: whether its list is loaded and fresh.
        failure: why it cannot begin, in one line; empty otherwise.
    """

    is_serving: bool
    failure: str = ""

    def send(self) -> None:
        """Tells the supervisor.

        To a supervisor that is gone nothing is told: the end of stdin says so as well.
        """
        report = {"failed": self.failure} if self.failure else {"serving": self.is_serving}
        try:
            sys.stdout.write(json.dumps(report) + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            return


def read_report(line: bytes) -> Report | None:
    """What a line says; None for a line that is no report (whatever a library printed)."""
    try:
        report = json.loads(line)
    except ValueError:
        return None
    if not isinstance(report, dict):
        return None
    if "failed" in report:
        return Report(is_serving=False, failure=str(report["failed"]))
    return Report(is_serving=bool(report["serving"])) if "serving" in report else None
