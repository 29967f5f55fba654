"""From a picture to an item: PDQ of what it shows, SHA-256 and MD5 of its bytes.

What is asked about and what is listed are hashed differently; see `firstseen.hashing.forms`.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

from firstseen.hashing.exact import exact_hashes
from firstseen.hashing.forms import BankProfile, bank_hashes, query_hashes
from firstseen.hashing.item_limits import QUERY_HASHES
from firstseen.hashing.picture import open_luma
from firstseen.items import Hash, Item, MediaType
from firstseen.usage import BYTES, require

# A thread costs 0.2 ms, SHA-256 and MD5 of this much 0.6: of less, they are made in turn.
_BESIDE_BYTES: Final = 256 << 10


def hash_image(data: bytes, *, dihedral: bool = True, max_hashes: int = QUERY_HASHES) -> Item:
    """Hashes a picture that is asked about.

    Args:
        data: the whole file.
        dihedral: also hash its mirrored and turned forms, so that the original of such a
            copy is found.
        max_hashes: of the item; one PDQ and the exact hashes it has in any case.

    Returns:
        Its PDQ hashes, the upright one of the whole picture first, then its tiles, then
        the exact hashes.

    Raises:
        MediaError: not a picture of an allowed format, damaged, or too large.
        UsageError: no bytes.
    """
    require("data", data, BYTES, "the bytes of a picture (of a path: hash_file)")
    hashes, exact = _hashed(data, dihedral=dihedral)
    # The upright whole comes first and is told most by; tiles come last.
    seen = hashes[: max(max_hashes - len(exact), 1)]
    return Item(MediaType.IMAGE, (*seen, *exact))


def _hashed(data: bytes, *, dihedral: bool) -> tuple[tuple[Hash, ...], tuple[Hash, Hash]]:
    """What a picture shows, and its bytes: of a large file both at once."""
    if len(data) < _BESIDE_BYTES:
        return query_hashes(open_luma(data), dihedral=dihedral), exact_hashes([data])
    with ThreadPoolExecutor(1) as beside:  # neither needs the interpreter's lock for long
        exact_made = beside.submit(exact_hashes, [data])
        return query_hashes(open_luma(data), dihedral=dihedral), exact_made.result()


def hash_listed_image(data: bytes, *, profile: BankProfile = BankProfile.STANDARD) -> Item:
    """Hashes a picture that is listed in a bank.

    Args:
        data: the whole file.
        profile: how many of its forms to list.

    Returns:
        As `hash_image`.

    Raises:
        MediaError: as `hash_image`.
    """
    hashes = bank_hashes(open_luma(data), profile)
    return Item(MediaType.IMAGE, (*hashes, *exact_hashes([data])))
