"""RTF."""

import re
from binascii import unhexlify
from typing import Final

from striprtf.striprtf import rtf_to_text

from firstseen.errors import MediaError
from firstseen.hashing.content import Content

# Pictures and fonts are written in hexadecimal; nothing else is that long without another letter.
# A run is looked at from its beginning alone, and nothing of it twice.
_HEX: Final = re.compile(rb"(?<![0-9a-fA-F\r\n])[0-9a-fA-F\r\n]{511,}+")
# The beginning of a JPEG or PNG, behind at most the number that ends the word before it.
_PICTURE: Final = re.compile(rb"[0-9]{0,10}?((?:ffd8ff|89504e47).*)", re.DOTALL | re.IGNORECASE)
# striprtf's own expressions for links and fonts search to the end of the line from each of these,
# so a long line of them takes hours. RTF ignores line breaks: one before each keeps lines short.
_LONG_SEARCHES: Final = re.compile(r"(?<!\\)(\\f(?=\d)|\{\\field)")
# And they search for the semicolon that ends a font's name. One more is no letter: the text that
# is compared stays the same.
_GROUP_ENDS: Final = re.compile(r"(?<!\\)\}")
# striprtf takes 1 µs a character; of text that is more than any other limit allows.
_MAX_CHARACTERS: Final = 16 << 20


def read(data: bytes, content: Content) -> None:
    """Takes the text, then the pictures.

    Raises:
        MediaError: it is damaged or over a limit.
    """
    dumps = [run.span() for run in _HEX.finditer(data)]
    size = len(data) - sum(end - start for start, end in dumps)
    if size > _MAX_CHARACTERS:
        raise MediaError(f"over {_MAX_CHARACTERS:,} characters of RTF")
    text = _without(data, dumps).decode("latin-1")
    text = _LONG_SEARCHES.sub(r"\n\1", text)
    text = _GROUP_ENDS.sub(";}", text) + ";"
    try:
        content.add_text(_paired(rtf_to_text(text, errors="ignore")))  # type: ignore[no-untyped-call]
    # Damaged files make it raise ValueError, OverflowError, TypeError, LookupError, ...
    except Exception:  # noqa: BLE001
        raise MediaError("damaged document") from None
    for start, end in dumps:
        if not content.wants_pictures:
            return
        found = _PICTURE.match(data[start:end].translate(None, b"\r\n"))
        if found:
            content.add_picture(unhexlify(found[1][: len(found[1]) & ~1]))


def _without(data: bytes, spans: list[tuple[int, int]]) -> bytes:
    """The data with a line break, which ends a word of RTF and is no text, for each span."""
    ends = [0, *(end for _, end in spans)]
    starts = [*(start for start, _ in spans), len(data)]
    return b"\n".join(data[a:b] for a, b in zip(ends, starts, strict=True))


def _paired(text: str) -> str:
    """Makes one character of two halves, as RTF writes those beyond 16 bits."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
