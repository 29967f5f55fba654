"""Not loaded, stale and fresh again, as callers and health see it; and who may review."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bench.running import ROOT, config_text, environment, running_server
from engine.lmdb_store import LmdbWriter
from firstseen.v1 import match_pb2, match_pb2_grpc, review_pb2, review_pb2_grpc, types_pb2
from server.review import AllowedNames
from tests.server.worlds import check, make_store, message, new_item, trailer

TIMEOUT_S = 30.0
PATIENCE_S = 40.0


def within_patience(holds: Callable[[], bool]) -> bool:
    """Asks again and again until it holds."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > deadline_s:
            return False
    return True


def health_of(channel: grpc.Channel) -> int:
    request = health_pb2.HealthCheckRequest(service="firstseen.v1.MatchService")
    status: int = health_pb2_grpc.HealthStub(channel).Check(request, timeout=TIMEOUT_S).status
    return status


def refusals(channel: grpc.Channel) -> list[grpc.RpcError]:
    """What every method says now."""
    stub = match_pb2_grpc.MatchServiceStub(channel)
    one = [match_pb2.CheckStreamRequest(tag=1, item=message(0))]
    calls: list[Callable[[], Any]] = [
        lambda: stub.Check(check(message(0)), timeout=TIMEOUT_S),
        lambda: stub.GetPolicy(match_pb2.GetPolicyRequest(), timeout=TIMEOUT_S),
        lambda: list(stub.CheckStream(iter(one), timeout=TIMEOUT_S)),
    ]
    errors = []
    for call in calls:
        with pytest.raises(grpc.RpcError) as caught:
            call()
        errors.append(caught.value)
    return errors


def assert_unavailable(channel: grpc.Channel) -> None:
    for error in refusals(channel):
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert (
            status_pb2.Status.FromString(trailer(error)).details[0].type_url.endswith("RetryInfo")
        )


def test_store_vanishes_calls_get_unavailable_until_it_is_back(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    # Not so short that a busy machine makes a list stale that is there.
    fast = {"store": {"path": str(path), "poll_interval_ms": 10, "staleness_limit_ms": 3_000}}
    with running_server(path, fast) as server, grpc.insecure_channel(server.match) as channel:
        assert health_of(channel) == health_pb2.HealthCheckResponse.SERVING
        (path / "data.mdb").rename(path / "away")
        not_serving = health_pb2.HealthCheckResponse.NOT_SERVING
        assert within_patience(lambda: health_of(channel) == not_serving)
        assert_unavailable(channel)
        (path / "away").rename(path / "data.mdb")
        serving = health_pb2.HealthCheckResponse.SERVING
        assert within_patience(lambda: health_of(channel) == serving)
        stub = match_pb2_grpc.MatchServiceStub(channel)
        answer = stub.Check(check(message(0)), timeout=TIMEOUT_S)
        assert answer.verdict == types_pb2.VERDICT_KNOWN
        assert server.stop() == 0
        events = [line.split(b'"event": "')[1].split(b'"')[0] for line in lines(server.output())]
    assert events.count(b"not_serving") == 1
    assert events.count(b"serving") == 2
    assert events.count(b"refresh_failed") == 1


def lines(output: bytes) -> list[bytes]:
    return output.splitlines()


def test_list_is_not_loaded_health_and_calls_say_so(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    config, go, output = tmp_path / "a.toml", tmp_path / "go", tmp_path / "output"
    config.write_text(config_text(path, {"log": {"level": "debug"}}))
    launcher = str(ROOT / "tests" / "server" / "faulty_server.py")
    with output.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, launcher, f"hold={go}", "--config", str(config)],
            env=environment(),
            stderr=stderr,
        )
    try:
        assert within_patience(lambda: b'"listening"' in output.read_bytes())
        port = output.read_text().split('"match_port": ')[1].split("}")[0].split(",")[0]
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert health_of(channel) == health_pb2.HealthCheckResponse.NOT_SERVING
            assert_unavailable(channel)
            go.touch()
            serving = health_pb2.HealthCheckResponse.SERVING
            assert within_patience(lambda: health_of(channel) == serving)
    finally:
        process.terminate()
        assert process.wait(PATIENCE_S) == 0


