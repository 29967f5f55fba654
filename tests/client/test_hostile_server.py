"""Servers, names and options that mean no good, or are broken."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from firstseen import (
    AsyncClient,
    Client,
    DeadlineError,
    FileAnswer,
    Hash,
    HashType,
    Options,
    Plaintext,
    ServerError,
    UnavailableError,
    Verdict,
)
from firstseen.attempts import Attempts
from firstseen.cli import main
from firstseen.v1 import match_pb2, types_pb2
from tests.client.certificates import make_pair
from tests.client.scripted_server import Refusal, Script, invalid, policy, serving, unavailable

QUICK = Options(deadline_ms=5_000, first_backoff_ms=1, max_backoff_ms=2, batch_wait_ms=60_000)
SHA256 = types_pb2.HASH_TYPE_SHA256


@pytest.fixture
def script() -> Script:
    whole = policy(types_pb2.HASH_TYPE_PDQ, SHA256)
    whole.media.add(
        media_type=types_pb2.MEDIA_TYPE_DOCUMENT, hashes=[match_pb2.HashPolicy(type=SHA256)]
    )
    return Script(whole)


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with serving(script) as bound:
        yield bound


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    made = [tmp_path / f"{number}.pdf" for number in range(4)]
    for path in made:
        path.write_text(f"A text in {path.name}.")
    return made


def test_server_that_asks_for_less_than_no_wait_is_asked_again(
    address: str, script: Script, paths: list[Path]
) -> None:
    script.check_steps = [unavailable(-60_000)]
    with Client(address, Plaintext(), QUICK) as client:
        assert client.check_file(paths[0]).verdict is Verdict.KNOWN
    assert len(script.checked) == 2


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_answers_from_before_a_failure_are_given(
    kind: str, address: str, script: Script, paths: list[Path]
) -> None:
    script.item_steps = {2: Refusal(grpc.StatusCode.INTERNAL, "internal error")}
    got: list[FileAnswer] = []

    async def run() -> None:
        async with AsyncClient(address, Plaintext(), QUICK) as client:
            async for answer in client.check_many(paths):
                got.append(answer)  # noqa: PERF401  what came before the error counts

    def run_sync() -> None:
        with Client(address, Plaintext(), QUICK) as client:
            got.extend(iter(client.check_many(paths)))

    with pytest.raises(ServerError, match="internal error"):
        run_sync() if kind == "sync" else asyncio.run(run())
    assert [answer.path for answer in got] == paths[:2]
    assert all(answer.answer for answer in got)


def test_plain_bytes_in_a_hash_do_not_show() -> None:
    plain: object = b"secret"
    hash_ = Hash(HashType.PDQ, plain, 1)  # type: ignore[arg-type]
    assert "secret" not in repr(hash_)
    assert hash_.value == b"secret"


def test_what_a_server_says_reaches_a_terminal_without_control_characters(
    address: str, script: Script, paths: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", str(paths[0]), "--server", address, "--plaintext"]
    evil = "\x1b]0;owned\x07\rnothing\nwrong"
    script.policy_steps = [Refusal(grpc.StatusCode.PERMISSION_DENIED, evil)]
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert not set(out + err[:-1]) & set("\x1b\x07\r\n")
    script.item_steps = {0: invalid(evil)}
    assert main(words) == 1
    out, err = capsys.readouterr()
    assert not set(out + err) & set("\x1b\x07\r")
    assert "owned" in out


@pytest.mark.parametrize("seconds", ["nan", "inf", "1e30", "-1", "86401"])
def test_timeout_that_is_none_is_wrong_use(
    seconds: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["check", "a.jpg", "--server", "localhost:1", "--timeout", seconds])
    assert stop.value.code == 2
    assert "--timeout" in capsys.readouterr().err


@pytest.mark.parametrize("content", [b"", b"garbage", b"\xff\xfe"])
def test_file_that_is_no_certificate_is_wrong_use(
    content: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(SystemExit) as stop:
        main(["check", "a.jpg", "--server", "localhost:1", "--ca", str(tmp_path / "ca.pem")])
    assert stop.value.code == 2
    assert "not PEM" in capfd.readouterr().err


def test_key_of_another_certificate_is_wrong_use(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    one, other = make_pair(tmp_path, "one"), make_pair(tmp_path, "other")
    words = ["--cert", str(one.certificate), "--key", str(other.key)]
    with pytest.raises(SystemExit) as stop:
        main(["check", "a.jpg", "--server", "localhost:1", *words])
    assert stop.value.code == 2
    assert "not the certificate's" in capfd.readouterr().err


def test_command_without_words_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "firstseen check picture.jpg" in capsys.readouterr().out


def test_deadline_during_another_attempt_says_what_was_wrong_before() -> None:
    attempts = Attempts(QUICK, lambda: 0.0, lambda: 0.0)
    with pytest.raises(DeadlineError):
        attempts.pause_s(DeadlineError("no answer in time"))
    attempts.pause_s(UnavailableError("the server cannot be reached"))
    with pytest.raises(UnavailableError, match="reached"):
        attempts.pause_s(DeadlineError("no answer in time"))
