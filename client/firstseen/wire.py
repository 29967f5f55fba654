"""Between the values of this package and the messages of `firstseen.v1`.

A message is never formatted: its text form shows hashes.
"""

from collections.abc import Iterable
from typing import Final, cast

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from firstseen.callee import Callee
from firstseen.errors import (
    CallError,
    DeadlineError,
    DeniedError,
    InvalidItemError,
    LimitExceededError,
    ServerError,
    UnavailableError,
)
from firstseen.items import Answer, Checkpoint, HashType, Item, MediaType, Policy, Verdict
from firstseen.v1 import match_pb2, types_pb2

# In what grpcio says of the calls of a channel that its own program closes.
_CLOSED_HERE: Final = "Channel closed!"
_DETAILS_KEY: Final = "grpc-status-details-bin"
_HASH_TYPES: Final = frozenset(int(hash_type) for hash_type in HashType)
_MEDIA_TYPES: Final = frozenset(int(media_type) for media_type in MediaType)
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


def to_item(item: Item) -> types_pb2.Item:
    """The message of an item."""
    return types_pb2.Item(
        media_type=cast("types_pb2.MediaType", int(item.media_type)),
        hashes=[
            types_pb2.Hash(
                type=cast("types_pb2.HashType", int(hash_.type)),
                value=bytes(hash_.value),
                quality=hash_.quality,
                frame_offset_ms=hash_.frame_offset_ms,
                page_index=hash_.page_index,
            )
            for hash_ in item.hashes
        ],
    )


def from_answer(answer: match_pb2.CheckResponse) -> Answer:
    """The verdict in a message.

    Raises:
        ServerError: there is none that this client knows.
    """
    return Answer(from_verdict(answer.verdict), from_checkpoint(answer.checkpoint))


def from_verdict(number: int) -> Verdict:
    """The verdict of a number.

    Raises:
        ServerError: this client does not know it.
    """
    try:
        return Verdict(number)
    except ValueError:
        raise ServerError("the server's verdict is unknown to this client") from None


def from_checkpoint(checkpoint: types_pb2.Checkpoint) -> Checkpoint:
    """The checkpoint in a message."""
    return Checkpoint(checkpoint.sequence, checkpoint.entry_count, checkpoint.digest)


def from_policy(policy: match_pb2.GetPolicyResponse) -> Policy:
    """The policy in a message; media and hash types of a later version are left out."""
    judged = {
        MediaType(int(media.media_type)): frozenset(
            HashType(int(hash_.type)) for hash_ in media.hashes if int(hash_.type) in _HASH_TYPES
        )
        for media in policy.media
        if int(media.media_type) in _MEDIA_TYPES
    }
    limits = policy.limits
    return Policy(
        judged,
        limits.max_hashes_per_item,
        limits.max_items_in_flight,
        limits.max_message_bytes,
        from_checkpoint(policy.checkpoint),
        policy.list_age_ms,
    )


def from_outcome(response: match_pb2.CheckStreamResponse) -> Answer | CallError:
    """What a stream says of one item."""
    match response.WhichOneof("outcome"):
        case "answer":
            return from_answer(response.answer)
        case "error":
            return _error(_CODES.get(response.error.code), response.error.message, response.error)
        case _:
            return ServerError("the server answered nothing")


def from_rpc_error(error: grpc.RpcError, callee: Callee) -> CallError:
    """The error of a call that failed."""
    # What grpc raises is a call too; its class says so only at run time.
    call: grpc.Call = error  # type: ignore[assignment]
    code, text = call.code(), call.details() or ""
    status = _details(call.trailing_metadata() or ())
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(callee.service)
    if code is grpc.StatusCode.UNAVAILABLE and not status.message:
        return UnavailableError(callee.not_reached(text), _retry_after_ms(status))
    return _error(code, text, status)


def _details(trailers: Iterable[tuple[str, str | bytes]]) -> status_pb2.Status:
    for key, value in trailers:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def _error(code: grpc.StatusCode | None, text: str, status: status_pb2.Status) -> CallError:
    match code:
        case grpc.StatusCode.INVALID_ARGUMENT:
            error: CallError = InvalidItemError(text or "the item is refused", _field(status))
        case grpc.StatusCode.RESOURCE_EXHAUSTED:
            error = LimitExceededError(text or "the item is too large", _field(status))
        case grpc.StatusCode.UNAVAILABLE:
            error = UnavailableError(text or "not available", _retry_after_ms(status))
        case grpc.StatusCode.CANCELLED if _CLOSED_HERE not in text:
            # gRPC's core ends calls so that reach a server in the moment in which it goes down.
            error = UnavailableError("the server is going down")
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            error = DeadlineError("no answer in time")
        case grpc.StatusCode.PERMISSION_DENIED | grpc.StatusCode.UNAUTHENTICATED:
            error = DeniedError(text or "not allowed to call")
        case None:
            error = ServerError("the server's status is unknown to this client")
        case _:
            error = ServerError(f"{code.name}: {text}")
    return error


def _field(status: status_pb2.Status) -> str:
    request = error_details_pb2.BadRequest()
    if _unpack(status, request) and request.field_violations:
        return str(request.field_violations[0].field)
    return ""


def _retry_after_ms(status: status_pb2.Status) -> int | None:
    info = error_details_pb2.RetryInfo()
    # Less than nothing is what only a broken server asks for.
    return max(0, info.retry_delay.ToMilliseconds()) if _unpack(status, info) else None


def _unpack(status: status_pb2.Status, detail: Message) -> bool:
    """Takes the detail of this kind out of a status; False when it has none."""
    for packed in status.details:
        if packed.Is(detail.DESCRIPTOR):
            try:
                return bool(packed.Unpack(detail))
            except DecodeError:
                return False
    return False
