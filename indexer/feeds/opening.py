"""Which feed a path is: files to hash, or a list in one of four formats."""

import itertools
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

from engine.errors import InvalidInputError
from engine.hashes import HashType, MediaType
from firstseen.hashing.charset import decode
from firstseen.hashing.document_kind import HEAD_BYTES, DocumentKind, text_kind
from firstseen.hashing.kind import media_type_of
from firstseen.hashing.vpdq import looks_like_vpdq
from indexer.feeds.csv_list import CsvList, is_header
from indexer.feeds.hash_list import HashList
from indexer.feeds.lines import NUL_BYTE, Line, read_lines
from indexer.feeds.ndjson_list import NdjsonList
from indexer.feeds.reading import Defaults, Read
from indexer.feeds.vpdq_list import VpdqList

STDIN: Final = "-"


class Format(StrEnum):
    """How a file of hashes is written."""

    AUTO = "auto"
    CSV = "csv"
    NDJSON = "ndjson"
    HASHES = "hashes"
    VPDQ = "vpdq"
    DOCUMENT = "document"  # no hashes: a plain text that is hashed itself


_WRITTEN_IN_ASCII: Final = (b"%PDF-", b"{\\rtf")
# A list has one word a line, or a type and a word; whatever is that long and hexadecimal is a hash,
# if perhaps one of a type that is not known here.
_LEAST_PROSE_WORDS: Final = 3
_HASH_LIKE: Final = re.compile(r"\b[0-9A-Fa-f]{16,}\b|[A-Za-z0-9+/]{20,}=")
_BY_SUFFIX: Final = {".csv": Format.CSV, ".ndjson": Format.NDJSON, ".jsonl": Format.NDJSON}


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file.

    Attributes:
        format: `AUTO` goes by the file's suffix, then by its first line.
        ignore_unknown: pass over unknown columns and keys.
        hash_type: in a list of hashes, what a line without a type is.
    """

    format: Format = Format.AUTO
    ignore_unknown: bool = False
    hash_type: HashType = HashType.PDQ


@contextmanager
def opened(path: str) -> Iterator[BinaryIO]:
    """A file, or stdin for `-`."""
    if path == STDIN:
        yield sys.stdin.buffer
        return
    with Path(path).open("rb") as stream:
        yield stream


def is_media_source(path: Path, format_: Format) -> bool:
    """Whether a path is hashed, and not read as a list: a folder, or a file that is no list.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_dir() or format_ is Format.DOCUMENT:
        return True
    if format_ is not Format.AUTO or not path.is_file():  # a pipe has a list
        return False
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
    if MediaType(media_type_of(head)) is MediaType.DOCUMENT:
        return not is_plain_text(head) or is_prose(head, path.name)
    return b"\0" in head


def is_plain_text(head: bytes) -> bool:
    """Whether a document is plain text, as lists of hashes are too.

    Args:
        head: its first 4,096 bytes, or all of it.
    """
    return not head.startswith(_WRITTEN_IN_ASCII) and text_kind(head) is DocumentKind.TXT


def is_prose(head: bytes, name: str) -> bool:
    """Whether a plain text cannot be meant as a list, not even as one with mistakes.

    Args:
        head: its first 4,096 bytes, or all of it.
        name: its name, for its suffix.
    """
    text = decode(head, is_cut=len(head) >= HEAD_BYTES)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if Path(name).suffix.lower() in _BY_SUFFIX or not lines:
        return False
    if lines[0].startswith(("{", "[")) or is_header(lines[0]) or _HASH_LIKE.search(text):
        return False
    return any(
        len(line.split()) >= _LEAST_PROSE_WORDS for line in lines if not line.startswith("#")
    )


def is_meant_as_list(text: bytes, name: str) -> bool:
    """Whether a file is called as a list and has a hash in it, be it under unknown headings."""
    found = _HASH_LIKE.search(text.decode("utf-8", "replace"))
    return found is not None and Path(name).suffix.lower() in _BY_SUFFIX


def read_file(
    stream: BinaryIO, name: str, defaults: Defaults, options: ReadOptions
) -> Iterable[Read]:
    """The items of a file.

    Args:
        stream: the file.
        name: its name, for its suffix.
        defaults: what a row does not say.
        options: how to read it.

    Raises:
        InvalidInputError: it is a CSV list without a proper header, or no text at all.
    """
    lines = read_lines(stream)
    format_ = options.format
    if format_ is Format.DOCUMENT:
        raise InvalidInputError("--format document", "want a file; stdin has lists only")
    if format_ is Format.AUTO:
        format_ = _BY_SUFFIX.get(Path(name).suffix.lower(), Format.AUTO)
    if format_ is Format.AUTO:
        format_, lines = _guess(lines)
    if format_ is Format.CSV:
        return CsvList(lines, defaults, ignore_unknown=options.ignore_unknown)
    if format_ is Format.NDJSON:
        return NdjsonList(lines, defaults, ignore_unknown=options.ignore_unknown)
    if format_ is Format.VPDQ:
        return VpdqList(lines, defaults)
    return HashList(lines, defaults, options.hash_type)


def _guess(lines: Iterator[Line]) -> tuple[Format, Iterator[Line]]:
    """The format by the first line that says something, and all lines again."""
    for line in lines:
        _, text, problem = line
        if problem == NUL_BYTE:
            raise InvalidInputError("", "no text in UTF-8, so no list of hashes")
        text = text.strip()
        if not problem and not text:
            continue
        rest = itertools.chain([line], lines)
        if text.startswith("{"):
            return Format.NDJSON, rest
        if text.startswith("[") or looks_like_vpdq(text):
            return Format.VPDQ, rest
        return (Format.CSV if is_header(text) else Format.HASHES), rest
    return Format.HASHES, lines
