"""What an operator sets: one TOML file, read at start and on SIGHUP into frozen dataclasses.

Anything unknown, of the wrong type or out of range is refused with the key's path.
Every key is described in `docs/operate.md`; a test compares. Opening the store and
reading certificates is not done here.
"""

import ipaddress
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, cast

from engine.index_kind import IndexKind

EXAMPLE_FILE: Final = Path(__file__).with_name("firstseen.example.toml")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")
_MAX_FILE_BYTES: Final = 1 << 20
_DAY_MS: Final = 24 * 3600 * 1000
_MAX_WORKERS: Final = 64


class ConfigError(Exception):
    """The configuration is wrong.

    Attributes:
        key: the path of the wrong key, such as `match.listen`; empty for the whole file.
        problem: what is wrong with it.
    """

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.key = key
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen.

    Attributes:
        host: a name or an IP address, IPv6 without brackets.
        port: 0 takes a free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def with_port(self, port: int) -> "Address":
        """The same host at another port."""
        return Address(self.host, port)


class _RefusedError(Exception):
    """A value does not fit; the text says what is wanted."""


_Parser = Callable[[object, Path], object]


def _whole(minimum: int, maximum: int) -> _Parser:
    def parse(value: object, _: Path) -> object:
        if type(value) is not int:
            raise _RefusedError("want a whole number")
        if not minimum <= value <= maximum:
            raise _RefusedError(f"want {minimum} to {maximum}")
        return value

    return parse


def _boolean(value: object, _: Path) -> object:
    if not isinstance(value, bool):
        raise _RefusedError("want true or false")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise _RefusedError("want a text that is not empty")
    return value


def _path(value: object, folder: Path) -> object:
    return folder / Path(_text(value)).expanduser()


def _address(value: object, _: Path) -> object:
    host, colon, port = _text(value).rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65_535:
        raise _RefusedError('want "host:port", with a port of 0 to 65535')
    return Address(host, int(port))


def _names(value: object, _: Path) -> object:
    if not isinstance(value, list) or not value:
        raise _RefusedError("want a list of names, at least one")
    return tuple(_text(name) for name in value)


def _level(value: object, _: Path) -> object:
    if value not in LOG_LEVELS:
        raise _RefusedError(f"want one of {', '.join(LOG_LEVELS)}")
    return value


def _index_kind(value: object, _: Path) -> object:
    try:
        return IndexKind(_text(value))
    except ValueError:
        raise _RefusedError(f"want one of {', '.join(IndexKind)}") from None


def _key(parse: _Parser, default: object = MISSING) -> Any:  # noqa: ANN401
    # `Any`, as of `dataclasses.field`: the attribute's own annotation says the type.
    metadata = {"parse": parse}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """Section `[server]`: its processes."""

    workers: int = _key(_whole(0, _MAX_WORKERS), 0)

    def worker_count(self) -> int:
        """How many to run: by default one for each core that this process may use."""
        return self.workers or min(len(os.sched_getaffinity(0)), _MAX_WORKERS)


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """Section `[store]`."""

    path: Path = _key(_path)
    poll_interval_ms: int = _key(_whole(1, 60_000), 50)
    staleness_limit_ms: int = _key(_whole(100, _DAY_MS), 10_000)


@dataclass(frozen=True, slots=True)
class IndexConfig:
    """Section `[index]`: how the list is searched, and where its segments are."""

    kind: IndexKind = _key(_index_kind, IndexKind.AUTO)
    segments: Path = _key(_path, Path("segments"))
    segment_min_entries: int = _key(_whole(1, 1 << 40), 65_536)


@dataclass(frozen=True, slots=True)
class MatchConfig:
    """Section `[match]`: the public listener."""

    listen: Address = _key(_address)
    cert_file: Path | None = _key(_path, None)
    key_file: Path | None = _key(_path, None)
    plaintext: bool = _key(_boolean, False)
    reflection: bool = _key(_boolean, False)


@dataclass(frozen=True, slots=True)
class ReviewConfig:
    """Section `[review]`: the unit's own listener; absent, there is none."""

    listen: Address = _key(_address)
    cert_file: Path | None = _key(_path, None)
    key_file: Path | None = _key(_path, None)
    client_ca_file: Path | None = _key(_path, None)
    allowed_names: tuple[str, ...] = _key(_names, ())
    plaintext: bool = _key(_boolean, False)
    reflection: bool = _key(_boolean, False)


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """Section `[limits]`: what callers of either listener are held to."""

    max_hashes_per_item: int = _key(_whole(1, 100_000), 4_096)
    max_items_in_flight: int = _key(_whole(1, 10_000), 256)
    max_message_bytes: int = _key(_whole(1_024, 64 << 20), 524_288)
    max_calls_in_flight: int = _key(_whole(1, 100_000), 1_024)
    max_streams_in_flight: int = _key(_whole(1, 100_000), 256)
    max_stream_idle_ms: int = _key(_whole(100, _DAY_MS), 60_000)
    max_connection_idle_ms: int = _key(_whole(1_000, _DAY_MS), 300_000)
    max_connection_age_ms: int = _key(_whole(1_000, _DAY_MS), 3_600_000)


