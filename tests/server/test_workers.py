"""Several workers on one port: all serve, some die, all drain, and they are replaced."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

import grpc
import numpy as np
import pytest

from bench.running import ROOT, RunningServer, config_text, environment, running_server
from bench.stores import sent_item
from engine.prctl import DEFAULT_SLACK_NS
from firstseen import CallError, Client, Plaintext, Verdict
from firstseen import client as sdk
from firstseen.attempts import Attempts
from firstseen.options import channel_arguments
from firstseen.v1 import match_pb2, match_pb2_grpc, types_pb2
from tests.server.test_states import within_patience
from tests.server.worlds import PATIENT, check, make_store, message, value

TIMEOUT_S = 20.0
CONNECTIONS = 32
LISTED = 3
CALLS = 2_000
# A connection of its own for every channel; channels of one process share one otherwise.
OWN = ("grpc.use_local_subchannel_pool", 1)

Overrides = Mapping[str, Mapping[str, object]]
TWO: Overrides = {"server": {"workers": 2}}


def launcher(fault: str) -> tuple[str, ...]:
    return (sys.executable, str(ROOT / "tests" / "server" / "faulty_server.py"), fault)


def events(server: RunningServer, name: str = "") -> list[dict[str, Any]]:
    """The log lines so far, or those of one event."""
    text = server.output()
    lines = [json.loads(line) for line in text[: text.rfind(b"\n") + 1].splitlines()]
    return [line for line in lines if name in {"", line["event"]}]


def verdict_on_a_new_connection(address: str) -> int:
    with grpc.insecure_channel(address, options=[OWN]) as channel:
        stub = match_pb2_grpc.MatchServiceStub(channel)
        answer = stub.Check(check(message(0)), timeout=TIMEOUT_S)
    return int(answer.verdict)


def is_refused(address: str) -> bool:
    try:
        verdict_on_a_new_connection(address)
    except grpc.RpcError:
        return True
    return False


def has_ended(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"  # nobody has asked yet how it ended


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_store(tmp_path_factory.mktemp("workers") / "store")


def test_two_workers_both_answer_on_one_port(path: Path) -> None:
    with running_server(path, TWO) as server:
        assert len(set(server.worker_pids())) == 2
        verdicts = [verdict_on_a_new_connection(server.match) for _ in range(CONNECTIONS)]
        assert server.stop() == 0
        served = {line["worker"]: line["calls"] for line in events(server, "served")}
        assert {line["worker"] for line in events(server, "serving")} == {0, 1}
        assert len({line["match_port"] for line in events(server, "serving")}) == 1
    assert set(verdicts) == {types_pb2.VERDICT_KNOWN}
    calls = [counts["firstseen.v1.MatchService/Check"]["OK"] for counts in served.values()]
    assert len(calls) == 2
    assert sum(calls) == CONNECTIONS


def slacks_ns(pid: int) -> Iterator[int]:
    """The timer slack of each thread of a process."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            yield int(Path(f"/proc/{task.name}/timerslack_ns").read_text())
        except FileNotFoundError:
            continue  # it has ended
        except PermissionError:
            pytest.skip("only who may set it may read that of another process")


@pytest.mark.skipif(sys.platform != "linux", reason="timer slack is of Linux")
def test_calls_wait_for_the_interpreter_no_longer_than_they_ask_to(path: Path) -> None:
    with running_server(path, TWO) as server:
        for pid in server.worker_pids():
            by_slack = Counter(slacks_ns(pid))
            # What takes up changes is one thread, and asks for it later than the calls do.
            assert set(by_slack) == {1, DEFAULT_SLACK_NS}
            assert by_slack[1] > by_slack[DEFAULT_SLACK_NS]


