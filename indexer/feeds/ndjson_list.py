"""Items from NDJSON, one a line; the keys are told in docs/formats.md."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from engine.entries import NewItem
from engine.errors import InvalidInputError
from engine.hashes import Hash, Item
from indexer.feeds.lines import Line
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Read
from indexer.feeds.values import parse_hash_type, parse_media_type, parse_value, showable_name

_LABEL_KEYS: Final = frozenset({"category", "severity", "source", "reference"})
_HASH_KEYS: Final = frozenset({"type", "value", "quality", "frame_offset_ms", "page_index"})
# `firstseen hash --json` says whose hashes a line has. The list does not keep it.
_PASSED_OVER: Final = "file"
_NESTED_KEYS: Final = frozenset({"media_type", "hashes", _PASSED_OVER, *_LABEL_KEYS})
_FLAT_KEYS: Final = frozenset({"media_type", *_HASH_KEYS, *_LABEL_KEYS})


class NdjsonList:
    """Reads the items of a list."""

    def __init__(self, lines: Iterator[Line], defaults: Defaults, *, ignore_unknown: bool) -> None:
        self._lines = lines
        self._defaults = defaults
        self._ignore_unknown = ignore_unknown

    def __iter__(self) -> Iterator[Read]:
        for number, text, problem in self._lines:
            if problem:
                yield number, problem
                continue
            if not text or text.isspace():
                continue
            try:
                yield number, self._item(_parsed(text))
            except InvalidInputError as error:
                yield number, str(error)

    def _item(self, row: Mapping[str, Any]) -> NewItem:
        nested = "hashes" in row
        self._refuse_unknown(row, _NESTED_KEYS if nested else _FLAT_KEYS, "")
        if nested:
            listed = row["hashes"]
            if not isinstance(listed, list) or not listed:
                raise InvalidInputError("hashes", "want a list of at least one")
            if len(listed) > MAX_ITEM_HASHES:
                raise InvalidInputError("hashes", f"{len(listed)}, want at most {MAX_ITEM_HASHES}")
            hashes = tuple(self._indexed(index, entry) for index, entry in enumerate(listed))
        else:
            hashes = (_hash(row),)
        media_text = _text(row, "media_type")
        media_type = parse_media_type(media_text) if media_text else self._defaults.media_type
        if _LABEL_KEYS.isdisjoint(row):
            return NewItem(Item(media_type, hashes), self._defaults.labels)
        labels = self._defaults.labels_of(
            _text(row, "category"),
            _count(row, "severity"),
            _text(row, "source"),
            _text(row, "reference"),
        )
        return NewItem(Item(media_type, hashes), labels)

    def _indexed(self, index: int, entry: object) -> Hash:
        where = f"hashes[{index}]"
        if not isinstance(entry, dict):
            raise InvalidInputError(where, "want an object")
        self._refuse_unknown(entry, _HASH_KEYS, f"{where}.")
        try:
            return _hash(entry)
        except InvalidInputError as error:
            raise InvalidInputError(f"{where}.{error.field}", error.problem) from None

    def _refuse_unknown(self, row: Mapping[str, Any], known: frozenset[str], where: str) -> None:
        if self._ignore_unknown or row.keys() <= known:
            return
        unknown = next(key for key in row if key not in known)
        raise InvalidInputError(f"{where}{showable_name(unknown)}", "unknown key")


def _parsed(text: str) -> Mapping[str, Any]:
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):  # an endless number is a plain ValueError
        raise InvalidInputError("line", "not JSON") from None
    if not isinstance(row, dict):
        raise InvalidInputError("line", "want an object")
    return row


def _hash(row: Mapping[str, Any]) -> Hash:
    hash_type = parse_hash_type(_text(row, "type"), "type")
    return Hash(
        hash_type,
        parse_value(hash_type, _text(row, "value")),
        _count(row, "quality"),
        _count(row, "frame_offset_ms"),
        _count(row, "page_index"),
    )


def _text(row: Mapping[str, Any], key: str) -> str:
    found = row.get(key)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise InvalidInputError(key, "want text")
    return found


def _count(row: Mapping[str, Any], key: str) -> int | None:
    found = row.get(key)
    if found is None:
        return None
    if type(found) is not int:  # a bool is an int
        raise InvalidInputError(key, "want a whole number")
    return found
