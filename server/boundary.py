"""Where calls come in and errors go out: the one place that turns errors into gRPC status.

Every method of every service is wrapped here, so that no exception's text and no
traceback leaves the process by way of the gRPC library, and so that calls are counted.
What the services do is theirs.
"""

from __future__ import annotations  # grpc's classes are generic for the type checker only

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol, TypeAlias, TypeVar, cast

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import aio

from engine.errors import (
    CorruptError,
    EngineError,
    InvalidInputError,
    LimitError,
    LogTruncatedError,
    NotReadyError,
    StoreFullError,
    StoreMissingError,
    StoreUnusableError,
    WriterBusyError,
)
from server.config import LimitsConfig
from server.idle import IdleError
from server.room import NoRoomError, Room
from server.telemetry import CallCounts, log_crash

INTERNAL_TEXT: Final = "internal error"
DETAILS_KEY: Final = "grpc-status-details-bin"
ERROR_DOMAIN: Final = "firstseen.v1"
RETRY_DELAY_MS: Final = 1_000
# A call that waits a day waits for nothing; only the stream of a large batch is long.
MAX_DEADLINE_S: Final = 24 * 3600.0
# A status waits behind the answers that a caller has not taken.
ABORT_LIMIT_S: Final = 1.0
_OWN_PREFIX: Final = "firstseen."

# The most specific class of an error decides. Errors that have no business in a call are
# INTERNAL, or UNAVAILABLE where the server is about to mend itself.
STATUS_OF: Final[Mapping[type[EngineError], grpc.StatusCode]] = {
    InvalidInputError: grpc.StatusCode.INVALID_ARGUMENT,
    LimitError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    NotReadyError: grpc.StatusCode.UNAVAILABLE,
    LogTruncatedError: grpc.StatusCode.UNAVAILABLE,
    WriterBusyError: grpc.StatusCode.INTERNAL,
    StoreFullError: grpc.StatusCode.INTERNAL,
    StoreMissingError: grpc.StatusCode.INTERNAL,
    StoreUnusableError: grpc.StatusCode.INTERNAL,
    CorruptError: grpc.StatusCode.INTERNAL,
}
UNAVAILABLE_TEXT: Final = "the list is not loaded or not fresh, ask again later"
NO_ROOM_TEXT: Final = "too many calls at once, ask again later"
IDLE_TEXT: Final = "the stream stood still for too long, ask again what was not answered"


class _Unreadable:
    """Stands for a message that is not what its method takes."""


_UNREADABLE: Final = _Unreadable()

_Request = TypeVar("_Request")
Context: TypeAlias = "aio.ServicerContext[Any, Any]"


class Guard(Protocol):
    """Decides who may call; a denied call is told the text, or None lets it pass."""

    def __call__(self, context: Context, /) -> str | None:
        """Why the caller is refused."""


def status_of(error: BaseException) -> status_pb2.Status:
    """Says an error in the words of `google.rpc`.

    Anything unexpected is INTERNAL with a constant text, and logged by type and place.
    """
    code = next((STATUS_OF[t] for t in type(error).__mro__ if t in STATUS_OF), None)
    if code is None or code == grpc.StatusCode.INTERNAL:
        log_crash("internal_error", error)
        return _status(grpc.StatusCode.INTERNAL, INTERNAL_TEXT)
    if code is grpc.StatusCode.UNAVAILABLE:
        return _unavailable(UNAVAILABLE_TEXT)
    wrong = cast("InvalidInputError", error)
    violation = error_details_pb2.BadRequest.FieldViolation(
        field=wrong.field, description=wrong.problem
    )
    details: list[Any] = [error_details_pb2.BadRequest(field_violations=[violation])]
    if isinstance(error, LimitError):
        reason = error_details_pb2.ErrorInfo(reason="LIMIT_EXCEEDED", domain=ERROR_DOMAIN)
        details.insert(0, reason)
    return _status(code, str(wrong), *details)