class Load:
    """Clients that check without pause, each over a connection of its own.

    Attributes:
        wrong: verdicts that are not the right one, and errors.
        retried: how many calls were asked again.
    """

    def __init__(self, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wrong: list[object] = []
        self.retried = 0
        self._address = address
        self._made = [0] * 4
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(4)]
        pause_s = Attempts.pause_s

        def counted(attempts: Attempts, error: CallError) -> float:
            self.retried += 1
            return pause_s(attempts, error)

        monkeypatch.setattr(Attempts, "pause_s", counted)
        monkeypatch.setattr(sdk, "channel_arguments", lambda: [*channel_arguments(), OWN])

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(TIMEOUT_S)

    def calls(self) -> int:
        return sum(self._made)

    def goes_on_for(self, calls: int) -> bool:
        """Waits for so many more calls."""
        until = self.calls() + calls
        return within_patience(lambda: self.calls() >= until or bool(self.wrong))

    def _run(self, number: int) -> None:
        items = [(sent_item(np.frombuffer(value(n), np.uint8)), n < LISTED) for n in (0, 90)]
        try:
            with Client(self._address, Plaintext(), PATIENT) as client:
                while not self._end.is_set():
                    for item, is_known in items:
                        got = client.check(item).verdict
                        self._made[number] += 1
                        if got is not (Verdict.KNOWN if is_known else Verdict.NOVEL):
                            self.wrong.append(got)
        except CallError as error:
            self.wrong.append(error)


def busiest(pids: list[int]) -> int:
    """The process with the most sockets, so with the most callers."""

    def sockets(pid: int) -> int:
        links = [link.readlink() for link in Path(f"/proc/{pid}/fd").iterdir()]
        return sum(str(link).startswith("socket:") for link in links)

    return max(pids, key=sockets)


