"""From any file to an item, by what its first bytes say it is.

An animated picture is a video. A Motion Photo is a picture and a video: `hash_items` and
`listed_items` give both.
"""

import stat
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Final

from firstseen.errors import MediaError
from firstseen.hashing.document_kind import HEAD_BYTES
from firstseen.hashing.forms import BankProfile
from firstseen.hashing.item_limits import BANK_HASHES, QUERY_HASHES
from firstseen.hashing.kind import may_move, media_type_of
from firstseen.hashing.video_limits import Progress, VideoLimits
from firstseen.items import Item, MediaType
from firstseen.usage import path_of, refusal

# A document has at least this much room, whatever a server says.
_LEAST_HASHES: Final = 16


@dataclass(frozen=True, slots=True)
class FileOptions:
    """How files are hashed.

    Attributes:
        profile: of the bank that will list them; None for a question.
        dihedral: in a question, also hash mirrored and, of pictures, turned forms.
        max_hashes: of one item; a server's policy says how many it takes.
        exact_when_undecodable: give a video that cannot be decoded, or a document that cannot be
            read, by its exact hashes alone. NOVEL then says only that this very file is not listed.
        video_limits: what one video may cost.
    """

    profile: BankProfile | None = None
    dihedral: bool = True
    max_hashes: int = QUERY_HASHES
    exact_when_undecodable: bool = False
    video_limits: VideoLimits = field(default_factory=VideoLimits)


QUERY: Final = FileOptions()


def bank_files(
    profile: BankProfile = BankProfile.STANDARD, video_limits: VideoLimits | None = None
) -> FileOptions:
    """How files are hashed that are to be listed."""
    limits = video_limits or VideoLimits()
    return FileOptions(profile, max_hashes=BANK_HASHES, video_limits=limits)


def hash_file(
    path: str | Path,
    *,
    dihedral: bool = True,
    media_type: MediaType | None = None,
    exact_when_undecodable: bool = False,
    progress: Progress | None = None,
    max_hashes: int = QUERY_HASHES,
) -> Item:
    """Hashes a file that is asked about.

    Args:
        path: a picture, a video or a document.
        dihedral: see `FileOptions`.
        media_type: what the file is; None to go by its first bytes.
        exact_when_undecodable: see `FileOptions`.
        progress: told how far a video is.
        max_hashes: see `FileOptions`.

    Raises:
        MediaError: it is empty, or it cannot be read: it is damaged, encrypted or over a limit.
        OSError: it cannot be read.
    """
    options = FileOptions(
        dihedral=dihedral, max_hashes=max_hashes, exact_when_undecodable=exact_when_undecodable
    )
    with _opened(path) as stream:
        item, _ = _first_item(stream, options, progress, media_type)
    return item


def hash_items(
    path: str | Path, options: FileOptions = QUERY, progress: Progress | None = None
) -> tuple[Item, ...]:
    """Hashes everything that a file holds; see `stream_items`.

    Raises:
        MediaError: as `hash_file`.
        OSError: it cannot be read.
    """
    with _opened(path) as stream:
        return stream_items(stream, options, progress)


def listed_items(
    path: Path, profile: BankProfile = BankProfile.STANDARD, progress: Progress | None = None
) -> tuple[Item, ...]:
    """Hashes everything that a file holds, to be listed in a bank; see `stream_items`.

    Raises:
        MediaError: as `hash_file`.
        OSError: it cannot be read.
    """
    return hash_items(path, bank_files(profile), progress)