def _unavailable(text: str) -> status_pb2.Status:
    delay = duration_pb2.Duration()
    delay.FromMilliseconds(RETRY_DELAY_MS)
    retry = error_details_pb2.RetryInfo(retry_delay=delay)
    return _status(grpc.StatusCode.UNAVAILABLE, text, retry)


def _status(code: grpc.StatusCode, text: str, *details: Any) -> status_pb2.Status:  # noqa: ANN401
    status = status_pb2.Status(code=code.value[0], message=text)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


async def abort(context: Context, status: status_pb2.Status) -> None:
    """Ends a call with a status and its details.

    Raises:
        grpc.aio.AbortError: the library takes it as the call's end.
        asyncio.CancelledError: the caller takes nothing, so not this either; the call is cut.
    """
    trailers = ((DETAILS_KEY, status.SerializeToString()),)
    try:
        async with asyncio.timeout(ABORT_LIMIT_S):
            await context.abort(CODES[status.code], status.message, trailers)
    except TimeoutError:
        raise asyncio.CancelledError from None


def require_deadline(context: Context) -> None:
    """Refuses a call that would wait for ever.

    Raises:
        InvalidInputError: it has no deadline, or one further than a day away.
    """
    remaining_s: float | None = context.time_remaining()
    if remaining_s is None or remaining_s > MAX_DEADLINE_S:
        raise InvalidInputError("deadline", "required")


class Boundary:
    """Takes services in place of a `grpc.aio.Server` and registers them there, wrapped."""

    def __init__(
        self,
        server: aio.Server,
        limits: LimitsConfig,
        counts: CallCounts,
        guards: Mapping[str, Guard] | None = None,
    ) -> None:
        """Wraps `server`.

        Args:
            server: where the services go.
            limits: how many calls of each service may be under way, and how many streams. Calls
                of health and reflection that are no streams always may.
            counts: where calls are counted.
            guards: by service name, who may call it; anyone where there is none.
        """
        self._server = server
        self._limits = limits
        self._counts = counts
        self._guards = guards or {}

    def add_generic_rpc_handlers(self, _: object) -> None:
        """Part of what generated code calls; the other part registers the same methods."""

    def add_registered_method_handlers(
        self, service: str, handlers: Mapping[str, grpc.RpcMethodHandler[Any, Any]]
    ) -> None:
        """What generated code calls to register the methods of a service."""
        is_own = service.startswith(_OWN_PREFIX)
        calls = Room(self._limits.max_calls_in_flight) if is_own else nullcontext()
        streams = Room(self._limits.max_streams_in_flight)
        wrapped = {}
        for name, handler in handlers.items():
            room = streams if handler.response_streaming else calls
            run = _Runner(service, name, self._counts, room, self._guards.get(service))
            wrapped[name] = run.handler(handler)
        generic = grpc.method_handlers_generic_handler(service, wrapped)
        self._server.add_generic_rpc_handlers((generic,))


