"""From any file to an item, by what its first bytes say it is.

An animated picture is a video. A Motion Photo is a picture and a video: `hash_items` gives both.
"""

import stat
from io import BytesIO
from pathlib import Path
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.document_kind import HEAD_BYTES, text_kind
from firstseen.hashing.video_limits import Progress
from firstseen.items import Item, MediaType

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


def media_type_of(head: bytes) -> MediaType:
    """What kind of content a file is; what is not recognised is tried as a picture.

    Text has no first bytes of its own: what is all letters and no controls is a document.

    Args:
        head: its first 4,096 bytes, or all of it; 16 are enough for all but text.
    """
    if head.startswith(_DOCUMENT_HEADS):
        return MediaType.DOCUMENT
    is_avi = head.startswith(b"RIFF") and head[8:12] == b"AVI "
    is_movie = head[4:8] == b"ftyp" and head[8:12] not in _PICTURE_BRANDS
    is_movie |= head[4:8] in _MOVIE_ATOMS
    if is_avi or is_movie or head.startswith(_VIDEO_HEADS):
        return MediaType.VIDEO
    return MediaType.DOCUMENT if text_kind(head) else MediaType.IMAGE


# Of these kinds a picture may be animated; what they are is told by `is_animation`.
_MOVING_HEADS: Final = (b"GIF8", b"\x89PNG")
_MOVING_BRANDS: Final = frozenset({b"avif", b"avis", b"msf1"})


def hash_file(
    path: Path,
    *,
    dihedral: bool = True,
    media_type: MediaType | None = None,
    exact_when_undecodable: bool = False,
    progress: Progress | None = None,
) -> Item:
    """Hashes a file that is asked about.

    Args:
        path: a picture, a video or a document.
        dihedral: also hash mirrored and, of pictures, turned forms.
        media_type: what the file is; None to go by its first bytes.
        exact_when_undecodable: give a video that cannot be decoded by its exact hashes
            alone. NOVEL then says only that this very file is not listed.
        progress: told how far a video is.

    Raises:
        MediaError: it is empty, or it cannot be read: it is damaged, encrypted or over a limit.
        OSError: it cannot be read.
    """
    if stat.S_ISFIFO(path.stat().st_mode):
        raise MediaError("no regular file")  # opening a pipe would wait for its writer
    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            raise MediaError("empty file")
        if media_type is None:
            media_type = media_type_of(head)
            if media_type is MediaType.IMAGE and _may_move(head):
                # Imported here, as below: only what a file needs is loaded.
                from firstseen.hashing.animation import is_animation  # noqa: PLC0415

                stream.seek(0)
                media_type = MediaType.VIDEO if is_animation(stream) else media_type
        if media_type is MediaType.VIDEO:
            from firstseen.hashing.video import VideoOptions, hash_video  # noqa: PLC0415

            options = VideoOptions(mirrored=dihedral, exact_when_undecodable=exact_when_undecodable)
            return hash_video(stream, options, progress)
    if media_type is MediaType.DOCUMENT:
        from firstseen.hashing.document import hash_document_file  # noqa: PLC0415

        return hash_document_file(path)
    from firstseen.hashing.image import hash_image_file  # noqa: PLC0415

    return hash_image_file(path, dihedral=dihedral)


def hash_items(path: Path, *, dihedral: bool = True) -> tuple[Item, ...]:
    """Hashes everything that a file holds: of a Motion Photo its picture and then its clip.

    A clip's exact hashes are of the clip alone, as when it is taken out of the photo.

    Args:
        path: as `hash_file`.
        dihedral: as `hash_file`.

    Raises:
        MediaError: as `hash_file`.
        OSError: it cannot be read.
    """
    item = hash_file(path, dihedral=dihedral)
    if item.media_type is not MediaType.IMAGE:
        return (item,)
    from firstseen.hashing.motion_photo import clip_start  # noqa: PLC0415
    from firstseen.hashing.video import VideoOptions, hash_video  # noqa: PLC0415

    data = path.read_bytes()  # bounded: it was just read as a picture
    start = clip_start(data)
    if start is None:
        return (item,)
    options = VideoOptions(mirrored=dihedral, exact_when_undecodable=True)
    return (item, hash_video(BytesIO(memoryview(data)[start:]), options))


def _may_move(head: bytes) -> bool:
    is_webp = head.startswith(b"RIFF") and head[8:12] == b"WEBP"
    is_sequence = head[4:8] == b"ftyp" and head[8:12] in _MOVING_BRANDS
    return is_webp or is_sequence or head.startswith(_MOVING_HEADS)
