"""How often a progressive JPEG goes over its pixels.

A scan that says nothing of any of 256 megapixels takes 347 bytes and a seventh of a second, so a
megabyte of them would take minutes; no count of pixels bounds that.
"""

import re
from typing import Final

from firstseen.errors import MediaError

# Encoders make 10 scans, of grey 6. These are 32 of the largest picture, some 5 s, and 700 of
# one of 12 megapixels.
_MOST_PIXELS: Final = 1 << 33
# A file has as many segments as scans and tables, and one for each 64 KiB of metadata.
_MOST_SEGMENTS: Final = 10_000
# What is no stuffed byte, no restart and no filling (ITU-T T.81, B.1.1).
_MARKER: Final = re.compile(rb"\xff+([\x02-\xcf\xd8-\xfe])")
_START_OF_IMAGE: Final = 0xD8
_END_OF_IMAGE: Final = 0xD9
_START_OF_SCAN: Final = 0xDA


def check_scans(data: bytes, pixels: int) -> None:
    """Refuses a JPEG of too many scans.

    Args:
        data: the whole file.
        pixels: of the picture.

    Raises:
        MediaError: it has too many for its size, or too many segments of any kind.
    """
    most = _MOST_PIXELS // pixels
    place = scans = 0
    for _ in range(_MOST_SEGMENTS):
        marker = _MARKER.search(data, place)
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            return
        place = marker.end()
        if marker[1][0] != _START_OF_IMAGE:
            place += int.from_bytes(data[place : place + 2])
        scans += marker[1][0] == _START_OF_SCAN
        if scans > most:
            raise MediaError(f"over {most:,} scans of {pixels:,} pixels")
    raise MediaError(f"over {_MOST_SEGMENTS:,} segments")
