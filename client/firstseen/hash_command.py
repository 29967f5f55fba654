"""`firstseen hash`: what would be sent of files, or listed; nothing is sent."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterator
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.file import FileOptions, bank_files, hash_items
from firstseen.hashing.forms import BankProfile
from firstseen.hashing.vpdq import by_the_clock, frames_of, text_of
from firstseen.items import Hash, HashType, Item, MediaType
from firstseen.progress import Bars, printable

# A picture has a dozen hashes, a video hundreds: more than a few of a type are for programs.
_FIRST_SHOWN: Final = 3
# What supports a decision of the unit and never makes a verdict: no server asks reporters for it.
SUPPORTING: Final = {
    MediaType.IMAGE: frozenset[HashType](),
    MediaType.VIDEO: frozenset({HashType.VIDEOHASH}),
    MediaType.DOCUMENT: frozenset({HashType.PDQ, HashType.TLSH}),
}


class NoVideoError(Exception):
    """vPDQ is of videos, and the file is none."""


def run_hash(options: Namespace) -> Iterator[tuple[Path, MediaError | OSError | NoVideoError]]:
    """Writes the hashes of each file to stdout; gives what has none or is not written, and why."""
    files = _file_options(options)
    with Bars(len(options.files)) as bars:
        for path in bars.each(options.files):
            try:
                items = hash_items(path, files, partial(bars.video, path))
                vpdq = "" if options.vpdq is None else _vpdq(items)
            except (MediaError, OSError, NoVideoError) as error:
                with bars.aside():
                    yield path, error
                continue
            with bars.aside():
                if options.vpdq is not None:
                    try:
                        options.vpdq.write_text(vpdq, encoding="ascii")
                    except OSError as error:
                        yield options.vpdq, error
                for item in items:
                    sys.stdout.write(
                        json.dumps(as_json(path, item)) + "\n"
                        if options.json
                        else _as_text(path, item, options)
                    )
                sys.stdout.flush()


def _file_options(options: Namespace) -> FileOptions:
    if options.side == "bank":
        return bank_files(BankProfile(options.profile))
    return FileOptions(
        dihedral=not options.no_dihedral, exact_when_undecodable=options.exact_when_undecodable
    )


def _vpdq(items: tuple[Item, ...]) -> str:
    for item in items:
        if item.media_type is MediaType.VIDEO:
            return text_of(by_the_clock(frames_of(item)))
    raise NoVideoError("no video, and vPDQ is of nothing else")


def as_json(path: Path, item: Item) -> dict[str, object]:
    """An item with the keys that `python -m indexer load` reads, and the file's name."""
    return {
        "file": str(path),
        "media_type": item.media_type.name.lower(),
        "hashes": [_hash_fields(hash_) for hash_ in item.hashes],
    }


def _hash_fields(hash_: Hash) -> dict[str, str | int]:
    fields: dict[str, str | int] = {"type": hash_.type.name.lower(), "value": hash_.value.hex()}
    for name in ("quality", "frame_offset_ms", "page_index"):
        number = getattr(hash_, name)
        if number is not None:
            fields[name] = number
    return fields


def _unsent(item: Item) -> frozenset[HashType]:
    """What `check` keeps to itself: nothing of a document that may be one picture but TLSH."""
    unsent = SUPPORTING[item.media_type]
    return unsent - {HashType.PDQ} if item.may_be_one_picture() else unsent


def _as_text(path: Path, item: Item, options: Namespace) -> str:
    count = len(item.hashes)
    lines = [f"{printable(path)}: {item.media_type.name.lower()}, {count:,} hashes"]
    by_type = sorted(item.hashes, key=lambda hash_: hash_.type)  # stable: order within a type stays
    for type_, group in groupby(by_type, key=lambda hash_: hash_.type):
        hashes = list(group)
        is_unsent = options.side == "query" and type_ in _unsent(item)
        unsent = "  (not sent by check)" if is_unsent else ""
        shown = hashes if options.all else hashes[:_FIRST_SHOWN]
        lines.append(f"  {type_.name:<12} {len(hashes):>6,}{_extent(type_, hashes)}{unsent}")
        lines += [f"    {hash_.value.hex()}{_about(hash_)}" for hash_ in shown]
        if len(shown) < len(hashes):
            lines.append(f"    and {len(hashes) - len(shown):,} more (--all)")
    return "\n".join(lines) + "\n"


def _extent(type_: HashType, hashes: list[Hash]) -> str:
    """How much of a video or of a document hashes of one type are spread over."""
    frames = {hash_.frame_offset_ms for hash_ in hashes if hash_.frame_offset_ms is not None}
    if frames and type_ is not HashType.VIDEOHASH:
        return f"  of {len(frames):,} frames, {_time(min(frames))} to {_time(max(frames))}"
    pages = {hash_.page_index for hash_ in hashes if hash_.page_index is not None}
    return f"  of {len(pages):,} pages" if pages else ""


def _about(hash_: Hash) -> str:
    told = "" if hash_.quality is None else f"  quality {hash_.quality}"
    if hash_.frame_offset_ms is not None:
        word = "length" if hash_.type is HashType.VIDEOHASH else "at"
        told += f"  {word} {_time(hash_.frame_offset_ms)}"
    if hash_.page_index is not None:
        told += f"  page {hash_.page_index + 1}"
    return told


def _time(offset_ms: int) -> str:
    minutes, rest_ms = divmod(offset_ms, 60_000)
    return f"{minutes}:{rest_ms / 1000:06.3f}"
