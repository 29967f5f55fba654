"""`MatchService` and `ReviewService` as callers see them, on a real server process."""

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from bench.running import RunningServer
from firstseen.v1 import match_pb2, match_pb2_grpc, review_pb2, review_pb2_grpc, types_pb2
from tests.server.worlds import check, item_of, message, pdq, raw_call, raw_stream, trailer, value

TIMEOUT_S = 10.0
UNLISTED = 1_000

BY_VERDICT = {
    types_pb2.VERDICT_KNOWN: message(0),
    types_pb2.VERDICT_NOVEL: message(UNLISTED),
    types_pb2.VERDICT_UNSURE: message(UNLISTED, quality=3),
    types_pb2.VERDICT_UNSUPPORTED: item_of(
        [types_pb2.Hash(type=types_pb2.HASH_TYPE_TEXT_SHA256, value=value(0))]
    ),
}


def near(number: int, flipped_bits: int) -> bytes:
    """The value with its first bits flipped."""
    mask = ((1 << flipped_bits) - 1) << (256 - flipped_bits)
    return (int.from_bytes(value(number)) ^ mask).to_bytes(32)


@pytest.mark.parametrize(("verdict", "item"), BY_VERDICT.items())
def test_item_is_checked_has_its_verdict(
    match: match_pb2_grpc.MatchServiceStub, verdict: types_pb2.Verdict, item: types_pb2.Item
) -> None:
    answer = match.Check(check(item), timeout=TIMEOUT_S)
    assert answer.verdict == verdict
    assert (answer.checkpoint.sequence, answer.checkpoint.entry_count) == (2, 3)


def test_near_copy_at_the_limit_is_known_and_beyond_it_novel(
    match: match_pb2_grpc.MatchServiceStub,
) -> None:
    at, beyond = (item_of([pdq(near(1, bits))]) for bits in (31, 32))
    assert match.Check(check(at), timeout=TIMEOUT_S).verdict == types_pb2.VERDICT_KNOWN
    assert match.Check(check(beyond), timeout=TIMEOUT_S).verdict == types_pb2.VERDICT_NOVEL


def test_every_verdict_has_the_same_bytes_and_trailers_but_one(running: RunningServer) -> None:
    with grpc.insecure_channel(running.match) as channel:
        raw = raw_call(channel, "/firstseen.v1.MatchService/Check")
        answers, around = [], set()
        for item in BY_VERDICT.values():
            body, call = raw.with_call(check(item).SerializeToString(), timeout=TIMEOUT_S)
            answers.append(body)
            around.add((repr(call.initial_metadata()), repr(call.trailing_metadata())))
    assert len({len(body) for body in answers}) == 1
    assert len({body[2:] for body in answers}) == 1  # all after the verdict's two bytes
    assert len(around) == 1


@pytest.mark.parametrize("timeout_s", [None, 30 * 24 * 3600.0])
def test_call_without_a_deadline_is_refused(
    match: match_pb2_grpc.MatchServiceStub, timeout_s: float | None
) -> None:
    calls: list[Any] = [
        lambda: match.Check(check(message(0)), timeout=timeout_s),
        lambda: match.GetPolicy(match_pb2.GetPolicyRequest(), timeout=timeout_s),
        lambda: list(match.CheckStream(iter(()), timeout=timeout_s)),
    ]
    for call in calls:
        with pytest.raises(grpc.RpcError) as caught:
            call()
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert caught.value.details() == "deadline: required"


