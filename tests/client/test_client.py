"""The clients, sync and async, against a server that follows a script."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from firstseen import (
    Answer,
    AsyncClient,
    Client,
    DeadlineError,
    DeniedError,
    FileAnswer,
    Hash,
    HashType,
    HashValue,
    InvalidItemError,
    Item,
    LimitExceededError,
    MediaError,
    MediaType,
    Options,
    Plaintext,
    Policy,
    ServerError,
    Tls,
    UnavailableError,
    Verdict,
)
from firstseen.hashing.file import hash_file
from firstseen.v1 import match_pb2, types_pb2
from tests.client.scripted_server import (
    CHECKPOINT,
    Refusal,
    Script,
    invalid,
    policy,
    serving,
    unavailable,
)

PDQ, SHA256 = types_pb2.HASH_TYPE_PDQ, types_pb2.HASH_TYPE_SHA256
QUICK = Options(deadline_ms=5_000, first_backoff_ms=1, max_backoff_ms=2, batch_wait_ms=60_000)
ITEM = Item(
    MediaType.IMAGE,
    (
        Hash(HashType.PDQ, HashValue(bytes(range(32))), 80),
        Hash(HashType.SHA256, HashValue(bytes(range(100, 132)))),
        Hash(HashType.MD5, HashValue(bytes(range(16)))),
    ),
)


class Asker:
    """One of the two clients, asked as if it were the sync one."""

    def __init__(self, kind: str, address: str, options: Options = QUICK) -> None:
        self._kind = kind
        self._address = address
        self._options = options

    def check(self, item: Item = ITEM, times: int = 1) -> list[Answer]:
        if self._kind == "sync":
            with Client(self._address, Plaintext(), self._options) as client:
                return [client.check(item) for _ in range(times)]

        async def run() -> list[Answer]:
            async with AsyncClient(self._address, Plaintext(), self._options) as client:
                return [await client.check(item) for _ in range(times)]

        return asyncio.run(run())

    def check_many(self, paths: list[Path]) -> list[FileAnswer]:
        if self._kind == "sync":
            with Client(self._address, Plaintext(), self._options) as client:
                return list(client.check_many(paths))

        async def run() -> list[FileAnswer]:
            async with AsyncClient(self._address, Plaintext(), self._options) as client:
                return [answer async for answer in client.check_many(paths)]

        return asyncio.run(run())

    def check_file(self, path: Path) -> Answer:
        if self._kind == "sync":
            with Client(self._address, Plaintext(), self._options) as client:
                return client.check_file(path)

        async def run() -> Answer:
            async with AsyncClient(self._address, Plaintext(), self._options) as client:
                return await client.check_file(path)

        return asyncio.run(run())

    def policy(self) -> Policy:
        if self._kind == "sync":
            with Client(self._address, Plaintext(), self._options) as client:
                return client.policy()

        async def run() -> Policy:
            async with AsyncClient(self._address, Plaintext(), self._options) as client:
                return await client.policy()

        return asyncio.run(run())


@pytest.fixture
def script() -> Script:
    return Script(policy(PDQ, SHA256))


@pytest.fixture
def address(script: Script) -> Iterator[str]:
    with serving(script) as bound:
        yield bound


@pytest.fixture(params=["sync", "async"])
def asker(request: pytest.FixtureRequest, address: str) -> Asker:
    return Asker(request.param, address)


@pytest.fixture
def files(tmp_path: Path) -> Callable[[int], list[Path]]:
    def make(count: int) -> list[Path]:
        paths = [tmp_path / f"{number}.pdf" for number in range(count)]
        for path in paths:
            path.write_text(f"A text in {path.name}.")
        hash_file(paths[0])  # loads its libraries, which would count as time of the first batch
        return paths

    return make


@pytest.fixture
def documents(script: Script) -> Script:
    """The script, for a server that judges documents."""
    media = match_pb2.MediaPolicy(
        media_type=types_pb2.MEDIA_TYPE_DOCUMENT, hashes=[match_pb2.HashPolicy(type=SHA256)]
    )
    script.policy.media.append(media)
    return script


def test_only_judged_hashes_are_sent_and_the_policy_is_asked_once(
    asker: Asker, script: Script
) -> None:
    answers = asker.check(times=3)
    assert [answer.verdict for answer in answers] == [Verdict.KNOWN] * 3
    assert answers[0].checkpoint.sequence == CHECKPOINT.sequence
    assert script.policies == 1
    sent = script.checked[0]
    assert [(h.type, h.value) for h in sent.hashes] == [
        (PDQ, ITEM.hashes[0].value),
        (SHA256, ITEM.hashes[1].value),
    ]
    assert (sent.hashes[0].quality, sent.hashes[1].HasField("quality")) == (80, False)


def test_what_is_not_judged_is_unsupported_and_nothing_is_sent(
    asker: Asker, script: Script
) -> None:
    video = Item(MediaType.VIDEO, ITEM.hashes)
    assert asker.check(video)[0].verdict is Verdict.UNSUPPORTED
    assert script.checked == []


def test_policy_of_a_later_version_is_understood(asker: Asker, script: Script) -> None:
    later: Any = 47
    script.policy.media[0].hashes.add(type=later)
    script.policy.media.add(media_type=later)
    assert asker.policy().judged == {MediaType.IMAGE: {HashType.PDQ, HashType.SHA256}}
    assert asker.policy().max_items_in_flight == 256


def test_unavailable_is_tried_again(asker: Asker, script: Script) -> None:
    script.check_steps = [unavailable(), unavailable(2), unavailable()]
    assert asker.check()[0].verdict is Verdict.KNOWN
    assert len(script.checked) == 4
    assert all(left_s < QUICK.deadline_ms / 1000 + 1 for left_s in script.remaining_s)


def test_call_cancelled_by_a_server_that_goes_down_is_tried_again(
    asker: Asker, script: Script
) -> None:
    script.check_steps = [Refusal(grpc.StatusCode.CANCELLED, "CANCELLED")]
    assert asker.check()[0].verdict is Verdict.KNOWN
    assert len(script.checked) == 2


def test_client_is_closed_in_a_call_the_call_ends_and_is_not_tried_again(
    script: Script, address: str
) -> None:
    client = Client(address, Plaintext(), Options(deadline_ms=20_000))
    client.policy()

    def close_and_wait(_: Any, context: Any) -> match_pb2.CheckResponse:
        client.close()
        return _wait_for_the_end(context)

    script.check_steps = [close_and_wait]
    with pytest.raises(ServerError, match="Channel closed"):
        client.check(ITEM)
    assert len(script.checked) == 1


def test_unavailable_policy_is_tried_again(asker: Asker, script: Script) -> None:
    script.policy_steps = [unavailable(), unavailable()]
    assert asker.check()[0].verdict is Verdict.KNOWN
    assert script.policies == 3


def test_server_that_asks_for_more_patience_than_there_is_time_ends_the_call(
    asker: Asker, script: Script
) -> None:
    script.check_steps = [unavailable(60_000)]
    with pytest.raises(UnavailableError, match="not fresh") as caught:
        asker.check()
    assert caught.value.retry_after_ms == 60_000
    assert len(script.checked) == 1


@pytest.mark.parametrize(
    ("refusal", "error"),
    [
        (invalid("item.hashes[0].value"), InvalidItemError),
        (Refusal(grpc.StatusCode.RESOURCE_EXHAUSTED, "too many"), LimitExceededError),
        (Refusal(grpc.StatusCode.DEADLINE_EXCEEDED), DeadlineError),
        (Refusal(grpc.StatusCode.PERMISSION_DENIED, "who?"), DeniedError),
        (Refusal(grpc.StatusCode.UNAUTHENTICATED), DeniedError),
        (Refusal(grpc.StatusCode.INTERNAL, "internal error"), ServerError),
        (Refusal(grpc.StatusCode.UNIMPLEMENTED), ServerError),
    ],
)
def test_other_status_is_an_error_of_its_kind_at_once(
    asker: Asker, script: Script, refusal: Refusal, error: type[Exception]
) -> None:
    script.check_steps = [refusal]
    with pytest.raises(error) as caught:
        asker.check()
    assert type(caught.value) is error
    assert len(script.checked) == 1


def test_refused_item_names_the_field(asker: Asker, script: Script) -> None:
    script.check_steps = [invalid("item.hashes[0].value")]
    with pytest.raises(InvalidItemError) as caught:
        asker.check()
    assert caught.value.field == "item.hashes[0].value"


def test_details_that_are_garbage_change_nothing(asker: Asker, script: Script) -> None:
    def garbage(_: Any, context: Any) -> None:
        context.set_trailing_metadata((("grpc-status-details-bin", b"\xff\xff\xff"),))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, "refused")

    script.check_steps = [garbage]
    with pytest.raises(InvalidItemError, match="refused") as caught:
        asker.check()
    assert caught.value.field == ""


def test_verdict_of_a_later_version_is_no_verdict(asker: Asker, script: Script) -> None:
    later: Any = 9
    script.check_steps = [lambda *_: match_pb2.CheckResponse(verdict=later)]
    with pytest.raises(ServerError, match="unknown"):
        asker.check()


def test_answer_that_does_not_come_ends_with_the_deadline(script: Script, address: str) -> None:
    for kind in ("sync", "async"):
        script.check_steps = [lambda _, context: _wait_for_the_end(context)]
        options = Options(deadline_ms=300)
        with pytest.raises(DeadlineError):
            Asker(kind, address, options).check()


def _wait_for_the_end(context: Any) -> match_pb2.CheckResponse:
    ended = threading.Event()
    if context.add_callback(ended.set):
        ended.wait(30)
    return match_pb2.CheckResponse()


def test_nobody_there_is_unavailable() -> None:
    for kind in ("sync", "async"):
        with pytest.raises(UnavailableError, match="cannot be reached"):
            Asker(kind, "127.0.0.1:1", Options(deadline_ms=2_000, first_backoff_ms=1)).check()


def test_tls_client_does_not_talk_to_a_plaintext_server(address: str, script: Script) -> None:
    options = Options(deadline_ms=500, first_backoff_ms=1)
    with (
        Client(address, Tls(), options) as client,
        pytest.raises((UnavailableError, DeadlineError)),
    ):
        client.check(ITEM)
    assert script.policies == 0


def test_file_is_hashed_here_and_only_hashes_leave(
    asker: Asker, script: Script, photos: tuple[Path, ...]
) -> None:
    assert asker.check_file(photos[0]).verdict is Verdict.KNOWN
    sent = script.checked[0]
    assert [h.type for h in sent.hashes] == [PDQ] * 9 + [SHA256]
    assert sent.ByteSize() < 500


def test_files_are_answered_in_order_over_several_streams(
    script: Script, address: str, documents: Script, files: Callable[[int], list[Path]]
) -> None:
    paths = files(20)
    for kind in ("sync", "async"):
        script.streams.clear()
        answers = Asker(kind, address, replace(QUICK, batch_items=8)).check_many(paths)
        assert [answer.path for answer in answers] == paths
        assert all(a.answer and a.answer.verdict is Verdict.KNOWN for a in answers)
        assert [len(seen) for seen in script.streams] == [8, 8, 4]


def test_files_that_cannot_be_hashed_are_errors_in_their_place(
    asker: Asker, documents: Script, files: Callable[[int], list[Path]], tmp_path: Path
) -> None:
    paths = files(3)
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    paths[1:1] = [tmp_path / "bad.jpg", tmp_path / "none.jpg"]
    answers = asker.check_many(paths)
    assert [answer.path for answer in answers] == paths
    assert [type(a.error) for a in answers] == [
        type(None), MediaError, FileNotFoundError, type(None), type(None),
    ]  # fmt: skip
    assert [a.answer is None for a in answers] == [False, True, True, False, False]


def test_broken_stream_goes_on_with_what_was_not_answered(
    asker: Asker, documents: Script, files: Callable[[int], list[Path]]
) -> None:
    documents.stream_steps = [(3, unavailable()), (0, unavailable()), (2, unavailable())]
    answers = asker.check_many(files(8))
    assert all(a.answer for a in answers)
    assert [[r.tag for r in seen] for seen in documents.streams] == [
        [0, 1, 2], [], [3, 4], [5, 6, 7],
    ]  # fmt: skip


def test_refused_item_is_an_error_in_its_place_and_a_stale_one_is_asked_again(
    asker: Asker, documents: Script, files: Callable[[int], list[Path]]
) -> None:
    documents.item_steps = {1: invalid("item.hashes[0].value"), 2: unavailable()}
    answers = asker.check_many(files(4))
    assert [type(a.error) for a in answers] == [
        type(None), InvalidItemError, type(None), type(None),
    ]  # fmt: skip
    assert [[r.tag for r in seen] for seen in documents.streams] == [[0, 1, 2, 3], [2]]


def test_stream_that_ends_early_is_no_answer(
    asker: Asker, documents: Script, files: Callable[[int], list[Path]]
) -> None:
    documents.stream_steps = [(2, None), *[(0, None)] * 99]
    with pytest.raises((ServerError, UnavailableError), match=r"last answer|broke"):
        asker.check_many(files(4))


def test_files_without_a_judged_hash_are_unsupported(
    asker: Asker, script: Script, files: Callable[[int], list[Path]]
) -> None:
    answers = asker.check_many(files(2))
    assert [a.answer and a.answer.verdict for a in answers] == [Verdict.UNSUPPORTED] * 2
    assert script.streams == []


def test_no_files_need_no_server() -> None:
    assert Asker("sync", "127.0.0.1:1").check_many([]) == []


def test_many_files_are_taken_a_batch_at_a_time(
    address: str, documents: Script, files: Callable[[int], list[Path]]
) -> None:
    taken = 0

    def endless() -> Iterator[Path]:
        nonlocal taken
        (path,) = files(1)
        while True:
            taken += 1
            yield path

    with Client(address, Plaintext(), replace(QUICK, batch_items=4)) as client:
        answers = client.check_many(endless())
        for _ in range(5):
            next(answers)
    assert taken <= 8
