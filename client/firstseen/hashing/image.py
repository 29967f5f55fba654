"""From a picture to an item: PDQ of what it shows, SHA-256 and MD5 of its bytes."""

from pathlib import Path

from firstseen.errors import MediaError
from firstseen.hashing.exact import exact_hashes
from firstseen.hashing.pdq import pdq_hash, pdq_hashes
from firstseen.hashing.picture import MAX_BYTES, open_pixels
from firstseen.items import Item, MediaType


def hash_image(data: bytes, *, dihedral: bool = False) -> Item:
    """Hashes a picture.

    Args:
        data: the whole file.
        dihedral: also hash the seven mirrored and rotated forms, so that such a copy
            is found. For checks; what is listed needs only its own.

    Raises:
        MediaError: not a picture of an allowed format, damaged, or too large.
    """
    pixels = open_pixels(data)
    perceptual = pdq_hashes(pixels) if dihedral else (pdq_hash(pixels),)
    return Item(MediaType.IMAGE, (*perceptual, *exact_hashes([data])))


def hash_image_file(path: Path, *, dihedral: bool = False) -> Item:
    """Hashes the picture at a path; see `hash_image`.

    Raises:
        MediaError: as `hash_image`.
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise MediaError(f"over {MAX_BYTES:,} bytes")
    return hash_image(data, dihedral=dihedral)
