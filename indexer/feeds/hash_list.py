"""One hash a line, as Meta's tools write them.

A line is `<hash>`, `<hash>,<quality>` or `<type> <hash>`, where the type is also one of
ThreatExchange's names. Blank lines and those that begin with `#` are passed over.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from engine.entries import NewItem
from engine.errors import InvalidInputError
from engine.hashes import Hash, HashType, Item, MediaType
from indexer.feeds.lines import Line
from indexer.feeds.reading import Defaults, Read
from indexer.feeds.values import parse_hash_type, parse_quality, parse_value

# ThreatExchange's names say what the hash was taken of as well.
_SIGNAL_TYPES: Final = MappingProxyType(
    {
        "video_md5": (HashType.MD5, MediaType.VIDEO),
        "hash_video_md5": (HashType.MD5, MediaType.VIDEO),
        "hash_pdq": (HashType.PDQ, None),
        "hash_md5": (HashType.MD5, None),
        "hash_sha256": (HashType.SHA256, None),
    }
)


class HashList:
    """Reads the hashes of a list."""

    def __init__(
        self, lines: Iterator[Line], defaults: Defaults, hash_type: HashType = HashType.PDQ
    ) -> None:
        """Takes what to read.

        Args:
            lines: the list.
            defaults: media type and labels of every item.
            hash_type: of the lines that name none.
        """
        self._lines = lines
        self._defaults = defaults
        self._hash_type = hash_type

    def __iter__(self) -> Iterator[Read]:
        for number, text, problem in self._lines:
            if problem:
                yield number, problem
                continue
            line = text.strip()
            if not line or line.startswith("#"):
                continue
            try:
                yield number, self._item(line)
            except InvalidInputError as error:
                yield number, str(error)

    def _item(self, line: str) -> NewItem:
        hash_type, media_type = self._hash_type, self._defaults.media_type
        value_text, _, quality_text = line.partition(",")
        words = value_text.split()
        if len(words) == 2:
            name = words[0].lower()
            if name in _SIGNAL_TYPES:
                hash_type, media = _SIGNAL_TYPES[name]
                media_type = media or media_type
            else:
                hash_type = parse_hash_type(name, "type")
        elif len(words) != 1:
            raise InvalidInputError("line", f"{len(words)} words, want a hash or a type and a hash")
        value = parse_value(hash_type, words[-1], "hash")
        hash_ = Hash(hash_type, value, parse_quality(quality_text.strip()))
        return NewItem(Item(media_type, (hash_,)), self._defaults.labels)
