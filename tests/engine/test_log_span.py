"""How far along the log to go at once."""

from collections.abc import Iterator

import pytest

from engine.entries import EMPTY_CHECKPOINT, EntryId, IdRange
from engine.log_span import span
from engine.policy import BankId
from engine.store import ChangeKind, LogRecord

NONE = IdRange(EntryId(0), EntryId(0))


def ids(first: int, end: int) -> IdRange:
    return IdRange(EntryId(first), EntryId(end))


def record(kind: ChangeKind, added: IdRange = NONE, *removed: IdRange) -> LogRecord:
    return LogRecord(EMPTY_CHECKPOINT, 0, kind, BankId(1), added, removed, "")


def loads(*counts: int, first: int = 100) -> Iterator[LogRecord]:
    for count in counts:
        yield record(ChangeKind.LOAD, ids(first, first + count))
        first += count


def withdrawal(*removed: IdRange) -> LogRecord:
    return record(ChangeKind.WITHDRAW, NONE, *removed)


BANK = record(ChangeKind.BANK)


@pytest.mark.parametrize(
    ("records", "want"),
    [
        ([], 0),
        ([*loads(11)], 1),  # always something
        ([*loads(5, 5, 1)], 2),
        ([*loads(5, 6)], 1),
        ([withdrawal(ids(1, 10)), withdrawal(ids(10, 12))], 1),  # listed long before
        ([*loads(4, 4, 4), withdrawal(ids(98, 99))], 2),
        ([*loads(4, 4, 4), withdrawal(ids(108, 109))], 2),  # of the third: ends before it
        ([*loads(4, 4, 4), withdrawal(ids(104, 105))], 1),
        ([*loads(4, 4, 4), withdrawal(ids(98, 99), ids(103, 104))], 4),
        ([*loads(4, 4, 4), withdrawal(ids(90, 200)), *loads(1)], 4),
        ([*loads(8, 8), BANK, *loads(8)], 3),
        ([BANK, *loads(8, 8)], 2),
        ([*loads(4, 4), BANK, *loads(4, 4, first=108), withdrawal(ids(100, 101))], 6),
    ],
)
def test_ends_where_what_was_added_and_the_policies_stay(
    records: list[LogRecord], want: int
) -> None:
    assert span(records, 10) == want
