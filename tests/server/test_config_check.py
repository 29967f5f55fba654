"""`--check-config`: a configuration that is well-formed, and a server could not start by it."""

import socket
import subprocess
from pathlib import Path

import pytest

from bench.running import config_text, running_server
from tests.client.certificates import make_pair
from tests.server.worlds import make_store, run_server


def check(tmp_path: Path, text: str) -> "subprocess.CompletedProcess[str]":
    path = tmp_path / "firstseen.toml"
    path.write_text(text)
    return run_server("--config", str(path), "--check-config")


def test_good_one_is_fine_and_nothing_is_made(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    result = check(tmp_path, config_text(store))
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.endswith("firstseen.toml: fine\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["firstseen.toml", "store"]


def test_malformed_one_names_the_key(tmp_path: Path) -> None:
    result = check(tmp_path, '[store]\npath = "s"\n[match]\nlisten = "nowhere"\n')
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("server: match.listen: ")


def test_store_is_missing_or_none_says_so(tmp_path: Path) -> None:
    result = check(tmp_path, config_text(tmp_path / "none"))
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith(f"server: store.path: {tmp_path / 'none'}: no store here")
    assert result.stderr.endswith(f"python -m indexer init --store {tmp_path / 'none'}\n")
    assert not (tmp_path / "none").exists()
    store = make_store(tmp_path / "store")
    (store / "data.mdb").write_bytes(b"")
    assert check(tmp_path, config_text(store)).returncode == 3


def test_everything_that_is_wrong_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    overrides: dict[str, dict[str, object]] = {
        "index": {"segments": "file/segments"},
        "match": {
            "listen": "203.0.113.1:5",
            "plaintext": None,
            "cert_file": "absent.crt",
            "key_file": "absent.key",
        },
    }
    result = check(tmp_path, config_text(tmp_path / "none", overrides))
    starts = [line.split(": ")[1] for line in result.stderr.splitlines()]
    assert starts == [
        "store.path",
        "index.segments",
        "match.key_file",
        "match.cert_file",
        "match.listen",
    ]
    assert result.returncode == 3  # as a start would end


def test_taken_port_is_told_and_that_of_a_running_server_is_fine(tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        result = check(tmp_path, config_text(store, {"match": {"listen": listen}}))
    assert result.returncode == 5
    assert f"match.listen: cannot listen on {listen}: Address already in use" in result.stderr
    with running_server(store) as server:
        result = check(tmp_path, config_text(store, {"match": {"listen": server.match}}))
    assert result.returncode == 0
    assert "fine for SIGHUP" in result.stderr


@pytest.mark.parametrize("wrong", ["cert_file", "key_file", "client_ca_file", ""])
def test_certificates_are_read_and_fit(wrong: str, tmp_path: Path) -> None:
    store = make_store(tmp_path / "store")
    pair = make_pair(tmp_path, "unit")
    paths = {
        "cert_file": pair.certificate,
        "key_file": pair.key,
        "client_ca_file": pair.certificate,
    }
    files = {name: tmp_path / name for name in paths}
    for name, path in paths.items():
        files[name].write_bytes(b"nothing of the kind" if name == wrong else path.read_bytes())
    review = {name: name for name in files} | {"plaintext": None, "allowed_names": ["a"]}
    result = check(tmp_path, config_text(store, {"review": review}))
    assert result.returncode == (5 if wrong else 0), result.stderr
    told = "review.client_ca_file" if wrong == "client_ca_file" else "review.cert_file"
    assert result.stderr.startswith(f"server: {told}: " if wrong else "")
