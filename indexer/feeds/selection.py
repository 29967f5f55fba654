"""Which files of a folder are hashed: material, and not what lies beside it.

What is passed over is never silent: it is counted, named and written to the report. What is
listed by mistake does harm as well: the text of a well-known licence would be KNOWN to everyone.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
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
from indexer.feeds.opening import ReadOptions, is_plain_text, read_file
from indexer.feeds.reading import Defaults, Place
from indexer.feeds.regular import open_regular
from indexer.feeds.rejects import HEADER

EVERY_TYPE: Final = frozenset(MediaType)
# What file managers of Windows leave in folders; those of others begin with a dot.
_LITTER: Final = frozenset({"thumbs.db", "ehthumbs.db", "desktop.ini"})
# Plain text of these names is about a folder, and no material.
_ABOUT: Final = re.compile(r"(readme|licen[cs]e|copying|notice|changelog)([._-].*)?", re.IGNORECASE)


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

    def split(
        self, folder: Path, files: Iterable[Path]
    ) -> tuple[list[Path], list[tuple[Place, str]]]:
        """The files to hash, and those passed over with the reason.

        Args:
            folder: what the places are told from.
            files: below it.
        """
        own = [path.resolve() for path in self.own]
        wanted: list[Path] = []
        passed: list[tuple[Place, str]] = []
        for path in files:
            place = path.relative_to(folder)
            reason = self._why_not(path, place, own)
            if reason is None:
                wanted.append(path)
            else:
                passed.append((str(place), reason))
        return wanted, passed

    def _why_not(self, path: Path, place: Path, own: list[Path]) -> str | None:
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
        try:
            return self._why_not_by_content(path)
        except OSError:  # the process that is to hash it says what is wrong
            return None

    def _why_not_by_content(self, path: Path) -> str | None:
        with open_regular(path) as stream:
            head = stream.read(HEAD_BYTES)
            type_ = MediaType(media_type_of(head))
            is_text = type_ is MediaType.DOCUMENT and is_plain_text(head)
            if is_text and not self.everything:
                if _ABOUT.fullmatch(path.name):
                    return "a text about the folder"
                if is_list(head + stream.read(MAX_LINE_BYTES), path.name):
                    return "a list of hashes: load it by its name"
        # What begins as a picture may be animated, or hold a clip: that shows when it is hashed.
        may_be = {type_, MediaType.VIDEO} if type_ is MediaType.IMAGE else {type_}
        return None if head == b"" or may_be & set(self.types) else UNWANTED[type_]


UNWANTED: Final = {
    MediaType.IMAGE: "a picture",
    MediaType.VIDEO: "a video",
    MediaType.DOCUMENT: "a document",
}
"""Why an item is passed over that is of no wanted type."""


def is_list(text: bytes, name: str) -> bool:
    """Whether a file is a list that `load` reads, or its report of rejects.

    Args:
        text: its beginning.
        name: its name, for its suffix.
    """
    first = text.lstrip(b"\xef\xbb\xbf \t\r\n").partition(b"\n")[0].decode("utf-8", "replace")
    if first.strip() == ",".join(HEADER) or looks_like_vpdq(first):
        return True
    try:
        feed = read_file(BytesIO(text), name, Defaults(), ReadOptions(ignore_unknown=True))
        _, found = next(iter(feed), (0, ""))
    except InvalidInputError:
        return False
    return isinstance(found, NewItem)
