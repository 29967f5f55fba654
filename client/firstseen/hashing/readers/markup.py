"""The text between tags, read as a stream: no tree is built, so memory does not grow with tags."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from lxml import etree

from firstseen.errors import MediaError

# Contents of a book, relations, lists of sheets: of 20,000 files they are 20,000 tags of some 100
# bytes, and a tree takes some 200 bytes a tag.
_MAX_TREE_BYTES: Final = 8 << 20
_MAX_TREE_TAGS: Final = 200_000


def _nothing(_name: str, _attributes: dict[str, str]) -> None:
    """What is no text does not matter."""


@dataclass(frozen=True, slots=True)
class Grammar:
    """Which elements hold text. Names are without their namespace.

    Attributes:
        text: text is taken within these; empty for everywhere.
        skipped: and not within these.
        breaks: before and after these, a line ends.
        on_start: called with the name and the attributes of every element, for what is no text.
    """

    text: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    breaks: frozenset[str] = frozenset()
    on_start: Callable[[str, dict[str, str]], None] = _nothing


class Target(Protocol):
    """What lxml calls for each tag and text. Names have their namespace; see `local`."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, tag: str) -> None:
        """An element ends."""

    def data(self, text: str) -> None:
        """A piece of the text of the element that began last."""

    def close(self) -> object:
        """The file ends."""


class _Collector:
    """What lxml calls for each tag and text."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar: Final = grammar
        self._parts: Final[list[str]] = []
        self._inside = 0 if grammar.text else 1
        self._skipped = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        name = local(tag)
        self._inside += name in self._grammar.text
        self._skipped += name in self._grammar.skipped
        if name in self._grammar.breaks:
            self._parts.append("\n")
        self._grammar.on_start(name, attributes)

    def end(self, tag: str) -> None:
        name = local(tag)
        self._inside -= name in self._grammar.text
        self._skipped -= name in self._grammar.skipped
        if name in self._grammar.breaks:
            self._parts.append("\n")

    def data(self, text: str) -> None:
        if self._inside > 0 and self._skipped <= 0:
            self._parts.append(text)

    def close(self) -> str:
        return "".join(self._parts)


def xml_text(data: bytes, grammar: Grammar) -> str:
    """The text of an XML file.

    Raises:
        MediaError: it is no well-formed XML.
    """
    collector = _Collector(grammar)
    stream_xml(data, collector)
    return collector.close()


def stream_xml(data: bytes, target: Target) -> None:
    """Reads an XML file without building a tree of it.

    Raises:
        MediaError: it is no well-formed XML, or `target` raises it.
    """
    parser = etree.XMLParser(target=target, resolve_entities=False, no_network=True, load_dtd=False)
    try:
        etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError):
        raise MediaError("damaged document") from None


def html_text(page: str, grammar: Grammar) -> str:
    """The text of a web page, however broken.

    Raises:
        MediaError: libxml2 gives up on it.
    """
    # Without `huge_tree` a text of ten megabytes or a depth of 256 is cut off without a word. HTML
    # has no entities of its own to multiply, and no tree is built; the caller bounds the size.
    parser = etree.HTMLParser(
        target=_Collector(grammar), encoding="utf-8", no_network=True, huge_tree=True
    )
    try:
        text: str = etree.fromstring(page.replace("\0", "").encode("utf-8", "replace"), parser)
    except (etree.LxmlError, ValueError):
        raise MediaError("damaged document") from None
    return text


def xml_tree(data: bytes) -> etree._Element:
    """A small XML file, such as a table of contents.

    Raises:
        MediaError: it is no well-formed XML, or not small.
    """
    if len(data) > _MAX_TREE_BYTES or data.count(b"<") > _MAX_TREE_TAGS:
        raise MediaError("damaged document (a part is too large)")
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        return etree.fromstring(data, parser)
    except (etree.LxmlError, ValueError):
        raise MediaError("damaged document") from None


def local(tag: str) -> str:
    """The name of an element without its namespace."""
    return tag.rpartition("}")[2]
