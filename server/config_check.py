"""What `--check-config` tries: whether a server could start by a configuration that is well-formed.

Everything is tried as a start would, and let go of again; nothing is served and nothing made.
"""

import os
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from engine.errors import EngineError
from engine.lmdb_store import LmdbReader
from server.config import Address, Config, MatchConfig, ReviewConfig
from server.exit_codes import ExitCode, of_store
from server.ports import ListenError, Ports, listens, problem_of


class Problem(NamedTuple):
    """Why a server would not start.

    Attributes:
        code: what it would end with; STOPPED for what it could live with.
        text: what it would say.
    """

    code: ExitCode
    text: str


def problems(config: Config) -> Iterator[Problem]:
    """What is wrong with what a configuration names: store, segments, certificates, addresses."""
    yield from _of_store(config.store.path)
    yield from _of_segments(config.index.segments)
    yield from _of_certificates("match", config.match)
    if config.review is not None:
        yield from _of_certificates("review", config.review)
    yield from _of_addresses(config)


def _of_store(path: Path) -> Iterator[Problem]:
    try:
        LmdbReader(path).close()
    except EngineError as error:
        code, text = of_store(path, error)
        yield Problem(code, f"store.path: {text}")


def _of_segments(path: Path) -> Iterator[Problem]:
    """A folder that cannot be written costs the segments, and not the start."""
    found = path
    while not found.exists() and found != found.parent:
        found = found.parent
    if not found.is_dir():
        yield Problem(ExitCode.CONFIG, f"index.segments: {found}: Not a directory")
    elif not os.access(found, os.W_OK | os.X_OK):
        yield Problem(ExitCode.CONFIG, f"index.segments: {path}: Permission denied")


def _of_certificates(name: str, config: MatchConfig | ReviewConfig) -> Iterator[Problem]:
    keys = ["key_file", "cert_file"]
    if isinstance(config, ReviewConfig):
        keys.append("client_ca_file")
    files = {key: path for key in keys if (path := getattr(config, key)) is not None}
    readable = True
    for key, path in files.items():
        try:
            path.read_bytes()
        except OSError as error:
            readable = False
            yield Problem(ExitCode.CONFIG, f"{name}.{key}: {path}: {error.strerror}")
    if not files or not readable:
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A password would be asked for on the terminal; a server has nobody to ask.
        context.load_cert_chain(files["cert_file"], files["key_file"], password=lambda: b"")
    except ssl.SSLError:
        yield Problem(ExitCode.LISTEN, f"{name}.cert_file: the certificate and key do not fit")
    if "client_ca_file" in files:
        try:
            context.load_verify_locations(files["client_ca_file"])
        except ssl.SSLError:
            yield Problem(ExitCode.LISTEN, f"{name}.client_ca_file: holds no certificate")


def _of_addresses(config: Config) -> Iterator[Problem]:
    try:
        Ports(config).close()
    except ListenError as error:
        # Sockets of this account that share a port are those of a server like this one.
        if any(_is_unusable(name, address) for name, address in listens(config).items()):
            yield Problem(ExitCode.LISTEN, str(error))
        else:
            yield Problem(
                ExitCode.STOPPED,
                f"{error}, by a server of this account: fine for SIGHUP, not for a second server",
            )


def _is_unusable(name: str, address: Address) -> bool:
    try:
        return bool(problem_of(name, address))
    except ListenError:
        return True
