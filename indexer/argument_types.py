"""How the text of an option becomes a value.

What does not fit is refused here, where the message names the option that was typed.
"""

import argparse
from collections.abc import Callable
from typing import Final, TypeVar

from engine.errors import InvalidInputError
from engine.hashes import HashType, MediaType
from engine.policy import Bank, BankId, BankRole
from indexer.feeds.values import parse_hash_type, parse_media_type

_T = TypeVar("_T")
_ANY_BANK: Final = BankId(1)


def whole_number(least: int, most: int) -> Callable[[str], int]:
    """Takes whole numbers from `least` to `most`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise argparse.ArgumentTypeError("want a whole number")
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"want {least} to {most}")
        return int(text)

    return parse


def words(most_bytes: int | None = None) -> Callable[[str], str]:
    """Takes any text of at most so many bytes of UTF-8."""

    def parse(text: str) -> str:
        try:
            size_bytes = len(text.encode())
        except UnicodeEncodeError:
            raise argparse.ArgumentTypeError("not UTF-8") from None
        if most_bytes is not None and size_bytes > most_bytes:
            raise argparse.ArgumentTypeError(f"{size_bytes:,} bytes, want at most {most_bytes:,}")
        return text

    return parse


def new_bank_name(text: str) -> str:
    """Takes what a bank may be called."""
    _told(lambda: Bank(_ANY_BANK, text))
    return text


def bank_role(text: str) -> BankRole:
    """Takes the name of a role."""
    try:
        return BankRole[text.upper()]
    except KeyError:
        raise argparse.ArgumentTypeError("want known or cleared") from None


def named_media_type(text: str) -> MediaType:
    """Takes the name of a media type."""
    return _told(lambda: parse_media_type(text))


def named_hash_type(text: str) -> HashType:
    """Takes the name of a hash type."""
    return _told(lambda: parse_hash_type(text))


def _told(parse: Callable[[], _T]) -> _T:
    """What `parse` gives.

    Raises:
        argparse.ArgumentTypeError: it refuses; with the reason.
    """
    try:
        return parse()
    except InvalidInputError as error:
        raise argparse.ArgumentTypeError(error.problem) from None
