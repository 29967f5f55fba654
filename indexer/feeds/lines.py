"""Lines of a file that may be anything: numbered, decoded, and bounded in memory.

What is on a line is the business of the format that reads it.
"""

from collections.abc import Iterator
from typing import BinaryIO, Final

MAX_LINE_BYTES: Final = 4 << 20  # an item of twenty thousand hashes takes 2.5 MB as NDJSON
NUL_BYTE: Final = "line: holds a NUL byte"
_BOM: Final = b"\xef\xbb\xbf"

Line = tuple[int, str, str]
"""Number from 1, text without its line end, and what is wrong with it (empty: nothing)."""


def read_lines(stream: BinaryIO) -> Iterator[Line]:
    """Every line, bad ones too; a bad line has no text and never ends the reading."""
    number = 0
    while raw := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if len(raw) > MAX_LINE_BYTES and not raw.endswith(b"\n"):
            _skip_line(stream)
            yield number, "", f"line: over {MAX_LINE_BYTES} bytes"
            continue
        if number == 1 and raw.startswith(_BOM):
            raw = raw[len(_BOM) :]
        if b"\0" in raw:
            yield number, "", NUL_BYTE
            continue
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            yield number, "", "line: not UTF-8"
            continue
        yield number, text.rstrip("\r\n"), ""


def _skip_line(stream: BinaryIO) -> None:
    while (rest := stream.readline(MAX_LINE_BYTES)) and not rest.endswith(b"\n"):
        pass