def test_load_and_withdrawal_are_seen_by_callers(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    with running_server(path) as server, grpc.insecure_channel(server.match) as channel:
        stub = match_pb2_grpc.MatchServiceStub(channel)

        def verdict() -> int:
            answer = stub.Check(check(message(77)), timeout=TIMEOUT_S)
            return int(answer.verdict)

        assert verdict() == types_pb2.VERDICT_NOVEL
        with LmdbWriter(path) as writer:
            bank = writer.banks()[0]
            writer.load(bank.bank_id, [new_item(77)])
            assert within_patience(lambda: verdict() == types_pb2.VERDICT_KNOWN)
            hash_ = new_item(77).item.hashes[0]
            writer.withdraw(writer.find(hash_.type, hash_.value))
            assert within_patience(lambda: verdict() == types_pb2.VERDICT_NOVEL)


@pytest.mark.parametrize(
    ("identity", "allowed"),
    [
        ({}, False),
        ({"x509_common_name": [b"desk"]}, True),
        ({"x509_common_name": [b"other"]}, False),
        ({"x509_subject_alternative_name": [b"desk"]}, True),
        (
            {"x509_subject_alternative_name": [b"other"], "x509_common_name": [b"desk"]},
            False,
        ),
        ({"x509_subject_alternative_name": [b"other", b"desk"]}, True),
        ({"x509_common_name": [b"DESK"]}, False),
    ],
)
def test_reviewer_is_let_in_by_name(identity: dict[str, list[bytes]], allowed: bool) -> None:
    assert AllowedNames(["desk", "second"]).allows(identity) is allowed


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def make_certificates(folder: Path) -> None:
    """An authority, and certificates signed by it: `server`, `desk` and `stranger`."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    openssl(
        folder,
        "req",
        "-x509",
        *key,
        "-keyout",
        "ca.key",
        "-out",
        "ca.crt",
        "-subj",
        "/CN=authority",
    )
    for name, alternative in (
        ("server", "IP:127.0.0.1"),
        ("desk", "DNS:desk.unit.example"),
        ("stranger", "DNS:stranger.example"),
    ):
        (folder / f"{name}.ext").write_text(f"subjectAltName={alternative}\n")
        subject = ("-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(folder, "req", *key[:-2], *subject)
        signed = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        names = ("-extfile", f"{name}.ext", "-out", f"{name}.crt")
        openssl(folder, "x509", "-req", "-in", f"{name}.csr", *signed, *names)


def explain_as(address: str, folder: Path, name: str | None) -> grpc.StatusCode:
    ends = () if name is None else ("key", "crt")
    own = [(folder / f"{name}.{end}").read_bytes() for end in ends]
    credentials = grpc.ssl_channel_credentials((folder / "ca.crt").read_bytes(), *own)
    with grpc.secure_channel(address, credentials) as channel:
        stub = review_pb2_grpc.ReviewServiceStub(channel)
        try:
            stub.Explain(review_pb2.ExplainRequest(item=message(0)), timeout=TIMEOUT_S)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes certificates with openssl")
def test_review_over_mutual_tls_lets_in_allowed_names_only(tmp_path: Path) -> None:
    path = make_store(tmp_path / "store")
    make_certificates(tmp_path)
    own = {"cert_file": str(tmp_path / "server.crt"), "key_file": str(tmp_path / "server.key")}
    review: dict[str, object] = {
        **own,
        "plaintext": None,
        "client_ca_file": str(tmp_path / "ca.crt"),
        "allowed_names": ["desk.unit.example"],
    }
    with running_server(path, {"review": review, "match": {**own, "plaintext": None}}) as server:
        codes = [explain_as(server.review, tmp_path, n) for n in ("desk", "stranger", None)]
        assert codes == [
            grpc.StatusCode.OK,
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.UNAVAILABLE,
        ]
        credentials = grpc.ssl_channel_credentials((tmp_path / "ca.crt").read_bytes())
        with grpc.secure_channel(server.match, credentials) as channel:
            stub = match_pb2_grpc.MatchServiceStub(channel)
            assert stub.Check(check(message(0)), timeout=TIMEOUT_S).verdict
