"""`export`: writes a bank as a list that loads back to the same bank."""

import csv
import io
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from engine.entries import ListedItem
from engine.errors import InvalidInputError
from engine.hashes import Hash
from engine.lmdb_store import LmdbReader
from indexer.console import Console, counted, took
from indexer.exit_codes import ExitCode
from indexer.export_vpdq import run_export_vpdq
from indexer.feeds.csv_list import COLUMNS
from indexer.feeds.opening import STDIN, Format
from indexer.stores import require_bank
from indexer.whole_output import whole_file

_REPORT_EVERY = 1_000
_CSV_BREAKERS = frozenset("\n\r\0")


def run_export(options: Namespace, console: Console) -> ExitCode:
    """Writes every item of a bank, at one checkpoint."""
    if options.format is Format.VPDQ:
        return run_export_vpdq(options, console)
    started_ms = console.clock.monotonic_ms()
    items = hashes = 0
    encode: Callable[[ListedItem], str] = (
        _CsvWriter() if options.format is Format.CSV else _ndjson_line
    )
    with LmdbReader(options.store) as store:
        bank = require_bank(store, options.bank)
        with (
            _written(options.file) as stream,
            console.progress(f"exporting {bank.name}", None, "items") as report,
        ):
            if options.format is Format.CSV:
                stream.write(",".join(COLUMNS) + "\n")
            for listed in store.iter_items(bank.bank_id):
                stream.write(encode(listed))
                items += 1
                hashes += len(listed.item.hashes)
                if items % _REPORT_EVERY == 0:
                    report(items, None)
    elapsed_ms = console.clock.monotonic_ms() - started_ms
    if options.file == STDIN:
        told = f"{counted(items, 'item', 'items')} with {counted(hashes, 'hash', 'hashes')}"
        console.note(f"exported {told} of bank {bank.name}")
        return ExitCode.DONE
    console.summary(
        f"exported: bank {bank.name}",
        {"bank": bank.name, "items": items, "hashes": hashes, "elapsed_ms": elapsed_ms},
        {"items": f"{items:,}", "hashes": f"{hashes:,}", "time": took(elapsed_ms)},
        bad=False,
    )
    return ExitCode.DONE


@contextmanager
def _written(path: str) -> Iterator[TextIO]:
    """A file that is there whole or not at all, and for its owner alone; stdout for `-`."""
    if path == STDIN:
        text = io.TextIOWrapper(sys.stdout.buffer, encoding="utf-8", newline="")
        try:
            yield text
            text.flush()
        finally:
            text.detach()
        return
    with whole_file(Path(path)) as stream:
        yield stream


def _hash_fields(hash_: Hash) -> dict[str, str | int]:
    fields: dict[str, str | int] = {"type": hash_.type.name.lower(), "value": hash_.value.hex()}
    for name in ("quality", "frame_offset_ms", "page_index"):
        number = getattr(hash_, name)
        if number is not None:
            fields[name] = number
    return fields


def _ndjson_line(listed: ListedItem) -> str:
    labels = listed.labels
    said = {
        "category": labels.category,
        "severity": labels.severity,
        "source": labels.source,
        "reference": labels.reference,
    }
    row = {
        "media_type": listed.item.media_type.name.lower(),
        "hashes": [_hash_fields(hash_) for hash_ in listed.item.hashes],
        **{name: value for name, value in said.items() if value},
    }
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


class _CsvWriter:
    """Writes items as rows, one for each hash."""

    def __init__(self) -> None:
        self._text = io.StringIO()
        self._writer = csv.DictWriter(self._text, COLUMNS, restval="", lineterminator="\n")

    def __call__(self, listed: ListedItem) -> str:
        """The rows of one item.

        Raises:
            InvalidInputError: a label holds a line break.
        """
        labels = listed.labels
        for name in ("category", "source", "reference"):
            if not _CSV_BREAKERS.isdisjoint(getattr(labels, name)):
                raise InvalidInputError(
                    f"item {listed.item_id}",
                    f"{name} holds a line break, which this CSV cannot; export as ndjson",
                )
        self._text.seek(0)
        self._text.truncate()
        for hash_ in listed.item.hashes:
            fields = _hash_fields(hash_)
            fields["hash_type"] = fields.pop("type")
            self._writer.writerow(
                {
                    **fields,
                    "media_type": listed.item.media_type.name.lower(),
                    "item": listed.item_id,
                    "category": labels.category,
                    "severity": labels.severity or "",
                    "source": labels.source,
                    "reference": labels.reference,
                }
            )
        return self._text.getvalue()
