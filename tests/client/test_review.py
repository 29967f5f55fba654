"""The review client over mutual TLS, against a server that says what a test tells it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest

from firstseen import (
    Hash,
    HashType,
    HashValue,
    Item,
    MediaType,
    Options,
    Priority,
    ReviewClient,
    ServerError,
    Strength,
    Tls,
    UnavailableError,
    Verdict,
)
from firstseen.cli import main
from firstseen.v1 import review_pb2, review_pb2_grpc, types_pb2
from tests.client.certificates import Pair, make_pair
from tests.client.scripted_server import CHECKPOINT, unavailable

QUICK = Options(deadline_ms=5_000, first_backoff_ms=1, max_backoff_ms=2)
ITEM = Item(MediaType.IMAGE, (Hash(HashType.PDQ, HashValue(bytes(range(32))), 80),))


def explanation() -> review_pb2.ExplainResponse:
    labels = review_pb2.Labels(category="c", severity=4, source="s", reference="r")
    match = review_pb2.Match(
        entry_id=11, item_id=12, bank="REMOVED", role=review_pb2.BANK_ROLE_KNOWN,
        type=types_pb2.HASH_TYPE_PDQ, distance_bits=30, hash_index=5, labels=labels,
        strength=review_pb2.STRENGTH_MATCH, query_percent=70, listed_percent=30,
    )  # fmt: skip
    cleared = review_pb2.Match(
        role=review_pb2.BANK_ROLE_CLEARED,
        type=types_pb2.HASH_TYPE_MD5,
        strength=review_pb2.STRENGTH_NEAR,
    )
    return review_pb2.ExplainResponse(
        verdict=types_pb2.VERDICT_KNOWN,
        checkpoint=CHECKPOINT,
        matches=[match, cleared],
        match_count=9,
    )


class Reviewer(review_pb2_grpc.ReviewServiceServicer):
    """Answers `answer`, after as many refusals as `refusals`."""

    def __init__(self) -> None:
        self.answer = explanation()
        self.refusals = 0
        self.asked: list[review_pb2.ExplainRequest] = []

    def Explain(self, request: Any, context: Any) -> review_pb2.ExplainResponse:
        self.asked.append(request)
        if self.refusals:
            self.refusals -= 1
            unavailable().end(context)
        return self.answer

    def Prioritise(self, request: Any, context: Any) -> review_pb2.PrioritiseResponse:
        return review_pb2.PrioritiseResponse(
            priorities=[
                review_pb2.Priority(
                    tag=referral.tag, verdict=types_pb2.VERDICT_NOVEL, is_near=True, severity=7
                )
                for referral in reversed(request.referrals)
            ],
            checkpoint=CHECKPOINT,
        )


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pair]:
    folder = tmp_path_factory.mktemp("certificates")
    return {name: make_pair(folder, name) for name in ("server", "reviewer", "stranger")}


@pytest.fixture
def reviewer() -> Reviewer:
    return Reviewer()


@pytest.fixture
def address(reviewer: Reviewer, pairs: dict[str, Pair]) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    review_pb2_grpc.add_ReviewServiceServicer_to_server(reviewer, server)
    own = (pairs["server"].key.read_bytes(), pairs["server"].certificate.read_bytes())
    credentials = grpc.ssl_server_credentials(
        [own], pairs["reviewer"].certificate.read_bytes(), require_client_auth=True
    )
    port = server.add_secure_port("localhost:0", credentials)
    server.start()
    try:
        yield f"localhost:{port}"
    finally:
        server.stop(None).wait()


def tls(pairs: dict[str, Pair], name: str) -> Tls:
    roots = pairs["server"].certificate.read_bytes()
    return Tls(roots, pairs[name].key.read_bytes(), pairs[name].certificate.read_bytes())


def test_allowed_reviewer_is_told_the_matches(
    address: str, reviewer: Reviewer, pairs: dict[str, Pair]
) -> None:
    reviewer.refusals = 2
    with ReviewClient(address, tls(pairs, "reviewer"), QUICK) as client:
        found = client.explain(ITEM, max_matches=2)
    assert (found.verdict, found.match_count) == (Verdict.KNOWN, 9)
    assert found.checkpoint.sequence == CHECKPOINT.sequence
    first, second = found.matches
    assert (first.entry_id, first.item_id, first.bank, first.cleared) == (11, 12, "REMOVED", False)
    assert (first.type, first.distance_bits, first.hash_index) == (HashType.PDQ, 30, 5)
    assert (first.strength, second.strength) == (Strength.MATCH, Strength.NEAR)
    assert (first.query_percent, first.listed_percent) == (70, 30)
    assert (first.category, first.severity, first.source, first.reference) == ("c", 4, "s", "r")
    assert (second.cleared, second.type) == (True, HashType.MD5)
    assert len(reviewer.asked) == 3
    assert reviewer.asked[0].max_matches == 2


def test_order_of_referrals_is_the_servers(address: str, pairs: dict[str, Pair]) -> None:
    with ReviewClient(address, tls(pairs, "reviewer"), QUICK) as client:
        found = client.prioritise([ITEM, ITEM, ITEM])
    assert found == tuple(Priority(index, Verdict.NOVEL, True, 7) for index in (2, 1, 0))


def test_certificate_that_the_server_does_not_know_reaches_nobody(
    address: str, reviewer: Reviewer, pairs: dict[str, Pair]
) -> None:
    options = Options(deadline_ms=3_000, first_backoff_ms=1, max_backoff_ms=2)
    with (
        ReviewClient(address, tls(pairs, "stranger"), options) as client,
        pytest.raises(UnavailableError),
    ):
        client.explain(ITEM)
    assert reviewer.asked == []


def test_hash_type_of_a_later_version_is_no_match(
    address: str, reviewer: Reviewer, pairs: dict[str, Pair]
) -> None:
    later: Any = 47
    reviewer.answer.matches[0].type = later
    with (
        ReviewClient(address, tls(pairs, "reviewer"), QUICK) as client,
        pytest.raises(ServerError, match="unknown to this client"),
    ):
        client.explain(ITEM)


def test_officers_command_asks_with_a_certificate(
    address: str,
    pairs: dict[str, Pair],
    photos: tuple[Path, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    authority = tmp_path / "ca.pem"  # a comment need not be ASCII
    authority.write_bytes("# Főtanúsítvány\n".encode() + pairs["server"].certificate.read_bytes())
    words = [str(photos[0]), "--server", address, "--ca", str(authority)]
    words += ["--cert", str(pairs["reviewer"].certificate), "--key", str(pairs["reviewer"].key)]
    assert main(["explain", *words]) == 0
    assert "item 12 of REMOVED, pdq 30 bits apart, 70 % of it" in capsys.readouterr().out
    assert main(["prioritise", *words]) == 0
    assert capsys.readouterr().out.split()[:5] == ["1", "NOVEL", "near,", "severity", "7"]
    assert main(["check", *words]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"firstseen: {address}: no checks are answered here, as at the unit's")
    assert err.endswith("call the reporters' port (match.listen)\n")