def stream_items(
    stream: BinaryIO, options: FileOptions = QUERY, progress: Progress | None = None
) -> tuple[Item, ...]:
    """Hashes everything that a file holds: of a Motion Photo its picture and then its clip.

    A clip's exact hashes are of the clip alone, as when it is taken out of the photo. A clip
    that cannot be decoded is left out, for the picture is there to be judged: a few bytes
    behind a known picture must not make it novel.

    Args:
        stream: the file, which can seek.
        options: how.
        progress: told how far a video is.

    Raises:
        MediaError: as `hash_file`.
        OSError: it cannot be read.
    """
    if not hasattr(stream, "read"):
        raise refusal("stream", stream, "an open file (of a path: hash_items)")
    item, picture = _first_item(stream, options, progress, None)
    # Imported here, as below: only what a file needs is loaded.
    from firstseen.hashing.motion_photo import clip_start  # noqa: PLC0415

    start = clip_start(picture)
    if start is None:
        return (item,)
    clip = BytesIO(memoryview(picture)[start:])
    try:
        return (item, _video(clip, replace(options, exact_when_undecodable=False), progress))
    except MediaError:
        return (item,)


def _opened(path: str | Path) -> BinaryIO:
    path = path_of(path)
    if stat.S_ISFIFO(path.stat().st_mode):
        raise MediaError("no regular file")  # opening a pipe would wait for its writer
    return path.open("rb")


def _first_item(
    stream: BinaryIO,
    options: FileOptions,
    progress: Progress | None,
    media_type: MediaType | None,
) -> tuple[Item, bytes]:
    """What the file is at its beginning; and all its bytes, if that is a picture."""
    head = stream.read(HEAD_BYTES)
    if not head:
        raise MediaError("empty file")
    match media_type or _media_type(head, stream, options.video_limits):
        case MediaType.VIDEO:
            return _video(stream, options, progress), b""
        case MediaType.DOCUMENT:
            return _document(stream, options), b""
        case _:
            from firstseen.hashing.picture import MAX_BYTES, UnknownFormatError  # noqa: PLC0415

            data = _whole(stream, MAX_BYTES)
            try:
                return _picture(data, options), data
            except UnknownFormatError:
                if media_type:
                    raise
                # Tried as a picture because it is not recognised as anything.
                raise MediaError("no picture, video or document of a known format") from None


def _media_type(head: bytes, stream: BinaryIO, limits: VideoLimits) -> MediaType:
    found = media_type_of(head)
    if found is not MediaType.IMAGE or not may_move(head):
        return found
    from firstseen.hashing.animation import is_animation  # noqa: PLC0415

    stream.seek(0)
    return MediaType.VIDEO if is_animation(stream, limits) else found


def _video(stream: BinaryIO, options: FileOptions, progress: Progress | None) -> Item:
    from firstseen.hashing.video import VideoOptions, hash_video  # noqa: PLC0415

    chosen = VideoOptions(
        profile=options.profile,
        mirrored=options.dihedral,
        max_hashes=options.max_hashes,
        limits=options.video_limits,
        exact_when_undecodable=options.exact_when_undecodable,
    )
    return hash_video(stream, chosen, progress)


def _document(stream: BinaryIO, options: FileOptions) -> Item:
    from firstseen.hashing.document import hash_document  # noqa: PLC0415
    from firstseen.hashing.document_limits import DocumentLimits  # noqa: PLC0415

    data = _whole(stream, DocumentLimits().max_bytes)
    return hash_document(
        data,
        max_hashes=max(options.max_hashes, _LEAST_HASHES),
        is_listed=options.profile is not None,
        exact_when_undecodable=options.exact_when_undecodable,
    )


def _whole(stream: BinaryIO, max_bytes: int) -> bytes:
    """All of a file; a read of the most that it may have would take the memory for that."""
    size_bytes = stream.seek(0, 2)
    if size_bytes > max_bytes:
        raise MediaError(f"over {max_bytes:,} bytes")
    stream.seek(0)
    return stream.read(size_bytes)


def _picture(data: bytes, options: FileOptions) -> Item:
    from firstseen.hashing.image import hash_image, hash_listed_image  # noqa: PLC0415

    if options.profile is None:
        return hash_image(data, dihedral=options.dihedral, max_hashes=options.max_hashes)
    return hash_listed_image(data, profile=options.profile)
