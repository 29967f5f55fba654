"""The configuration: what is accepted, what is refused and how that is said."""

from pathlib import Path
from typing import Any

import pytest

from server.config import (
    EXAMPLE_FILE,
    SECTIONS,
    Address,
    ConfigError,
    keys,
    parse_config,
    read_config,
)
from tests.server.worlds import run_server

FOLDER = Path("/folder")
PLAIN = {"listen": "127.0.0.1:0", "plaintext": True}


def table(**sections: dict[str, object]) -> dict[str, Any]:
    return {"store": {"path": "store"}, "match": dict(PLAIN), **sections}


def test_only_required_keys_given_rest_has_defaults() -> None:
    config = parse_config(table(), FOLDER)
    assert config.store.path == FOLDER / "store"
    assert (config.store.poll_interval_ms, config.store.staleness_limit_ms) == (50, 10_000)
    assert config.match.listen == Address("127.0.0.1", 0)
    assert config.review is None
    assert config.limits.max_hashes_per_item == 4_096
    assert config.limits.max_items_in_flight == 256
    assert config.limits.max_message_bytes == 524_288


@pytest.mark.parametrize(
    ("sections", "key"),
    [
        ({"stor": {}}, "stor"),
        ({"store": {}}, "store.path"),
        ({"store": {"path": ""}}, "store.path"),
        ({"store": 3}, "store"),
        ({"store": {"path": "s", "poll_interval": 3}}, "store.poll_interval"),
        ({"store": {"path": "s", "poll_interval_ms": "50ms"}}, "store.poll_interval_ms"),
        ({"store": {"path": "s", "poll_interval_ms": True}}, "store.poll_interval_ms"),
        ({"store": {"path": "s", "poll_interval_ms": 50.0}}, "store.poll_interval_ms"),
        ({"store": {"path": "s", "poll_interval_ms": 0}}, "store.poll_interval_ms"),
        (
            {"store": {"path": "s", "poll_interval_ms": 500, "staleness_limit_ms": 400}},
            "store.staleness_limit_ms",
        ),
        ({"match": {}}, "match.listen"),
        ({"match": {"listen": "50051"}}, "match.listen"),
        ({"match": {"listen": ":50051"}}, "match.listen"),
        ({"match": {"listen": "localhost:70000"}}, "match.listen"),
        ({"match": {"listen": "localhost:-1"}}, "match.listen"),
        ({"match": {"listen": "localhost:1"}}, "match.cert_file"),
        ({"match": {"listen": "localhost:1", "cert_file": "a"}}, "match.key_file"),
        ({"match": {**PLAIN, "cert_file": "a"}}, "match.cert_file"),
        ({"match": {**PLAIN, "plaintext": "yes"}}, "match.plaintext"),
        ({"review": {"listen": "10.0.0.1:1", "plaintext": True}}, "review.plaintext"),
        ({"review": {**PLAIN, "allowed_names": ["a"]}}, "review.plaintext"),
        (
            {"review": {"listen": "h:1", "cert_file": "a", "key_file": "b"}},
            "review.client_ca_file",
        ),
        (
            {
                "review": {
                    "listen": "h:1",
                    "cert_file": "a",
                    "key_file": "b",
                    "client_ca_file": "c",
                }
            },
            "review.allowed_names",
        ),
        ({"review": {"listen": "h:1", "allowed_names": []}}, "review.allowed_names"),
        ({"review": {"listen": "h:1", "allowed_names": [1]}}, "review.allowed_names"),
        ({"limits": {"max_hashes_per_item": 0}}, "limits.max_hashes_per_item"),
        ({"limits": {"max_message_bytes": 1 << 40}}, "limits.max_message_bytes"),
        ({"log": {"level": "INFO"}}, "log.level"),
        ({"shutdown": {"grace_ms": -1}}, "shutdown.grace_ms"),
    ],
)
def test_something_wrong_is_refused_with_its_path(sections: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(table(**sections), FOLDER)
    assert caught.value.key == key
    assert str(caught.value).startswith(f"{key}: ")


@pytest.mark.parametrize(
    ("text", "host", "loopback"),
    [
        ("[::1]:5", "::1", True),
        ("[::]:5", "::", False),
        ("localhost:5", "localhost", True),
        ("0.0.0.0:5", "0.0.0.0", False),
        ("127.8.9.1:5", "127.8.9.1", True),
        ("name.example:5", "name.example", False),
    ],
)
def test_address_is_read_and_written_back(text: str, host: str, loopback: bool) -> None:
    address = parse_config(table(match={**PLAIN, "listen": text}), FOLDER).match.listen
    assert (address.host, address.port, address.is_loopback) == (host, 5, loopback)
    assert str(address) == text


@pytest.mark.parametrize(
    ("sections", "said"),
    [
        ({"stor": {}}, "stor: unknown section; did you mean store?"),
        ({"xyz": {}}, "xyz: unknown section; there are store, match, review, index, "),
        ({"log": {"levle": "info"}}, "log.levle: unknown key; did you mean level?"),
        ({"log": {"colour": "red"}}, "log.colour: unknown key; there are level"),
    ],
)
def test_unknown_name_is_told_with_what_was_meant(sections: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(table(**sections), FOLDER)
    assert str(caught.value).startswith(said)


def test_file_is_not_toml_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[store\n")
    with pytest.raises(ConfigError, match=r"bad\.toml: not TOML"):
        read_config(path)
    with pytest.raises(ConfigError, match=r"absent\.toml: No such file"):
        read_config(tmp_path / "absent.toml")


def test_example_is_read_and_shows_every_key_at_its_default() -> None:
    assert read_config(EXAMPLE_FILE).limits == parse_config(table(), FOLDER).limits
    everything = EXAMPLE_FILE.read_text().replace("# ", "")
    sections = everything.split("\n[")
    for key in keys():
        section, name = key.split(".")
        shown = next(text for text in sections if text.startswith((f"{section}]", f"[{section}]")))
        assert f"\n{name} = " in shown or f"\n{name} =" in shown, key


def test_every_key_is_in_the_manual_and_no_other(root: Path) -> None:
    rows = [
        line.split("`")[1]
        for line in (root / "docs" / "operate.md").read_text().splitlines()
        if line.startswith("| `") and line.split("`")[1].split(".")[0] in SECTIONS
    ]
    assert sorted(rows) == sorted(keys())


def test_command_line_without_config_is_wrong_use() -> None:
    assert run_server().returncode == 2
    printed = run_server("--print-example-config")
    assert (printed.returncode, printed.stdout) == (0, EXAMPLE_FILE.read_text())
