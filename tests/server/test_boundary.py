"""The table from errors to status, and what an error tells a caller."""

import logging

import grpc
import pytest
from google.rpc import error_details_pb2

from engine import errors
from engine.errors import EngineError, InvalidInputError, LimitError, NotReadyError
from server.boundary import INTERNAL_TEXT, STATUS_OF, UNAVAILABLE_TEXT, status_of


def engine_errors() -> set[type[EngineError]]:
    kinds: list[type] = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    return {kind for kind in kinds if issubclass(kind, EngineError) and kind is not EngineError}


def example(kind: type[EngineError]) -> EngineError:
    return kind("a.b", "wrong") if issubclass(kind, InvalidInputError) else kind("SECRET")


def test_table_has_every_error_of_the_engine() -> None:
    assert set(STATUS_OF) == engine_errors()


@pytest.mark.parametrize("kind", sorted(engine_errors(), key=str))
def test_each_error_becomes_its_status_without_a_text_of_the_store(
    kind: type[EngineError],
) -> None:
    status = status_of(example(kind))
    assert status.code == STATUS_OF[kind].value[0]
    assert "SECRET" not in status.message
    if not issubclass(kind, InvalidInputError):
        assert status.message in {INTERNAL_TEXT, UNAVAILABLE_TEXT}


def test_invalid_input_names_its_field() -> None:
    status = status_of(InvalidInputError("hashes[3].value", "16 bytes, want 32"))
    assert status.message == "hashes[3].value: 16 bytes, want 32"
    detail = error_details_pb2.BadRequest()
    assert status.details[0].Unpack(detail)
    assert detail.field_violations[0].field == "hashes[3].value"


def test_limit_says_that_it_is_one_and_the_field() -> None:
    status = status_of(LimitError("hashes", "5 hashes, want at most 4"))
    info, request = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(request)
    assert info.reason == "LIMIT_EXCEEDED"
    assert request.field_violations[0].field == "hashes"


def test_unavailable_says_when_to_ask_again() -> None:
    detail = error_details_pb2.RetryInfo()
    assert status_of(NotReadyError("any")).details[0].Unpack(detail)
    assert detail.retry_delay.ToMilliseconds() == 1_000


def test_anything_unexpected_is_internal_and_logged_without_its_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise ValueError("SECRET")
    except ValueError as error:
        with caplog.at_level(logging.ERROR, "firstseen.server"):
            status = status_of(error)
    assert (status.code, status.message) == (grpc.StatusCode.INTERNAL.value[0], INTERNAL_TEXT)
    assert not status.details
    fields = caplog.records[0].__dict__["fields"]
    assert fields["error_type"] == "ValueError"
    assert fields["location"].startswith("tests/server/test_boundary.py:")
    assert "SECRET" not in repr(caplog.records[0].__dict__)
