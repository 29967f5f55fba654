"""One video from a file of Meta's vPDQ, as text or as JSON.

Such files hold every frame, and thirty frames of a second say the same thing thirty times. As
many are taken as a check samples: two a second at the beginning, then one.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from engine.entries import NewItem
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from firstseen.hashing.vpdq import VpdqError, VpdqFrame, by_the_clock, parse_json, parse_line
from indexer.feeds.lines import Line
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Read

# Two hours of 30 frames a second are 17 MB.
MAX_JSON_CHARACTERS: Final = 64 << 20


class VpdqList:
    """Reads one video; a line that is wrong is rejected, and the frames of the others listed."""

    def __init__(self, lines: Iterator[Line], defaults: Defaults) -> None:
        """Takes what to read.

        Args:
            lines: the file.
            defaults: labels of the item; it is a video whatever they say.
        """
        self._lines = lines
        self._defaults = defaults
        self._rejected: list[Read] = []

    def __iter__(self) -> Iterator[Read]:
        first = 1
        hashes: list[Hash] = []
        for line in self._lines:
            number, text, problem = line
            if not problem and not text.strip():
                continue
            first = number
            frames = self._json(line) if text.lstrip().startswith("[") else self._text(line)
            hashes = list(_sampled(frames))
            break
        yield from self._rejected
        if len(hashes) > MAX_ITEM_HASHES:
            yield first, f"hashes: more than {MAX_ITEM_HASHES} sampled frames"
        elif hashes:
            yield first, NewItem(Item(MediaType.VIDEO, tuple(hashes)), self._defaults.labels)

    def _text(self, line: Line) -> Iterator[VpdqFrame]:
        while True:
            number, text, problem = line
            if problem:
                self._rejected.append((number, problem))
            elif text.strip():
                try:
                    yield parse_line(text)
                except VpdqError as error:
                    self._rejected.append((number, str(error)))
            following = next(self._lines, None)
            if following is None:
                return
            line = following

    def _json(self, line: Line) -> Iterable[VpdqFrame]:
        number, text, problem = line
        parts = [text]
        size = len(text)
        for _, more, wrong in self._lines:
            problem = problem or wrong
            parts.append(more)
            size += len(more)
            if size > MAX_JSON_CHARACTERS:
                problem = f"file: over {MAX_JSON_CHARACTERS} characters"
                break
        if not problem:
            try:
                return parse_json("\n".join(parts))
            except VpdqError as error:
                problem = str(error)
        self._rejected.append((number, problem))
        return ()


def _sampled(frames: Iterable[VpdqFrame]) -> Iterator[Hash]:
    """At most one frame more than an item may have, so that too many are told from enough."""
    for value, quality, offset_ms in islice(by_the_clock(frames), MAX_ITEM_HASHES + 1):
        yield Hash(HashType.PDQ, HashValue(value), quality, offset_ms)
