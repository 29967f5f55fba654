"""The text of a hash, a number or a type, read strictly; its errors never show the text."""

import binascii
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from engine.errors import InvalidInputError
from engine.hashes import MAX_QUALITY, SPECS, HashType, HashValue, MediaType

_SIZES: Final[Mapping[HashType, int]] = MappingProxyType(
    {hash_type: spec.size_bytes for hash_type, spec in SPECS.items()}
)
_HASH_TYPES: Final = MappingProxyType(
    {hash_type.name.lower(): hash_type for hash_type in HashType} | {"sha-256": HashType.SHA256}
)
_MEDIA_TYPES: Final = MappingProxyType({media.name.lower(): media for media in MediaType})
_QUALITIES: Final = MappingProxyType({str(quality): quality for quality in range(MAX_QUALITY + 1)})
_MAX_DIGITS: Final = 15
# A name that cannot be a hash: the shortest, MD5 in base64, has 22 characters and its padding.
_SHOWABLE_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_ .-]{0,19}\Z")


def parse_value(hash_type: HashType, text: str, field: str = "value") -> HashValue:
    """A hash in hex of either case, or in base64.

    Args:
        hash_type: its type.
        text: the hash.
        field: what its file calls it.

    Raises:
        InvalidInputError: it is neither, or not exactly as long as its type.
    """
    size = _SIZES[hash_type]
    if len(text) == 2 * size:
        try:
            value = HashValue.fromhex(text)
        except ValueError:
            raise InvalidInputError(field, "not hexadecimal") from None
        if len(value) != size:  # fromhex passes over blanks
            raise InvalidInputError(field, "not hexadecimal")
        return value
    base64_length = (size + 2) // 3 * 4
    if len(text) != base64_length:
        raise InvalidInputError(
            field, f"{len(text)} characters, want {2 * size} of hex or {base64_length} of base64"
        )
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise InvalidInputError(field, "not base64") from None
    # One hash has one spelling: unused bits of the last character must be zero.
    if len(raw) != size or binascii.b2a_base64(raw, newline=False).decode() != text:
        raise InvalidInputError(field, "not base64")
    return HashValue(raw)


def parse_hash_type(text: str, field: str = "hash_type") -> HashType:
    """The hash type of a name, in either case.

    Args:
        text: the name.
        field: what its file calls it.

    Raises:
        InvalidInputError: there is no such type.
    """
    found = _HASH_TYPES.get(text) or _HASH_TYPES.get(text.strip().lower())
    if found is None:
        raise InvalidInputError(field, f"want one of {', '.join(t.name.lower() for t in HashType)}")
    return found


def parse_media_type(text: str) -> MediaType:
    """The media type of a name, in either case.

    Raises:
        InvalidInputError: there is no such type.
    """
    found = _MEDIA_TYPES.get(text) or _MEDIA_TYPES.get(text.strip().lower())
    if found is None:
        raise InvalidInputError("media_type", "want image, video or document")
    return found


def parse_quality(text: str) -> int | None:
    """A quality, or None for no text.

    Raises:
        InvalidInputError: it is not 0 to 100.
    """
    found = _QUALITIES.get(text)
    if found is None and (number := parse_count("quality", text)) is not None:
        if number > MAX_QUALITY:
            raise InvalidInputError("quality", f"want 0 to {MAX_QUALITY}")
        return number
    return found


def parse_count(field: str, text: str) -> int | None:
    """A whole number from 0, or None for no text.

    Raises:
        InvalidInputError: it is no such number.
    """
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise InvalidInputError(field, "want a whole number")
    return int(text)


def showable_name(name: str) -> str:
    """A column's or key's name for a message, unless it might be a hash."""
    return f"{name!r}" if _SHOWABLE_NAME.match(name) else f"(a name of {len(name)} characters)"
