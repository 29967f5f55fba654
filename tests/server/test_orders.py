"""What the supervisor and its processes say to each other."""

import io
import json
import sys
from pathlib import Path

import pytest

from server.config import Address
from server.orders import Order, Report, read_report, receive_order

TOML = '[store]\npath = "störe"\n[match]\nlisten = "127.0.0.1:0"\nplaintext = true\n'


def test_order_is_sent_the_same_is_received(monkeypatch: pytest.MonkeyPatch) -> None:
    places = {"match": Address("127.0.0.1", 7)}
    order = Order(TOML, Path("/folder"), places, is_early=False, digests_fd=9)
    stdin = io.TextIOWrapper(io.BytesIO(order.line() + b"more"))
    monkeypatch.setattr(sys, "stdin", stdin)
    received = receive_order()
    assert received == order
    config = received.config()
    assert config.store.path == Path("/folder/störe")
    assert config.match.listen == Address("127.0.0.1", 7)


@pytest.mark.parametrize(
    "report", [Report(True), Report(False), Report(False, "store: no such file")]
)
def test_report_is_sent_the_same_is_read(
    report: Report, capsys: pytest.CaptureFixture[str]
) -> None:
    report.send()
    (line,) = capsys.readouterr().out.splitlines()
    assert read_report(line.encode()) == report


@pytest.mark.parametrize("line", [b"", b"a library's greeting", b"3", b"[]", b"{}", b"\xff"])
def test_line_is_no_report_is_passed_over(line: bytes) -> None:
    assert read_report(line) is None


def test_order_is_one_line_whatever_the_file_holds() -> None:
    order = Order("# a\n# b\u2028\n", Path("/"), {}, is_early=True, digests_fd=9)
    assert order.line().count(b"\n") == 1
    assert json.loads(order.line())["toml"] == order.toml
