"""The clip behind a Motion Photo: a JPEG with an MP4 at its end, as Android phones take them."""

import re
from typing import Final

_END_OF_PICTURE: Final = b"\xff\xd9"
# In the XMP of the JPEG: `MicroVideoOffset` (2017) counts bytes from the end of the file, and
# so does the `Item:Length` of the item that is a `MotionPhoto` (Motion Photo format 1.0, Google).
_OFFSET: Final = re.compile(rb'MicroVideoOffset\s*(?:=\s*["\']|>)\s*(\d{1,12})')
_ITEM: Final = re.compile(rb"<[^<>]{0,2000}Item:Semantic\s*=\s*[\"']MotionPhoto[\"'][^<>]{0,2000}>")
_LENGTH: Final = re.compile(rb"Item:Length\s*=\s*[\"'](\d{1,12})[\"']")
_XMP_BYTES: Final = 1 << 20  # the XMP stands at the beginning
_LEAST_BOX_BYTES: Final = 8
_MOST_BOX_BYTES: Final = 256


def clip_start(data: bytes) -> int | None:
    """Where the MP4 of a Motion Photo begins; None when there is none.

    What the XMP says comes first; editors and messengers drop it, and Samsung writes none,
    so else it is the first `ftyp` box behind an end of a picture.

    Args:
        data: the whole JPEG.
    """
    if not data.startswith(b"\xff\xd8"):
        return None
    for length in _told_lengths(data[:_XMP_BYTES]):
        start = len(data) - length
        if start > 0 and _is_movie(data, start):
            return start
    end = data.find(_END_OF_PICTURE)
    while end >= 0:
        kind = data.find(b"ftyp", end + 2)
        if kind < 0:
            return None
        if kind - 4 >= end + 2 and _is_movie(data, kind - 4):
            return kind - 4
        end = kind
    return None


def _told_lengths(head: bytes) -> list[int]:
    told = [int(found) for found in _OFFSET.findall(head)]
    for item in _ITEM.findall(head):
        told += [int(found) for found in _LENGTH.findall(item)]
    return told


def _is_movie(data: bytes, start: int) -> bool:
    size = int.from_bytes(data[start : start + 4])
    return data[start + 4 : start + 8] == b"ftyp" and (
        _LEAST_BOX_BYTES < size <= _MOST_BOX_BYTES and start + size <= len(data)
    )