@dataclass(frozen=True, slots=True)
class LogConfig:
    """Section `[log]`."""

    level: str = _key(_level, "info")


@dataclass(frozen=True, slots=True)
class ShutdownConfig:
    """Section `[shutdown]`."""

    grace_ms: int = _key(_whole(0, 600_000), 5_000)


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    store: StoreConfig
    match: MatchConfig
    review: ReviewConfig | None = None
    index: IndexConfig = IndexConfig()
    server: ServerConfig = ServerConfig()
    limits: LimitsConfig = LimitsConfig()
    log: LogConfig = LogConfig()
    shutdown: ShutdownConfig = ShutdownConfig()


@dataclass(frozen=True, slots=True)
class Source:
    """A configuration and the text that it was read from.

    Attributes:
        path: the file, absolute.
        toml: its text.
        config: what it says.
    """

    path: Path
    toml: str
    config: Config


SECTIONS: Final[Mapping[str, type]] = {
    "store": StoreConfig,
    "match": MatchConfig,
    "review": ReviewConfig,
    "index": IndexConfig,
    "server": ServerConfig,
    "limits": LimitsConfig,
    "log": LogConfig,
    "shutdown": ShutdownConfig,
}


def keys() -> tuple[str, ...]:
    """The path of every key there is."""
    return tuple(
        f"{section}.{entry.name}" for section, shape in SECTIONS.items() for entry in fields(shape)
    )


def read_config(path: Path) -> Config:
    """What the file of an operator says; see `read_source`."""
    return read_source(path).config


def read_source(path: Path) -> Source:
    """Reads the file of an operator.

    Relative paths in it are relative to its folder.

    Raises:
        ConfigError: it cannot be read, or something in it is wrong.
    """
    path = path.absolute()
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_FILE_BYTES + 1)
    except OSError as error:
        raise ConfigError("", f"{path}: {error.strerror}") from error
    if len(content) > _MAX_FILE_BYTES:
        raise ConfigError("", f"{path}: over {_MAX_FILE_BYTES} bytes")
    try:
        toml = content.decode()
        table = tomllib.loads(toml)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError("", f"{path}: not TOML: {error}") from error
    return Source(path, toml, parse_config(table, path.parent))


def parse_config(table: Mapping[str, object], folder: Path) -> Config:
    """Checks a parsed file.

    Args:
        table: the sections.
        folder: what relative paths are relative to.

    Raises:
        ConfigError: something in it is wrong.
    """
    for name in table:
        if name not in SECTIONS:
            raise ConfigError(name, f"unknown section{_hint(name, SECTIONS)}")
    sections = {
        name: _section(name, shape, table.get(name, {}), folder)
        for name, shape in SECTIONS.items()
        if name in table or name != "review"
    }
    config = Config(**cast("dict[str, Any]", sections))
    _check_together(config)
    return config


def _section(name: str, shape: type, table: object, folder: Path) -> object:
    if not isinstance(table, dict) or not is_dataclass(shape):
        raise ConfigError(name, f"want a section, [{name}]")
    known: dict[str, Field[Any]] = {entry.name: entry for entry in fields(shape)}
    for key in table:
        if key not in known:
            raise ConfigError(f"{name}.{key}", f"unknown key{_hint(key, known)}")
    values: dict[str, object] = {}
    for key, entry in known.items():
        if key in table:
            try:
                values[key] = entry.metadata["parse"](table[key], folder)
            except _RefusedError as error:
                raise ConfigError(f"{name}.{key}", str(error)) from error
        elif isinstance(entry.default, Path):
            values[key] = folder / entry.default
        elif entry.default is MISSING:
            raise ConfigError(f"{name}.{key}", "required")
    return shape(**values)


def _hint(wrong: str, known: Iterable[str]) -> str:
    """What was meant by an unknown name, or else what there is."""
    near = get_close_matches(wrong, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"


def _check_together(config: Config) -> None:
    """Refuses keys that fit each by itself and not one another."""
    store, review = config.store, config.review
    if store.staleness_limit_ms <= store.poll_interval_ms:
        raise ConfigError("store.staleness_limit_ms", "want more than store.poll_interval_ms")
    _check_tls("match", config.match)
    if review is None:
        return
    _check_tls("review", review)
    if review.plaintext:
        if not review.listen.is_loopback:
            raise ConfigError("review.plaintext", "refused on an address others can reach")
        if review.client_ca_file is not None or review.allowed_names:
            raise ConfigError("review.plaintext", "not together with client certificates")
        return
    for key in ("client_ca_file", "allowed_names"):
        if not getattr(review, key):
            raise ConfigError(f"review.{key}", "required, or plaintext = true on loopback")


def _check_tls(name: str, listener: MatchConfig | ReviewConfig) -> None:
    files = {"cert_file": listener.cert_file, "key_file": listener.key_file}
    for key, value in files.items():
        if listener.plaintext and value is not None:
            raise ConfigError(f"{name}.{key}", "not together with plaintext = true")
        if not listener.plaintext and value is None:
            raise ConfigError(f"{name}.{key}", "required, or plaintext = true")
