"""XLSX, and XLSM, whose macros are not looked at. A page is a sheet.

Not by openpyxl: it makes objects of every style before the first cell, and 3.3 million
of them took it 50 seconds and 1.7 GB. Dates are numbers of days in XLSX, and are left so.
"""

import re
from itertools import islice
from typing import Final

from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.readers.markup import local, stream_xml, xml_tree
from firstseen.hashing.readers.opc import Package

# A character that XML does not have, or an underscore before such a word (ECMA-376, 22.9.2.19).
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
# Kinds of parts, as relations name them.
_STRINGS: Final = "sharedStrings"
_SHEET: Final = "worksheet"


def read(data: bytes, content: Content) -> None:
    """Takes the values of all cells, formulas as they were last calculated; then the pictures.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """
    archive = Archive(data, content.limits)
    package = Package(archive)
    main = package.main_part()
    strings = _Strings()
    for part in package.related(main, _STRINGS).values():
        content.check_time()
        stream_xml(package.read(part), strings)
    sheets = package.related(main, _SHEET)
    order = [
        sheets[id_]
        for element in xml_tree(package.read(main)).iter("{*}sheet")
        for id_ in element.attrib.values()
        if id_ in sheets
    ]
    for sheet in islice(order, content.limits.max_pages):
        content.check_time()
        if content.is_full:
            break
        stream_xml(package.read(sheet), _Cells(content, strings.values))
    for name in sorted(archive.names):
        if name.startswith("xl/media/"):
            archive.add_picture(name, content)


class _Strings:
    """Collects the texts that cells refer to by their number.

    Attributes:
        values: in their order.
    """

    def __init__(self) -> None:
        self.values: Final[list[str]] = []
        self._text: Final = _Text(frozenset({"t"}))

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._text.start(local(tag))

    def end(self, tag: str) -> None:
        name = local(tag)
        self._text.end(name)
        if name == "si":
            self.values.append(self._text.take())

    def data(self, text: str) -> None:
        self._text.data(text)

    def close(self) -> None:
        """Nothing is left."""


class _Cells:
    """Takes the cells of a sheet."""

    def __init__(self, content: Content, strings: list[str]) -> None:
        self._content: Final = content
        self._strings: Final = strings
        self._text: Final = _Text(frozenset({"t", "v"}))
        self._is_number = False  # of a shared string

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        self._text.start(name)
        if name == "c":
            self._text.take()  # what stood between cells is no cell's
            self._is_number = attributes.get("t") == "s"

    def end(self, tag: str) -> None:
        name = local(tag)
        self._text.end(name)
        if name == "c":
            value = self._text.take()
            # At once: a row that says one long text a million times must not be put together.
            self._content.add_text(self._shared(value) if self._is_number else value)
        elif name == "row":
            self._content.check_time()

    def data(self, text: str) -> None:
        self._text.data(text)

    def close(self) -> None:
        """Nothing is left."""

    def _shared(self, number: str) -> str:
        """The text of a number; of one that there is not, nothing, as a viewer shows it."""
        place = int(number) if number.isdecimal() and len(number) < 10 else len(self._strings)
        return self._strings[place] if place < len(self._strings) else ""


class _Text:
    """The text of one cell or string, without what only tells how to pronounce it (`rPh`)."""

    def __init__(self, holders: frozenset[str]) -> None:
        self._holders: Final = holders
        self._parts: Final[list[str]] = []
        self._inside = 0
        self._skipped = 0

    def start(self, name: str) -> None:
        self._inside += name in self._holders
        self._skipped += name == "rPh"

    def end(self, name: str) -> None:
        self._inside -= name in self._holders
        self._skipped -= name == "rPh"

    def data(self, text: str) -> None:
        if self._inside and not self._skipped:
            self._parts.append(text)

    def take(self) -> str:
        """What was collected since the last time."""
        text = "".join(self._parts)
        self._parts.clear()
        return _ESCAPED.sub(_character, text) if "_x" in text else text


def _character(escaped: re.Match[str]) -> str:
    code = int(escaped[1], 16)
    return escaped[0] if 0xD800 <= code < 0xE000 else chr(code)
