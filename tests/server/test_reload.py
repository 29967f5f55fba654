"""SIGHUP: another configuration, without an end."""

import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from bench.running import RunningServer, config_text, running_server
from firstseen.v1 import match_pb2, match_pb2_grpc, types_pb2
from tests.server.test_states import make_certificates, within_patience
from tests.server.test_workers import (
    OWN,
    TIMEOUT_S,
    TWO,
    Load,
    Overrides,
    events,
    has_ended,
    kill_and_await_another,
    launcher,
    verdict_on_a_new_connection,
)
from tests.server.worlds import make_store


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("reload") / "store")


def rewrite(server: RunningServer, text: str) -> None:
    """Changes the configuration and says so."""
    (server.folder / "firstseen.toml").write_text(text, encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)


def limit_of(address: str) -> int:
    with grpc.insecure_channel(address, options=[OWN]) as channel:
        stub = match_pb2_grpc.MatchServiceStub(channel)
        policy = stub.GetPolicy(match_pb2.GetPolicyRequest(), timeout=TIMEOUT_S)
    return int(policy.limits.max_hashes_per_item)


def test_sighup_with_a_good_file_replaces_every_worker_and_fails_no_call(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server(path, TWO) as server:
        before = server.worker_pids()
        with Load(server.match, monkeypatch) as load:
            assert load.goes_on_for(100)
            rewrite(server, config_text(path, {**TWO, "limits": {"max_hashes_per_item": 77}}))
            assert within_patience(lambda: not {*before} & {*server.worker_pids()})
            assert within_patience(lambda: bool(events(server, "config_reloaded")))
            assert load.goes_on_for(100)
        assert load.wrong == []
        assert within_patience(lambda: all(map(has_ended, before)))
        assert {limit_of(server.match) for _ in range(8)} == {77}
        assert events(server, "worker_died") == []
        assert server.stop() == 0


def test_sighup_changes_the_number_of_workers(path: Path) -> None:
    with running_server(path) as server:
        for count in (2, 1):
            rewrite(server, config_text(path, {"server": {"workers": count}}))
            assert has_workers(server, count)
        # The system resets connections that wait where a worker has just closed its door.
        assert within_patience(lambda: len(events(server, "stopped")) == 3)
        assert verdict_on_a_new_connection(server.match) == types_pb2.VERDICT_KNOWN
        assert server.stop() == 0


def has_workers(server: RunningServer, count: int) -> bool:
    return within_patience(lambda: len(server.worker_pids()) == count)


WRONG: Mapping[str, Overrides] = {
    "limits.max_hashes_per_item": {"limits": {"max_hashes_per_item": 0}},
    "nothing": {"nothing": {"of": "the kind"}},
    "store.path": {"store": {"path": "elsewhere"}},
    "match.listen": {"match": {"listen": "127.0.0.1:1"}},
    "review.listen": {"review": {"listen": "127.0.0.1:1"}},
}


def test_sighup_with_a_wrong_file_leaves_everything_as_it_was(path: Path) -> None:
    with running_server(path) as server:
        before = server.worker_pids()
        for number, overrides in enumerate(WRONG.values(), start=1):
            rewrite(server, config_text(path, overrides))
            assert has_refused(server, number)
        assert [line["key"] for line in events(server, "config_refused")] == list(WRONG)
        assert server.worker_pids() == before
        # One that dies now is started by what was accepted, not by what the file holds.
        kill_and_await_another(server)
        assert limit_of(server.match) == 4_096
        assert server.stop() == 0


def has_refused(server: RunningServer, count: int) -> bool:
    return within_patience(lambda: len(events(server, "config_refused")) == count)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
def test_sighup_reads_certificates_again_and_refuses_bad_ones(path: Path, tmp_path: Path) -> None:
    make_certificates(tmp_path)
    files = {"cert_file": str(tmp_path / "server.crt"), "key_file": str(tmp_path / "server.key")}
    with running_server(path, {"match": {**files, "plaintext": None}}) as server:
        before = server.worker_pids()
        good = (tmp_path / "server.crt").read_bytes()
        (tmp_path / "server.crt").write_text("no certificate")
        server.process.send_signal(signal.SIGHUP)
        assert within_patience(lambda: bool(events(server, "config_refused")))
        (refusal,) = events(server, "config_refused")
        assert refusal["exit_code"] == 5
        assert refusal["detail"].startswith("match.listen: cannot listen on ")
        assert server.worker_pids() == before
        (tmp_path / "server.crt").write_bytes(good)
        server.process.send_signal(signal.SIGHUP)
        assert within_patience(lambda: server.worker_pids() != before)
        assert server.stop() == 0


def test_sigterm_comes_while_a_worker_is_replaced_everything_ends(
    path: Path, tmp_path: Path
) -> None:
    may_load = tmp_path / "may-load"
    may_load.touch()
    with running_server(path, command=launcher(f"hold={may_load}")) as server:
        may_load.unlink()
        server.process.send_signal(signal.SIGHUP)
        assert within_patience(lambda: len(worker_processes(server)) == 2)
        assert server.stop() == 0


def worker_processes(server: RunningServer) -> list[bytes]:
    """The command lines of the workers that the supervisor runs, the coming one among them."""
    pid = server.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    commands = []
    for child in children:
        with suppress(OSError):  # it has just ended
            commands.append(Path(f"/proc/{child}/cmdline").read_bytes())
    return [command for command in commands if b"--worker" in command]
