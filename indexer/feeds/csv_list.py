"""Hashes from CSV; the columns are told in docs/formats.md.

A row is one line. Adjacent rows of one `item` are one item, which is taken whole or not at
all: a corrected file then lists it once, and not beside the half that was right before.
"""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final

from engine.entries import Labels, NewItem
from engine.errors import InvalidInputError
from engine.hashes import SPECS, Hash, HashType, Item, MediaType
from indexer.feeds.lines import Line
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Read
from indexer.feeds.values import (
    parse_count,
    parse_hash_type,
    parse_media_type,
    parse_quality,
    parse_value,
    showable_name,
)

COLUMNS: Final = (
    "hash_type",
    "value",
    "quality",
    "media_type",
    "item",
    "frame_offset_ms",
    "page_index",
    "category",
    "severity",
    "source",
    "reference",
)
VALUE_COLUMNS: Final = {"pdq": HashType.PDQ, "sha256": HashType.SHA256, "md5": HashType.MD5}
_COLUMN_NAMES: Final = {type_: name for name, type_ in VALUE_COLUMNS.items()}
_ABOUT_COLUMNS: Final = ("media_type", "category", "severity", "source", "reference")
_PAIR: Final = frozenset({"hash_type", "value"})
_OTHER_SIGNS: Final = ";\t"
_ABSENT: Final = -1  # where the empty field is that every row gets at its end
_MAX_CACHED: Final = 4_096


class RowError(Exception):
    """A row that cannot be read; the text says why, without the value."""


def split_row(text: str) -> list[str]:
    """The fields of one line.

    Raises:
        RowError: its quotes do not close.
    """
    if '"' not in text:
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise RowError("row: quotes do not fit (a row is one line)") from None


def is_header(text: str) -> bool:
    """Whether a line begins a CSV list, be it one with other signs between its columns."""
    if is_separated_otherwise(text):
        return True
    try:
        names = {name.strip().lower() for name in split_row(text)}
    except RowError:
        return False
    return "value" in names or not names.isdisjoint(VALUE_COLUMNS)