class _Runner:
    """Runs the calls of one method."""

    def __init__(
        self,
        service: str,
        name: str,
        counts: CallCounts,
        room: AbstractContextManager[None],
        guard: Guard | None,
    ) -> None:
        self._method = f"{service}/{name}"
        is_own = service.startswith(_OWN_PREFIX)
        self._weight = int(is_own)  # among the calls that the end waits for: no health's watchers
        self._counts = counts
        self._room = room
        self._checks = [_check(guard)] if guard is not None else []
        if is_own:
            self._checks.append(require_deadline)

    def handler(self, own: grpc.RpcMethodHandler[Any, Any]) -> grpc.RpcMethodHandler[Any, Any]:
        """The method, wrapped."""
        take = _deserializer(own.request_deserializer)
        give = own.response_serializer
        if own.unary_unary is not None:
            unary = self.unary(cast("Callable[..., Any]", own.unary_unary))
            return grpc.unary_unary_rpc_method_handler(unary, take, give)
        if own.unary_stream is not None:
            stream = self.stream(cast("Callable[..., Any]", own.unary_stream))
            return grpc.unary_stream_rpc_method_handler(stream, take, give)
        if own.stream_stream is not None:
            stream = self.stream(cast("Callable[..., Any]", own.stream_stream))
            return grpc.stream_stream_rpc_method_handler(stream, take, give)
        raise TypeError(f"{self._method}: client streams are not used")

    def unary(self, behavior: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """A method with one answer."""

        async def run(request: object, context: Context) -> object:
            self._counts.open_calls += self._weight
            try:
                with self._room:
                    for check in self._checks:
                        check(context)
                    answer = await behavior(_readable(request), context)
            except BaseException as error:
                await self._end(error, context)
                raise
            finally:
                self._counts.open_calls -= self._weight
            self._counts.add(self._method, "OK")
            return answer

        return run

    def stream(self, behavior: Callable[..., Any]) -> Callable[..., AsyncIterator[Any] | Any]:
        """A method with many answers, whether it yields or writes them."""

        async def run(request: Any, context: Context) -> None:  # noqa: ANN401
            self._counts.open_calls += self._weight
            try:
                with self._room:
                    for check in self._checks:
                        check(context)
                    many = hasattr(request, "__aiter__")
                    answers = behavior(_each(request) if many else _readable(request), context)
                    if hasattr(answers, "__aiter__"):
                        async for answer in answers:
                            await context.write(answer)
                    else:
                        await answers
            except BaseException as error:
                await self._end(error, context)
                raise
            finally:
                self._counts.open_calls -= self._weight
            self._counts.add(self._method, "OK")

        return run

    async def _end(self, error: BaseException, context: Context) -> None:
        """Counts and says an error; returns only when the caller is to raise it as it is."""
        if isinstance(error, asyncio.CancelledError):
            self._counts.add(self._method, "CANCELLED")
        elif isinstance(error, aio.AbortError):
            self._counts.add(self._method, _ended_with(context))
        elif isinstance(error, NoRoomError | IdleError):
            self._counts.add(self._method, "UNAVAILABLE")
            text = NO_ROOM_TEXT if isinstance(error, NoRoomError) else IDLE_TEXT
            await abort(context, _unavailable(text))
        elif isinstance(error, _DeniedError):
            status = _status(grpc.StatusCode.PERMISSION_DENIED, str(error))
            self._counts.add(self._method, "PERMISSION_DENIED")
            await abort(context, status)
        elif isinstance(error, Exception):
            status = status_of(error)
            self._counts.add(self._method, CODES[status.code].name)
            await abort(context, status)


class _DeniedError(Exception):
    """The caller may not call this service."""


def _check(guard: Guard) -> Callable[[Context], None]:
    """What raises when a guard refuses the caller."""

    def check(context: Context) -> None:
        refusal = guard(context)
        if refusal is not None:
            raise _DeniedError(refusal)

    return check


def _ended_with(context: Context) -> str:
    code = cast("object", context.code())  # a bare number, when a service set one
    number = code.value[0] if isinstance(code, grpc.StatusCode) else code
    found = CODES.get(number) if isinstance(number, int) else None
    return (found or grpc.StatusCode.UNKNOWN).name


def _deserializer(parse: Callable[[bytes], Any] | None) -> Callable[[bytes], Any]:
    def take(message: bytes) -> object:
        try:
            return message if parse is None else parse(message)
        except DecodeError:
            return _UNREADABLE

    return take


def _readable(request: _Request) -> _Request:
    if request is _UNREADABLE:
        raise InvalidInputError("message", "not what this method takes")
    return request


async def _each(requests: AsyncIterator[_Request]) -> AsyncIterator[_Request]:
    async for request in requests:
        yield _readable(request)
