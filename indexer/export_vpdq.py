"""`export --format vpdq`: the videos of a bank as files of Meta's vPDQ, one file for each.

What such a file cannot hold is left out: tiles, videohash, exact hashes, labels. Of each frame one
hash is written, its first.
"""

import os
from argparse import Namespace
from pathlib import Path
from typing import Final

from engine.entries import ListedItem
from engine.errors import InvalidInputError
from engine.hashes import HashType, MediaType
from engine.lmdb_store import LmdbReader
from firstseen.hashing.vpdq import text_of
from indexer.console import Console, took
from indexer.exit_codes import ExitCode
from indexer.feeds.opening import STDIN
from indexer.stores import require_bank
from indexer.whole_output import whole_folder

_REPORT_EVERY: Final = 100


def run_export_vpdq(options: Namespace, console: Console) -> ExitCode:
    """Writes every video of a bank into a new folder, at one checkpoint."""
    if options.file == STDIN:
        raise InvalidInputError(STDIN, "want a folder: in vPDQ each video is a file of its own")
    started_ms = console.clock.monotonic_ms()
    videos = frames = left_out = 0
    with LmdbReader(options.store) as store:
        bank = require_bank(store, options.bank)
        with (
            whole_folder(Path(options.file)) as folder,
            console.progress(f"exporting {bank.name}", None, "videos") as report,
        ):
            for listed in store.iter_items(bank.bank_id):
                text = _vpdq_text(listed)
                if not text:
                    left_out += 1
                    continue
                _write(folder / f"{listed.item_id}.vpdq.txt", text)
                videos += 1
                frames += text.count("\n")
                if videos % _REPORT_EVERY == 0:
                    report(videos, None)
            if not videos:
                raise InvalidInputError(
                    bank.name,
                    "lists no video by its frames, nothing to write as vPDQ; "
                    "csv and ndjson hold all that a bank lists",
                )
    elapsed_ms = console.clock.monotonic_ms() - started_ms
    values = {"videos": videos, "frames": frames, "left_out": left_out}
    shown = {name.replace("_", " "): f"{count:,}" for name, count in values.items()}
    console.summary(
        f"exported: bank {bank.name}",
        {"bank": bank.name, **values, "elapsed_ms": elapsed_ms},
        {**shown, "time": took(elapsed_ms)},
        bad=False,
    )
    return ExitCode.DONE


def _vpdq_text(listed: ListedItem) -> str:
    """Its frames as vPDQ's text; empty when it is no video or has none."""
    if listed.item.media_type is not MediaType.VIDEO:
        return ""
    first: dict[int, tuple[bytes, int, int]] = {}
    for h in listed.item.hashes:
        if h.type is HashType.PDQ and h.frame_offset_ms is not None:
            first.setdefault(h.frame_offset_ms, (h.value, h.quality or 0, h.frame_offset_ms))
    return text_of(first.values())


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="ascii") as stream:  # noqa: PTH123
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
