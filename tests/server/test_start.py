"""Starting, failing to start, and ending: one clear line and a documented exit code."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from bench.running import config_text, environment, running_server
from firstseen.v1 import match_pb2_grpc
from tests.server.worlds import check, make_store, message, value


def start(tmp_path: Path, text: str) -> "subprocess.CompletedProcess[str]":
    path = tmp_path / "firstseen.toml"
    path.write_text(text)
    return subprocess.run(
        [sys.executable, "-m", "server", "--config", str(path)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def damage(path: Path, kind: str) -> None:
    data = path / "data.mdb"
    if kind == "missing":
        shutil.rmtree(path)
    elif kind == "no data":
        data.unlink()
    elif kind == "empty":
        data.write_bytes(b"")
    elif kind == "garbage":
        data.write_bytes(os.urandom(200_000))
    elif kind == "truncated":
        data.write_bytes(data.read_bytes()[:9_000])
    elif kind == "flipped":
        content = data.read_bytes()
        listed = bytes(value(0))
        assert listed in content
        data.write_bytes(content.replace(listed, bytes(32)))
    elif kind == "newer":
        # The format version is the value beside its key, a big-endian number.
        content = data.read_bytes()
        old, new = b"format\x00\x00\x00\x01", b"format\x00\x00\x00\x63"
        assert old in content
        data.write_bytes(content.replace(old, new))


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("missing", {3}),
        ("no data", {3}),
        ("empty", {3}),
        ("garbage", {3, 4}),
        ("truncated", {3, 4}),
        ("newer", {3}),
        ("flipped", {4}),
    ],
)
def test_store_is_no_good_says_one_line_and_makes_none(
    tmp_path: Path, kind: str, codes: set[int]
) -> None:
    path = make_store(tmp_path / "store")
    damage(path, kind)
    before = sorted(p.name for p in path.iterdir()) if path.exists() else None
    result = start(tmp_path, config_text(path))
    assert result.returncode in codes
    lines = result.stderr.splitlines()
    assert [line.startswith("server: ") for line in lines] == [True]
    assert "Traceback" not in result.stderr
    is_told_how = lines[0].endswith(f"; to make one: python -m indexer init --store {path}")
    assert is_told_how is (kind in {"missing", "no data"})
    assert str(path) in result.stderr
    if before is None:
        assert not path.exists()
    else:
        assert {p.name for p in path.iterdir()} - {"lock.mdb"} == set(before) - {"lock.mdb"}


def test_port_is_taken_says_so(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        result = start(tmp_path, config_text(path, {"match": {"listen": address}}))
    assert result.returncode == 5
    want = f"server: match.listen: cannot listen on {address}: Address already in use"
    assert want in result.stderr
    assert "Traceback" not in result.stderr


def test_certificate_is_absent_or_no_certificate_says_so(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    files = {"plaintext": None, "cert_file": "absent.crt", "key_file": "absent.key"}
    result = start(tmp_path, config_text(path, {"match": files}))
    assert (result.returncode, "match.key_file: " in result.stderr) == (2, True)
    for name in ("absent.crt", "absent.key"):
        (tmp_path / name).write_text("nothing of the kind")
    result = start(tmp_path, config_text(path, {"match": files}))
    assert (result.returncode, "the certificate and key do not fit" in result.stderr) == (5, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_zero_and_a_summary(tmp_path: Path, number: signal.Signals) -> None:
    path = make_store(tmp_path / "store")
    with running_server(path) as server:
        ready = server.folder / "ready.json"
        assert json.loads(ready.read_text())["pid"] == server.process.pid
        with grpc.insecure_channel(server.match) as channel:
            match_pb2_grpc.MatchServiceStub(channel).Check(check(message(0)), timeout=10)
        server.process.send_signal(number)
        assert server.process.wait(20) == 0
        lines = [json.loads(line) for line in server.output().splitlines()]
        assert not ready.exists()
    assert [line["event"] for line in lines] == ["serving", "served", "stopped"]
    assert server.match.endswith(f":{lines[0]['match_port']}")
    assert lines[1]["calls"] == {"firstseen.v1.MatchService/Check": {"OK": 1}}


def test_killed_server_starts_again_with_the_same_answers(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    verdicts = []
    for _ in range(2):
        with running_server(path) as server, grpc.insecure_channel(server.match) as channel:
            stub = match_pb2_grpc.MatchServiceStub(channel)
            verdicts.append([stub.Check(check(message(i)), timeout=10).verdict for i in range(5)])
            server.process.kill()
            server.process.wait(20)
    assert verdicts[0] == verdicts[1]


def test_two_servers_follow_one_store(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    with running_server(path) as first, running_server(path) as second:
        assert first.match != second.match