def test_wrong_field_is_named_in_text_and_details(match: match_pb2_grpc.MatchServiceStub) -> None:
    item = item_of([pdq(value(0)), pdq(b"short")])
    with pytest.raises(grpc.RpcError) as caught:
        match.Check(check(item), timeout=TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "hashes[1].value: 5 bytes, want 32"
    status = status_pb2.Status.FromString(trailer(caught.value))
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "hashes[1].value"


def test_message_of_another_kind_is_refused(running: RunningServer) -> None:
    with grpc.insecure_channel(running.match) as channel:
        raw = raw_call(channel, "/firstseen.v1.MatchService/Check")
        with pytest.raises(grpc.RpcError) as caught:
            raw(b"\x0a\xff\xff", timeout=TIMEOUT_S)
        unknown = raw_call(channel, "/firstseen.v1.MatchService/Absent")
        with pytest.raises(grpc.RpcError) as absent:
            unknown(b"", timeout=TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == "message: not what this method takes"
    assert absent.value.code() is grpc.StatusCode.UNIMPLEMENTED


def requests(items: list[types_pb2.Item]) -> Iterator[match_pb2.CheckStreamRequest]:
    for tag, item in enumerate(items):
        yield match_pb2.CheckStreamRequest(tag=tag, item=item)


def test_stream_answers_in_order_and_goes_on_after_a_refused_item(
    match: match_pb2_grpc.MatchServiceStub,
) -> None:
    items = [message(i % 6) for i in range(1_000)]
    items[500] = item_of([pdq(b"short")])
    answers = list(match.CheckStream(requests(items), timeout=60))
    assert [answer.tag for answer in answers] == list(range(1_000))
    assert all(answer.HasField("tag") for answer in answers)
    refused = answers.pop(500)
    assert refused.error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0]
    assert refused.error.message == "hashes[0].value: 5 bytes, want 32"
    assert [a.answer.verdict == types_pb2.VERDICT_KNOWN for a in answers] == [
        a.tag % 6 < 3 for a in answers
    ]


def test_stream_of_garbage_ends_with_the_right_status(running: RunningServer) -> None:
    with grpc.insecure_channel(running.match) as channel:
        raw = raw_stream(channel, "/firstseen.v1.MatchService/CheckStream")
        good = match_pb2.CheckStreamRequest(tag=7, item=message(0)).SerializeToString()
        answers = raw(iter([good, b"\x12\xff\xff"]), timeout=TIMEOUT_S)
        assert match_pb2.CheckStreamResponse.FromString(next(answers)).tag == 7
        with pytest.raises(grpc.RpcError) as caught:
            next(answers)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_other_calls_are_answered_while_a_stream_is_full(
    match: match_pb2_grpc.MatchServiceStub,
) -> None:
    # Nobody reads this stream's answers, so the server stops taking its items.
    stream = match.CheckStream(requests([message(0)] * 20_000), timeout=60)
    for _ in range(50):
        assert match.Check(check(message(0)), timeout=TIMEOUT_S).verdict
    assert next(stream).tag == 0
    stream.cancel()


def test_policy_says_types_limits_and_checkpoint(match: match_pb2_grpc.MatchServiceStub) -> None:
    policy = match.GetPolicy(match_pb2.GetPolicyRequest(), timeout=TIMEOUT_S)
    by_media = {m.media_type: [h.type for h in m.hashes] for m in policy.media}
    assert by_media == {
        types_pb2.MEDIA_TYPE_IMAGE: [1, 2, 3, 4],
        types_pb2.MEDIA_TYPE_VIDEO: [1, 2, 3, 4],
        types_pb2.MEDIA_TYPE_DOCUMENT: [1, 2, 3, 32, 33, 34, 36],  # a wrapped picture's, too
    }
    first = policy.media[0].hashes[0]
    assert (first.size_bits, first.max_distance_bits, first.min_quality) == (256, 31, 50)
    limits = policy.limits
    assert (limits.max_hashes_per_item, limits.max_items_in_flight) == (4_096, 256)
    assert limits.max_message_bytes == 524_288
    assert policy.checkpoint.sequence == 2
    assert policy.list_age_ms < 10_000


def test_explain_says_distance_bank_and_labels(
    review: review_pb2_grpc.ReviewServiceStub,
) -> None:
    item = item_of([pdq(value(UNLISTED)), pdq(near(1, 10)), pdq(value(1))])
    answer = review.Explain(review_pb2.ExplainRequest(item=item), timeout=TIMEOUT_S)
    assert answer.verdict == types_pb2.VERDICT_KNOWN
    assert [(m.distance_bits, m.hash_index) for m in answer.matches] == [(0, 2), (10, 1)]
    nearest = answer.matches[0]
    assert (nearest.bank, nearest.role) == ("REMOVED", review_pb2.BANK_ROLE_KNOWN)
    assert (nearest.labels.reference, nearest.labels.severity) == ("case 1", 3)
    limited = review.Explain(review_pb2.ExplainRequest(item=item, max_matches=1), timeout=TIMEOUT_S)
    assert (len(limited.matches), limited.match_count) == (1, 2)


def test_explain_is_asked_for_too_many_matches_is_a_limit(
    review: review_pb2_grpc.ReviewServiceStub,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        review.Explain(
            review_pb2.ExplainRequest(item=message(0), max_matches=1_001), timeout=TIMEOUT_S
        )
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert caught.value.details() == "max_matches: want at most 1000"


def referral(tag: int, item: types_pb2.Item) -> review_pb2.Referral:
    return review_pb2.Referral(tag=tag, item=item)


def test_what_was_never_seen_comes_first_and_what_is_known_last(
    review: review_pb2_grpc.ReviewServiceStub,
) -> None:
    referrals = [
        referral(1, message(0)),
        referral(2, BY_VERDICT[types_pb2.VERDICT_UNSUPPORTED]),
        referral(3, BY_VERDICT[types_pb2.VERDICT_UNSURE]),
        referral(4, item_of([pdq(near(1, 40))])),
        referral(5, message(UNLISTED)),
        referral(6, message(UNLISTED + 1)),
    ]
    request = review_pb2.PrioritiseRequest(referrals=referrals)
    answer = review.Prioritise(request, timeout=TIMEOUT_S)
    assert [p.tag for p in answer.priorities] == [5, 6, 4, 3, 2, 1]
    assert [p.is_near for p in answer.priorities] == [False, False, True, False, False, False]
    assert [p.severity for p in answer.priorities] == [0, 0, 3, 0, 0, 3]
    assert [p.verdict for p in answer.priorities][2:] == [
        types_pb2.VERDICT_NOVEL,
        types_pb2.VERDICT_UNSURE,
        types_pb2.VERDICT_UNSUPPORTED,
        types_pb2.VERDICT_KNOWN,
    ]
    assert answer.checkpoint.sequence == 2
    assert not review.Prioritise(review_pb2.PrioritiseRequest(), timeout=TIMEOUT_S).priorities


@pytest.mark.parametrize(
    ("referrals", "code", "text"),
    [
        (
            [referral(1, message(0)), referral(2, item_of([]))],
            grpc.StatusCode.INVALID_ARGUMENT,
            "referrals[1].item.hashes: empty",
        ),
        (
            [referral(1, item_of([pdq(bytes(3))]))],
            grpc.StatusCode.INVALID_ARGUMENT,
            "referrals[0].item.hashes[0].value: 3 bytes",
        ),
        ([referral(1, message(0))] * 101, grpc.StatusCode.RESOURCE_EXHAUSTED, "101 referrals"),
    ],
)
def test_referral_that_is_no_good_is_named(
    review: review_pb2_grpc.ReviewServiceStub,
    referrals: list[review_pb2.Referral],
    code: grpc.StatusCode,
    text: str,
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        review.Prioritise(review_pb2.PrioritiseRequest(referrals=referrals), timeout=TIMEOUT_S)
    assert caught.value.code() is code
    assert text in (caught.value.details() or "")


def test_hash_beyond_the_limit_is_near_for_a_reviewer_and_nothing_for_others(
    match: match_pb2_grpc.MatchServiceStub, review: review_pb2_grpc.ReviewServiceStub
) -> None:
    item = item_of([pdq(near(1, 44))])
    assert match.Check(check(item), timeout=TIMEOUT_S).verdict == types_pb2.VERDICT_NOVEL
    answer = review.Explain(review_pb2.ExplainRequest(item=item), timeout=TIMEOUT_S)
    assert answer.verdict == types_pb2.VERDICT_NOVEL
    assert [(m.strength, m.distance_bits) for m in answer.matches] == [
        (review_pb2.STRENGTH_NEAR, 44)
    ]
    beyond = review_pb2.ExplainRequest(item=item_of([pdq(near(1, 45))]))
    assert not review.Explain(beyond, timeout=TIMEOUT_S).matches


def test_review_is_not_on_the_public_listener(running: RunningServer) -> None:
    with grpc.insecure_channel(running.match) as channel:
        stub = review_pb2_grpc.ReviewServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.Explain(review_pb2.ExplainRequest(item=message(0)), timeout=TIMEOUT_S)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_health_and_reflection_answer_on_both_listeners(running: RunningServer) -> None:
    for address, name in (
        (running.match, "firstseen.v1.MatchService"),
        (running.review, "firstseen.v1.ReviewService"),
    ):
        with grpc.insecure_channel(address) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            for service in ("", name):
                request = health_pb2.HealthCheckRequest(service=service)
                status = health.Check(request, timeout=TIMEOUT_S).status
                assert status == health_pb2.HealthCheckResponse.SERVING
            absent = health_pb2.HealthCheckRequest(service="absent")
            with pytest.raises(grpc.RpcError) as caught:
                health.Check(absent, timeout=TIMEOUT_S)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            reflection = reflection_pb2_grpc.ServerReflectionStub(channel)
            listing = reflection_pb2.ServerReflectionRequest(list_services="")
            answer = next(reflection.ServerReflectionInfo(iter([listing]), timeout=TIMEOUT_S))
            assert name in [s.name for s in answer.list_services_response.service]
