"""Which files of a folder are hashed: material, and not what lies beside it.

What is passed over is never silent: it is counted, named and written to the report. What is
listed by mistake does harm as well: the text of a well-known licence would be KNOWN to everyone.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import Enum, auto
from fnmatch import fnmatch
from io import BytesIO
from pathlib import Path
from typing import Final

from engine.entries import NewItem
from engine.errors import InvalidInputError
from engine.hashes import MediaType
from firstseen.hashing.document_kind import HEAD_BYTES
from firstseen.hashing.kind import media_type_of
from firstseen.hashing.vpdq import looks_like_vpdq
from indexer.feeds.lines import MAX_LINE_BYTES
from indexer.feeds.opening import (
    Format,
    ReadOptions,
    is_meant_as_list,
    is_plain_text,
    read_file,
)
from indexer.feeds.reading import Defaults, Place
from indexer.feeds.regular import open_regular
from indexer.feeds.rejects import HEADER

EVERY_TYPE: Final = frozenset(MediaType)
# What file managers of Windows leave in folders; those of others begin with a dot.
_LITTER: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
# Plain texts of exactly these names, whatever their suffix, are about a folder, and no material.
ABOUT: Final = frozenset(
    {
        *("authors", "changelog", "changes", "contributing", "contributors", "copying"),
        *("copyright", "credits", "licence", "license", "notice", "readme", "sources"),
        *("license-apache", "license-bsd", "license-mit", "licence-mit"),
    }
)
_VPDQ_JSON: Final = re.compile(rb'\[\s*"[0-9a-fA-F]{64},\d{1,3},')
A_LIST: Final = "a list of hashes: name it by itself"
_AN_ABOUT: Final = "a text about the folder: name it by itself, if it is material"


class _Kind(Enum):
    """What a file is that is not passed over.

    Attributes:
        MATERIAL: to be hashed.
        TEXT: to be hashed, and plain text.
        VPDQ: a video's frames as a list.
    """

    MATERIAL = auto()
    TEXT = auto()
    VPDQ = auto()


@dataclass(slots=True)
class Chosen:
    """What is done with each file of a folder.

    Attributes:
        wanted: to be hashed.
        texts: those of them that are plain text.
        vpdq_lists: each the frames of one video.
        passed_over: the others with the reason.
    """

    wanted: list[Path] = field(default_factory=list)
    texts: list[Path] = field(default_factory=list)
    vpdq_lists: list[Path] = field(default_factory=list)
    passed_over: list[tuple[Place, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which files of a folder to hash.

    Attributes:
        types: what is listed; nothing else is.
        exclude: patterns as of a shell; a file whose name or path in the folder fits one is
            passed over.
        everything: hidden files, lists of hashes and texts such as README too.
        own: files and folders of the indexer itself, which are never hashed.
    """

    types: Collection[MediaType] = EVERY_TYPE
    exclude: tuple[str, ...] = ()
    everything: bool = False
    own: tuple[Path, ...] = ()

    def split(self, folder: Path, files: Iterable[Path]) -> Chosen:
        """What is done with each file.

        Args:
            folder: what the places are told from.
            files: below it.
        """
        own = [path.resolve() for path in self.own]
        chosen = Chosen()
        for path in files:
            place = path.relative_to(folder)
            found = self._by_name(path, place, own) or self._by_content(path)
            if isinstance(found, str):
                chosen.passed_over.append((str(place), found))
            elif found is _Kind.VPDQ:
                chosen.vpdq_lists.append(path)
            else:
                chosen.wanted.append(path)
                if found is _Kind.TEXT:
                    chosen.texts.append(path)
        return chosen

    def _by_name(self, path: Path, place: Path, own: list[Path]) -> str | None:
        """Why a file is passed over whatever is in it; None when that matters."""
        whole = path.resolve()
        if any(whole.is_relative_to(mine) for mine in own):
            return "of the indexer itself"
        if any(fnmatch(path.name, glob) or fnmatch(str(place), glob) for glob in self.exclude):
            return "excluded"
        if not self.everything:
            if any(part.startswith(".") for part in place.parts):
                return "hidden"
            if path.name.lower() in _LITTER:
                return "of a file manager"
        return None

    def _by_content(self, path: Path) -> _Kind | str:
        """What a file is, or why it is passed over."""
        try:
            with open_regular(path) as stream:
                head = stream.read(HEAD_BYTES)
                type_ = MediaType(media_type_of(head))
                is_text = type_ is MediaType.DOCUMENT and is_plain_text(head)
                rest = stream.read(MAX_LINE_BYTES) if is_text and not self.everything else b""
        except OSError:  # the process that is to hash it says what is wrong
            return _Kind.MATERIAL
        if is_text and not self.everything:
            if path.stem.lower() in ABOUT:
                return _AN_ABOUT
            format_ = list_format(head + rest, path.name)
            if format_ is Format.VPDQ:
                return _Kind.VPDQ if MediaType.VIDEO in self.types else UNWANTED[MediaType.VIDEO]
            if format_ is not None:
                return A_LIST
        # What begins as a picture may be animated, or hold a clip: that shows when it is hashed.
        may_be = {type_, MediaType.VIDEO} if type_ is MediaType.IMAGE else {type_}
        if head and not may_be & set(self.types):
            return UNWANTED[type_]
        return _Kind.TEXT if is_text else _Kind.MATERIAL


def is_text_file(path: Path) -> bool:
    """Whether a file is plain text; not, if it cannot be read."""
    try:
        with path.open("rb") as stream:
            head = stream.read(HEAD_BYTES)
    except OSError:  # the process that is to hash it says what is wrong
        return False
    return MediaType(media_type_of(head)) is MediaType.DOCUMENT and is_plain_text(head)


UNWANTED: Final = {
    MediaType.IMAGE: "a picture",
    MediaType.VIDEO: "a video",
    MediaType.DOCUMENT: "a document",
}
"""Why an item is passed over that is of no wanted type."""


def list_format(text: bytes, name: str) -> Format | None:
    """Whether a file is a list that `load` reads, or its report of rejects; None for neither.

    Of the formats it tells vPDQ, whose file is a video, from those with an item a line.

    Args:
        text: its beginning.
        name: its name, for its suffix.
    """
    text_only = text.lstrip(b"\xef\xbb\xbf \t\r\n")
    first = text_only.partition(b"\n")[0].decode("utf-8", "replace")
    if first.strip() == ",".join(HEADER):
        return Format.CSV
    if looks_like_vpdq(first) or _VPDQ_JSON.match(text_only):
        return Format.VPDQ
    try:
        feed = read_file(BytesIO(text), name, Defaults(), ReadOptions(ignore_unknown=True))
        _, found = next(iter(feed), (0, ""))
    except InvalidInputError:
        found = None
    is_list = isinstance(found, NewItem) or is_meant_as_list(text, name)
    return Format.HASHES if is_list else None
