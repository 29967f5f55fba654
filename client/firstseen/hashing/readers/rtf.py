"""RTF."""

import re
from typing import Final

from striprtf.striprtf import rtf_to_text

from firstseen.errors import MediaError
from firstseen.hashing.content import Content

# Pictures and fonts are written in hexadecimal; nothing else is that long without another letter.
_HEX: Final = re.compile(r"[0-9a-fA-F][0-9a-fA-F\r\n]{510,}")
_PICTURE_HEADS: Final = (b"\xff\xd8\xff", b"\x89PNG")
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
    text = data.decode("latin-1")
    dumps = _HEX.findall(text) if content.wants_pictures else []
    text = _HEX.sub("", text)
    if len(text) > _MAX_CHARACTERS:
        raise MediaError(f"over {_MAX_CHARACTERS:,} characters of RTF")
    text = _LONG_SEARCHES.sub(r"\n\1", text)
    text = _GROUP_ENDS.sub(";}", text) + ";"
    try:
        content.add_text(_paired(rtf_to_text(text, errors="ignore")))  # type: ignore[no-untyped-call]
    # Damaged files make it raise ValueError, OverflowError, TypeError, LookupError, ...
    except Exception as error:
        raise MediaError(f"damaged document ({type(error).__name__})") from error
    for dump in dumps:
        digits = re.sub(r"\s", "", dump)
        picture = bytes.fromhex(digits[: len(digits) & ~1])
        if picture.startswith(_PICTURE_HEADS):
            content.add_picture(picture)


def _paired(text: str) -> str:
    """Makes one character of two halves, as RTF writes those beyond 16 bits."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
