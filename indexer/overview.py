"""`init`, `stat` and `log`: making a store, and telling what is in it and how it came there."""

from argparse import Namespace
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from rich.filesize import decimal

from engine.entries import IdRange
from engine.errors import InvalidInputError
from engine.lmdb_store import LmdbReader, create_store
from engine.policy import BankId
from engine.store import ChangeKind, LogRecord
from indexer.console import Console
from indexer.exit_codes import ExitCode

_GIB = 1 << 30


def run_init(options: Namespace, console: Console) -> ExitCode:
    """Makes an empty store."""
    try:
        create_store(options.store, map_size_bytes=options.map_size_gib * _GIB)
    except InvalidInputError as error:
        raise InvalidInputError("--store", error.problem) from None
    console.say(f"made an empty store; it can grow to {options.map_size_gib:,} GiB")
    if console.as_json:
        console.put_json({"map_size_bytes": options.map_size_gib * _GIB})
    return ExitCode.DONE


def run_stat(options: Namespace, console: Console) -> ExitCode:
    """Tells how large the store is."""
    with LmdbReader(options.store) as store:
        stat, head, banks = store.stat(), store.head(), store.banks()
    names = {bank.bank_id: bank.name for bank in banks}
    items = {names[bank.bank_id]: stat.items_by_bank.get(bank.bank_id, 0) for bank in banks}
    hashes = {type_.name.lower(): count for type_, count in stat.entries_by_type.items()}
    console.summary(
        f"store {stat.store_id}",
        {
            "store_id": stat.store_id,
            "created_unix_ms": stat.created_unix_ms,
            "format_version": stat.format_version,
            "used_bytes": stat.used_bytes,
            "map_size_bytes": stat.map_size_bytes,
            "sequence": head.sequence,
            "entry_count": head.entry_count,
            "digest": head.digest_bytes().hex(),
            "items_by_bank": items,
            "hashes_by_type": hashes,
        },
        {
            "made": _time(stat.created_unix_ms),
            "format": str(stat.format_version),
            "in use": f"{decimal(stat.used_bytes)} of {stat.map_size_bytes / _GIB:,.0f} GiB",
            "checkpoint": f"{head.sequence:,}",
            "digest": f"{head.digest_bytes()[:8].hex()}…",
            "hashes": f"{head.entry_count:,}",
            **{f"  {name}": f"{count:,}" for name, count in hashes.items()},
            "items": f"{sum(items.values()):,}",
            **{f"  {name}": f"{count:,}" for name, count in items.items()},
        },
        bad=False,
    )
    return ExitCode.DONE


def run_log(options: Namespace, console: Console) -> ExitCode:
    """Tells every change, oldest first."""
    with LmdbReader(options.store) as store:
        log = _with_banks(store.iter_log(), {bank.bank_id: bank.name for bank in store.banks()})
        kept = deque(log, maxlen=options.last) if options.last else log
        if console.as_json:
            for record, banks in kept:
                console.put_json(_record_fields(record, banks))
            return ExitCode.DONE
        rows = [_row(record, banks) for record, banks in kept]
    columns = ("no.#", "time (UTC)", "change", "bank", "added#", "removed#", "listed#")
    console.table((*columns, "reason"), rows)
    return ExitCode.DONE


def _with_banks(
    log: Iterable[LogRecord], names: Mapping[BankId, str]
) -> Iterator[tuple[LogRecord, list[str]]]:
    """Each record with the banks that it changed.

    A withdrawal names entries and no bank: theirs is that of the load which gave them out.
    """
    loads: list[LogRecord] = []  # and so by id of their entries
    for record in log:
        if record.kind is ChangeKind.LOAD:
            loads.append(record)
        found = {record.bank_id, *_banks_of(record.removed, loads)} & names.keys()
        yield record, [names[bank_id] for bank_id in sorted(found)]


def _banks_of(removed: Iterable[IdRange], loads: Sequence[LogRecord]) -> Iterator[BankId]:
    for part in removed:
        first = bisect_right(loads, part.first, key=lambda load: load.added.first) - 1
        after = bisect_left(loads, part.end, key=lambda load: load.added.first)
        yield from (loads[index].bank_id for index in range(max(first, 0), after))


def _record_fields(record: LogRecord, banks: list[str]) -> dict[str, object]:
    return {
        "sequence": record.checkpoint.sequence,
        "time": _time(record.time_unix_ms),
        "kind": record.kind.name.lower(),
        "bank": banks[0] if len(banks) == 1 else None,
        "banks": banks,
        "added_hashes": record.added.end - record.added.first,
        "removed_hashes": _removed(record),
        "entry_count": record.checkpoint.entry_count,
        "digest": record.checkpoint.digest_bytes().hex(),
        "reason": record.reason,
    }


def _row(record: LogRecord, banks: list[str]) -> tuple[str, ...]:
    return (
        f"{record.checkpoint.sequence:,}",
        _time(record.time_unix_ms),
        record.kind.name.lower(),
        ", ".join(banks),
        f"{record.added.end - record.added.first:,}",
        f"{_removed(record):,}",
        f"{record.checkpoint.entry_count:,}",
        record.reason,
    )


def _removed(record: LogRecord) -> int:
    return sum(part.end - part.first for part in record.removed)


def _time(unix_ms: int) -> str:
    return datetime.fromtimestamp(unix_ms / 1000, tz=UTC).strftime("%Y-%m-%d %H:%M:%S")
