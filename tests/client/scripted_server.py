"""A real gRPC server that answers what a test tells it to."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2

from firstseen.v1 import match_pb2, match_pb2_grpc, types_pb2

CHECKPOINT = types_pb2.Checkpoint(sequence=7, entry_count=3, digest=bytes(32))


def known() -> match_pb2.CheckResponse:
    return match_pb2.CheckResponse(verdict=types_pb2.VERDICT_KNOWN, checkpoint=CHECKPOINT)


def policy(*hash_types: types_pb2.HashType) -> match_pb2.GetPolicyResponse:
    hashes = [match_pb2.HashPolicy(type=hash_type, size_bits=256) for hash_type in hash_types]
    image = match_pb2.MediaPolicy(media_type=types_pb2.MEDIA_TYPE_IMAGE, hashes=hashes)
    limits = match_pb2.Limits(
        max_hashes_per_item=1024, max_items_in_flight=256, max_message_bytes=262144
    )
    return match_pb2.GetPolicyResponse(media=[image], limits=limits, checkpoint=CHECKPOINT)


@dataclass(frozen=True)
class Refusal:
    """A status that ends a call."""

    code: grpc.StatusCode
    text: str = ""
    details: tuple[Any, ...] = ()

    def status(self) -> status_pb2.Status:
        status = status_pb2.Status(code=self.code.value[0], message=self.text)
        for detail in self.details:
            packed = any_pb2.Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status

    def end(self, context: Any) -> None:
        trailers = (("grpc-status-details-bin", self.status().SerializeToString()),)
        context.set_trailing_metadata(trailers)
        context.abort(self.code, self.text)


def unavailable(retry_ms: int | None = None) -> Refusal:
    details: tuple[Any, ...] = ()
    if retry_ms is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(retry_ms)
        details = (error_details_pb2.RetryInfo(retry_delay=delay),)
    return Refusal(grpc.StatusCode.UNAVAILABLE, "not fresh", details)


def invalid(field_path: str) -> Refusal:
    violation = error_details_pb2.BadRequest.FieldViolation(field=field_path, description="wrong")
    return Refusal(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"{field_path}: wrong",
        (error_details_pb2.BadRequest(field_violations=[violation]),),
    )


Step = Refusal | Callable[[Any, Any], Any]


@dataclass
class Script(match_pb2_grpc.MatchServiceServicer):
    """What the next calls are answered; a call beyond the script is answered KNOWN."""

    policy: match_pb2.GetPolicyResponse
    policy_steps: list[Step] = field(default_factory=list)
    check_steps: list[Step] = field(default_factory=list)
    # For the next streams: how many items to answer before the refusal that ends it.
    stream_steps: list[tuple[int, Refusal | None]] = field(default_factory=list)
    # By the number of a stream's item, in all streams, what to answer instead of KNOWN.
    item_steps: dict[int, Refusal] = field(default_factory=dict)
    policies: int = 0
    checked: list[types_pb2.Item] = field(default_factory=list)
    streams: list[list[match_pb2.CheckStreamRequest]] = field(default_factory=list)
    remaining_s: list[float] = field(default_factory=list)

    def GetPolicy(self, request: Any, context: Any) -> match_pb2.GetPolicyResponse:
        self.policies += 1
        if self.policy_steps:
            self._follow(self.policy_steps.pop(0), request, context)
        return self.policy

    def Check(self, request: Any, context: Any) -> match_pb2.CheckResponse:
        self.checked.append(request.item)
        self.remaining_s.append(context.time_remaining())
        if self.check_steps:
            found: match_pb2.CheckResponse = self._follow(self.check_steps.pop(0), request, context)
            return found
        return known()

    def CheckStream(
        self, requests: Iterator[match_pb2.CheckStreamRequest], context: Any
    ) -> Iterator[match_pb2.CheckStreamResponse]:
        seen: list[match_pb2.CheckStreamRequest] = []
        self.streams.append(seen)
        limit, refusal = self.stream_steps.pop(0) if self.stream_steps else (None, None)
        for request in requests:
            if limit is not None and len(seen) == limit:
                if refusal is not None:
                    refusal.end(context)
                return
            number = sum(map(len, self.streams))
            seen.append(request)
            step = self.item_steps.pop(number, None)
            if step is not None:
                yield match_pb2.CheckStreamResponse(tag=request.tag, error=step.status())
            else:
                yield match_pb2.CheckStreamResponse(tag=request.tag, answer=known())

    def _follow(self, step: Step, request: Any, context: Any) -> Any:
        if isinstance(step, Refusal):
            step.end(context)
        else:
            return step(request, context)
        return None


@contextlib.contextmanager
def serving(script: Script, port: int = 0) -> Iterator[str]:
    """Serves a script; gives the address."""
    server = grpc.server(ThreadPoolExecutor(4))
    match_pb2_grpc.add_MatchServiceServicer_to_server(script, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(None).wait()
