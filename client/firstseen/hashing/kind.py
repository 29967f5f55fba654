"""What kind of content a file is, by its first bytes."""

from typing import Final

from firstseen.hashing.document_kind import text_kind
from firstseen.items import MediaType

# ISO base media files say at byte 8 what they are: these brands are pictures (HEIF and
# AVIF, ISO/IEC 23008-12 and the AVIF specification), every other is a video.
_PICTURE_BRANDS: Final = frozenset(
    {
        b"heic",
        b"heix",
        b"heim",
        b"heis",
        b"hevc",
        b"hevx",
        b"mif1",
        b"mif2",
        b"msf1",
        b"avif",
        b"avis",
    }
)
_DOCUMENT_HEADS: Final = (
    b"%PDF-",
    b"PK\x03\x04",  # DOCX, PPTX, XLSX, ODT, ODP, ODS, EPUB
    b"{\\rtf",
    b"\xd0\xcf\x11\xe0",  # Office before 2007
)
_VIDEO_HEADS: Final = (
    b"\x1a\x45\xdf\xa3",  # Matroska, WebM
    b"\x00\x00\x01\xba",  # MPEG program stream
    b"\x00\x00\x01\xb3",
    b"FLV\x01",
    b"OggS",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11",  # ASF, WMV
)
# QuickTime files from before `ftyp` begin with one of these (QuickTime File Format, Apple).
_MOVIE_ATOMS: Final = frozenset({b"moov", b"mdat", b"wide", b"skip", b"pnot"})
# A transport stream has no head: each packet of 188 bytes begins with this one (ISO/IEC
# 13818-1). Cameras (AVCHD, Blu-ray) put a time of four bytes before each.
_SYNC: Final = 0x47
_PACKETS: Final = ((0, 188), (4, 192))  # the first such byte, and how far it is to the next
# Of these kinds a picture may be animated; what they are is told by `is_animation`.
_MOVING_HEADS: Final = (b"GIF8", b"\x89PNG")
_MOVING_BRANDS: Final = frozenset({b"avif", b"avis", b"msf1"})
# Pictures whatever follows: a comment can make the rest look like text or like packets.
_PICTURE_HEADS: Final = (*_MOVING_HEADS, b"\xff\xd8\xff", b"II*\0", b"MM\0*")


def media_type_of(head: bytes) -> MediaType:
    """What kind of content a file is; what is not recognised is tried as a picture.

    Text has no first bytes of its own: what is all letters and no controls is a document.

    Args:
        head: its first 4,096 bytes, or all of it; 16 are enough for all but text and
            transport streams.
    """
    if head.startswith(_DOCUMENT_HEADS):
        return MediaType.DOCUMENT
    is_avi = head.startswith(b"RIFF") and head[8:12] == b"AVI "
    is_media = head[4:8] == b"ftyp"
    is_movie = is_media and head[8:12] not in _PICTURE_BRANDS
    is_movie |= head[4:8] in _MOVIE_ATOMS
    if is_avi or is_movie or head.startswith(_VIDEO_HEADS):
        return MediaType.VIDEO
    if is_media or may_move(head) or head.startswith(_PICTURE_HEADS):
        return MediaType.IMAGE
    if text_kind(head):
        return MediaType.DOCUMENT
    return MediaType.VIDEO if _is_transport_stream(head) else MediaType.IMAGE


def may_be_video(head: bytes) -> bool:
    """Whether a file is a video, or a picture of a kind that may be animated.

    Args:
        head: as `media_type_of`.
    """
    return media_type_of(head) is MediaType.VIDEO or may_move(head)


def may_move(head: bytes) -> bool:
    """Whether a file is a picture of a kind that may be animated.

    Args:
        head: its first 16 bytes or more.
    """
    is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    is_sequence = head[4:8] == b"ftyp" and head[8:12] in _MOVING_BRANDS
    return is_webp or is_sequence or head.startswith(_MOVING_HEADS)


def _is_transport_stream(head: bytes) -> bool:
    """Whether every packet in sight, and two at least, begins as one of a transport stream."""
    starts = (head[first::step] for first, step in _PACKETS)
    return any(len(found) >= 2 and set(found) == {_SYNC} for found in starts)
