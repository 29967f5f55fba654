"""How far along the log to go at once.

The log names entries by id; their hashes are read from the list as it is at the head. So a stretch
of the log can be followed by itself only when nothing that it adds is taken out further on, and
no policy changes further on: of those, too, only the newest are kept.
"""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate

from engine.entries import IdRange
from engine.store import ChangeKind, LogRecord


def span(records: Sequence[LogRecord], most_entries: int) -> int:
    """How many of the records to follow at once.

    Args:
        records: all that there are after some checkpoint, in order.
        most_entries: how many entries they may add and remove together. The first stretch that
            can be followed by itself is taken whatever it has.

    Returns:
        a number of records, at least 1 if there is one.
    """
    if not records:
        return 0
    unfit = _unfit_ends(records)
    best = 0
    for end, entry_count in enumerate(accumulate(map(_entry_count, records)), 1):
        if best and entry_count > most_entries:
            break
        if not unfit[end]:
            best = end
    return best


def _unfit_ends(records: Sequence[LogRecord]) -> list[int]:
    """For each number of records from 0 on, how many later ones are against ending there."""
    changes = [0] * (len(records) + 2)
    loads: list[tuple[int, IdRange]] = []
    firsts: list[int] = []
    for position, record in enumerate(records):
        earliest = 0 if record.kind is ChangeKind.BANK else _earliest_load(record, loads, firsts)
        if earliest is not None:
            changes[earliest + 1] += 1
            changes[position + 1] -= 1
        if record.added.first < record.added.end:
            loads.append((position, record.added))
            firsts.append(record.added.first)
    return list(accumulate(changes))


def _earliest_load(
    record: LogRecord, loads: Sequence[tuple[int, IdRange]], firsts: Sequence[int]
) -> int | None:
    """The position of the first load of which a record takes something out again."""
    for removed in record.removed if loads else ():
        at_or_before = bisect_right(firsts, removed.first) - 1
        for position, added in loads[max(at_or_before, 0) : at_or_before + 2]:
            if added.first < removed.end and removed.first < added.end:
                return position
    return None


def _entry_count(record: LogRecord) -> int:
    removed = sum(part.end - part.first for part in record.removed)
    return record.added.end - record.added.first + removed
