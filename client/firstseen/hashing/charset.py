"""From the bytes of a text to its characters, when nobody says in which encoding they are."""

import codecs
import re
import unicodedata
from typing import Final

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# What the web knows by name (WHATWG Encoding Standard, section 4.2), and no codecs of Python's own
# that are slow or run escapes.
_DECLARABLE: Final = re.compile(
    r"utf-?8|utf-?16(le|be)?|(us-)?ascii|iso-?8859-?\d+|latin-?1|windows-?125\d|cp125\d|windows-?874"
    r"|koi8-?[ru]|gbk|gb2312|gb18030|big5(-hkscs)?|euc-?(jp|kr)|shift[-_]?jis|iso-2022-jp|ibm866"
    r"|macintosh",
    re.IGNORECASE,
)
_FALLBACK: Final = "cp1252"
_SPACES: Final = frozenset("\t\n\v\f\r")


def decode(data: bytes, declared: str = "", *, is_cut: bool = False) -> str:
    """Decodes a text: by its byte order mark, as declared, as UTF-8, else as Windows-1252.

    Windows-1252 is wrong for old texts in other scripts; they come out the same every time, so
    they still match copies of the same file, but not the same text in another format.

    Args:
        data: the text.
        declared: the encoding that the text itself names; one that is not known is ignored.
        is_cut: the text goes on, so its last character may be in pieces.
    """
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    names = ["utf-8"]
    if _DECLARABLE.fullmatch(declared):
        names.insert(0, declared)
    for name in names:
        try:
            return codecs.getincrementaldecoder(name)().decode(data, final=not is_cut)
        except UnicodeDecodeError:
            continue
    return data.decode(_FALLBACK, "replace")


def has_controls(text: str) -> bool:
    """Whether there are characters that no text has."""
    return any(unicodedata.category(c) == "Cc" for c in set(text) - _SPACES)