def is_separated_otherwise(text: str) -> bool:
    """Whether a header would be one with the signs that some spreadsheets write for commas."""
    for sign in _OTHER_SIGNS:
        names = {name.strip(' "').lower() for name in text.split(sign)}
        if len(names) > 1 and (names >= _PAIR or not names.isdisjoint(VALUE_COLUMNS)):
            return True
    return False


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where each column is.

    Attributes:
        width: how many columns there are.
        at: the place of each column; `_ABSENT` for one that is not there.
        values: place and type of each column named after its hash type.
        about: takes the fields of `_ABOUT_COLUMNS` out of a row.
    """

    width: int
    at: dict[str, int]
    values: tuple[tuple[int, HashType], ...]
    about: Callable[[list[str]], tuple[str, ...]]

    @classmethod
    def of(cls, names: list[str], *, ignore_unknown: bool) -> "_Layout":
        """Reads a header.

        Raises:
            InvalidInputError: a column is unknown, twice there, or missing.
        """
        at: dict[str, int] = {}
        for index, raw in enumerate(names):
            name = raw.strip().lower()
            if name not in COLUMNS and name not in VALUE_COLUMNS:
                if ignore_unknown:
                    continue
                raise InvalidInputError("header", f"unknown column {showable_name(raw.strip())}")
            if name in at:
                raise InvalidInputError("header", f"column {name} is there twice")
            at[name] = index
        values = tuple((at[name], type_) for name, type_ in VALUE_COLUMNS.items() if name in at)
        if not values and not at.keys() >= _PAIR:
            raise InvalidInputError("header", "want hash_type and value, or pdq, sha256 or md5")
        if values and not at.keys().isdisjoint(_PAIR):
            raise InvalidInputError("header", "either hash_type and value, or pdq, sha256 or md5")
        every = {name: at.get(name, _ABSENT) for name in COLUMNS}
        about = itemgetter(*(every[name] for name in _ABOUT_COLUMNS))
        return cls(len(names), every, values, about)


@dataclass(slots=True)
class _Group:
    """The item that rows of one name make."""

    name: str
    line: int
    media_type: MediaType
    labels: Labels
    hashes: list[Hash] = field(default_factory=list)
    problem: str = ""

    def finished(self) -> Read:
        """The item, or why there is none."""
        if self.problem:
            return self.line, self.problem
        return self.line, NewItem(Item(self.media_type, tuple(self.hashes)), self.labels)


class CsvList:
    """Reads the rows of a list."""

    def __init__(self, lines: Iterator[Line], defaults: Defaults, *, ignore_unknown: bool) -> None:
        """Reads the header.

        Raises:
            InvalidInputError: there is none, or it is not of this format.
        """
        self._lines = lines
        self._defaults = defaults
        self._about_cache: dict[tuple[str, ...], tuple[MediaType, Labels]] = {}
        for number, text, problem in lines:
            if problem:
                raise InvalidInputError(f"line {number}", f"{problem}, want a header in UTF-8")
            if text.strip():
                no_comma = "," not in text and any(sign in text for sign in _OTHER_SIGNS)
                if no_comma or is_separated_otherwise(text):
                    raise InvalidInputError("header", "want columns separated by commas")
                try:
                    names = split_row(text)
                except RowError as error:
                    raise InvalidInputError(f"line {number}", str(error)) from None
                self._layout = _Layout.of(names, ignore_unknown=ignore_unknown)
                return
        raise InvalidInputError("header", "missing: the file has no lines")

    def __iter__(self) -> Iterator[Read]:
        return self._single() if self._layout.at["item"] == _ABSENT else self._grouped()

    def _single(self) -> Iterator[Read]:
        for number, text, problem in self._lines:
            if problem:
                yield number, problem
                continue
            if not text or text.isspace():
                continue
            try:
                fields = self._fields(text)
                media_type, labels = self._about(fields)
                yield number, NewItem(Item(media_type, self._hashes(fields)), labels)
            except (RowError, InvalidInputError) as error:
                yield number, str(error)

    def _grouped(self) -> Iterator[Read]:
        name_at = self._layout.at["item"]
        group: _Group | None = None
        unread = 0  # a line inside the group of which not even the name could be read
        for number, text, problem in self._lines:
            if not problem and (not text or text.isspace()):
                continue
            try:
                if problem:
                    raise RowError(problem)
                fields = self._fields(text)
            except RowError as error:
                yield number, str(error)
                unread = number
                continue
            name = fields[name_at]
            if group is not None and (not name or name != group.name):
                yield group.finished()
                group = None
            if group is None:
                group = _Group(name, number, self._defaults.media_type, self._defaults.labels)
            elif unread and not group.problem:
                group.problem = f"item: its line {unread} could not be read"
            unread = 0
            self._add(group, number, fields)
        if group is not None:
            yield group.finished()

    def _add(self, group: _Group, number: int, fields: list[str]) -> None:
        """Adds a row to its item; what is wrong with the row is wrong with the item."""
        if group.problem:
            return
        try:
            media_type, labels = self._about(fields)
            if group.line == number:
                group.media_type, group.labels = media_type, labels
            elif media_type not in (group.media_type, self._defaults.media_type):
                raise RowError("media_type: differs within the item")
            elif labels not in (group.labels, self._defaults.labels):
                raise RowError("labels: differ within the item")
            group.hashes.extend(self._hashes(fields))
            if len(group.hashes) > MAX_ITEM_HASHES:
                raise RowError(f"item: over {MAX_ITEM_HASHES} hashes")
        except (RowError, InvalidInputError) as error:
            group.hashes.clear()
            where = "" if number == group.line else f" (line {number} of its item)"
            group.problem = f"{error}{where}"

    def _fields(self, text: str) -> list[str]:
        fields = split_row(text)
        if len(fields) != self._layout.width:
            raise RowError(f"row: {len(fields)} columns, want {self._layout.width}")
        fields.append("")
        return fields

    def _about(self, fields: list[str]) -> tuple[MediaType, Labels]:
        texts = self._layout.about(fields)
        found = self._about_cache.get(texts)
        if found is not None:
            return found
        media_text, category, severity, source, reference = texts
        found = (
            parse_media_type(media_text) if media_text else self._defaults.media_type,
            self._defaults.labels_of(
                category, parse_count("severity", severity), source, reference
            ),
        )
        if len(self._about_cache) >= _MAX_CACHED:
            self._about_cache.clear()
        self._about_cache[texts] = found
        return found

    def _hashes(self, fields: list[str]) -> tuple[Hash, ...]:
        at = self._layout.at
        text = fields[at["quality"]]
        quality = parse_quality(text.strip()) if text else None
        text = fields[at["frame_offset_ms"]]
        frame = parse_count("frame_offset_ms", text) if text else None
        text = fields[at["page_index"]]
        page = parse_count("page_index", text) if text else None
        if not self._layout.values:
            type_ = parse_hash_type(fields[at["hash_type"]])
            value = parse_value(type_, fields[at["value"]].strip())
            return (Hash(type_, value, quality, frame, page),)
        hashes = []
        unused_quality = quality is not None
        for index, type_ in self._layout.values:
            if text := fields[index].strip():
                own = quality if SPECS[type_].has_quality else None
                unused_quality &= own is None
                value = parse_value(type_, text, _COLUMN_NAMES[type_])
                hashes.append(Hash(type_, value, own, frame, page))
        if not hashes:
            raise RowError("row: no hash")
        if unused_quality:
            raise RowError("quality: of no perceptual hash")
        return tuple(hashes)