def test_worker_killed_under_load_no_call_fails_and_few_are_asked_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_server(path, TWO) as server:
        before = server.worker_pids()
        with Load(server.match, monkeypatch) as load:
            assert load.goes_on_for(CALLS // 2)
            victim = busiest(before)
            os.kill(victim, signal.SIGSTOP)
            time.sleep(0.2)  # its callers come to wait for it, so that it dies in calls
            os.kill(victim, signal.SIGKILL)
            assert load.goes_on_for(CALLS // 2)
            calls, retried = load.calls(), load.retried
            assert within_patience(lambda: victim not in server.worker_pids())
            assert load.goes_on_for(CALLS // 2)
        assert load.wrong == []
        assert 0 < retried < calls / 100
        assert load.retried < load.calls() / 100  # nor when the new one comes
        after = server.worker_pids()
        assert set(before) - set(after) == {victim}
        (death,) = events(server, "worker_died")
        assert (death["signal"], death["restarts"]) == (signal.SIGKILL, 1)
        assert death["worker"] == before.index(victim)
        assert server.stop() == 0


def test_worker_without_a_list_is_asked_nothing_while_another_serves(
    path: Path, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    go.touch()
    # The one that serves cannot look at the store meanwhile, and shall not get stale.
    lasting: Overrides = {**TWO, "store": {"path": str(path), "staleness_limit_ms": 600_000}}
    with running_server(path, lasting, launcher(f"hold={go}")) as server:
        go.unlink()
        first, second = server.worker_pids()
        os.kill(first, signal.SIGKILL)
        assert within_patience(lambda: bool(events(server, "worker_died")))
        verdicts = {verdict_on_a_new_connection(server.match) for _ in range(CONNECTIONS)}
        assert verdicts == {types_pb2.VERDICT_KNOWN}
        assert server.worker_pids() == [first, second]  # not all serve
        go.touch()
        assert within_patience(lambda: first not in server.worker_pids())


def kill_and_await_another(server: RunningServer) -> None:
    pids = server.worker_pids()
    os.kill(pids[0], signal.SIGKILL)
    assert within_patience(lambda: server.worker_pids() != pids)


def test_worker_killed_again_and_again_comes_back(path: Path) -> None:
    with running_server(path) as server:
        for _ in range(2):
            kill_and_await_another(server)
        assert verdict_on_a_new_connection(server.match) == types_pb2.VERDICT_KNOWN
        assert [line["restarts"] for line in events(server, "worker_died")] == [1, 2]
        assert server.stop() == 0


def test_ready_file_cannot_be_written_any_more_the_server_serves_on(path: Path) -> None:
    with running_server(path) as server:
        # A folder in the way, as for root no permission is.
        (server.folder / "ready.json").unlink()
        (server.folder / "ready.json").mkdir()
        os.kill(events(server, "serving")[0]["pid"], signal.SIGKILL)
        assert within_patience(lambda: bool(events(server, "ready_file_failed")))
        assert verdict_on_a_new_connection(server.match) == types_pb2.VERDICT_KNOWN
        assert server.stop() == 0


def test_first_start_fails_in_every_worker_one_line_is_said(tmp_path: Path) -> None:
    config = tmp_path / "firstseen.toml"
    config.write_text(config_text(tmp_path / "absent", {"server": {"workers": 4}}))
    result = run_to_its_end(config)
    assert (result.returncode, result.stdout) == (3, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"server: {tmp_path / 'absent'}: ")


def run_to_its_end(config: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "server", "--config", str(config)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_supervisor_loads_nothing_that_only_workers_need() -> None:
    heavy = {"asyncio", "faiss", "grpc", "lmdb", "numba", "numpy"}
    code = f"import sys, server.__main__; print(sorted({heavy} & {{*sys.modules}}))"
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True
    )
    assert result.stdout == "[]\n"


def test_second_server_on_the_port_is_refused(path: Path, tmp_path: Path) -> None:
    with running_server(path, TWO) as server:
        config = tmp_path / "firstseen.toml"
        config.write_text(config_text(path, {"match": {"listen": server.match}}))
        result = run_to_its_end(config)
        assert result.returncode == 5
        said = f"cannot listen on {server.match}: Address already in use"
        assert result.stderr == f"server: match.listen: {said}\n"
        assert verdict_on_a_new_connection(server.match) == types_pb2.VERDICT_KNOWN


def test_supervisor_is_killed_its_workers_end(path: Path) -> None:
    with running_server(path, TWO) as server:
        pids = server.worker_pids()
        server.process.kill()
        server.process.wait(TIMEOUT_S)
        assert within_patience(lambda: all(has_ended(pid) for pid in pids))
        assert is_refused(server.match)


def document() -> match_pb2.CheckStreamRequest:
    """What the faulty server takes a second to answer."""
    exact = types_pb2.Hash(type=types_pb2.HASH_TYPE_SHA256, value=bytes(32))
    item = types_pb2.Item(media_type=types_pb2.MEDIA_TYPE_DOCUMENT, hashes=[exact])
    return match_pb2.CheckStreamRequest(tag=2, item=item)


def test_sigterm_comes_in_a_call_the_call_is_answered(path: Path) -> None:
    with (
        running_server(path, TWO, launcher("calls")) as server,
        grpc.insecure_channel(server.match) as channel,
    ):
        stub = match_pb2_grpc.MatchServiceStub(channel)
        first = match_pb2.CheckStreamRequest(tag=1, item=message(0))
        answers = stub.CheckStream(iter([first, document()]), timeout=TIMEOUT_S)
        assert next(answers).tag == 1
        server.process.send_signal(signal.SIGTERM)
        assert next(answers).answer.verdict == types_pb2.VERDICT_NOVEL
        assert server.process.wait(TIMEOUT_S) == 0
        assert len(events(server, "stopped")) == 2


@contextmanager
def open_stream(address: str) -> Iterator[None]:
    """A call that does not end."""
    with grpc.insecure_channel(address) as channel:
        stub = match_pb2_grpc.MatchServiceStub(channel)
        first = match_pb2.CheckStreamRequest(tag=1, item=message(0))
        never = threading.Event()

        def requests() -> Iterator[match_pb2.CheckStreamRequest]:
            yield first
            never.wait(TIMEOUT_S)

        stream = stub.CheckStream(requests(), timeout=600)
        assert next(stream).tag == 1
        yield
        never.set()
        stream.cancel()


LONG_GRACE: Overrides = {"shutdown": {"grace_ms": 600_000}}


def test_connections_say_nothing_the_end_does_not_wait_for_them(path: Path) -> None:
    with running_server(path, LONG_GRACE) as server, ExitStack() as idle:
        host, _, port = server.match.rpartition(":")
        for _ in range(3):
            idle.enter_context(socket.create_connection((host, int(port)), timeout=TIMEOUT_S))
        assert verdict_on_a_new_connection(server.match) == types_pb2.VERDICT_KNOWN
        assert server.stop() == 0


def test_second_signal_cuts_calls_under_way(path: Path) -> None:
    with running_server(path, LONG_GRACE) as server, open_stream(server.match):
        server.process.send_signal(signal.SIGTERM)
        assert within_patience(lambda: is_refused(server.match))  # else both may arrive as one
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(TIMEOUT_S) == 0
