"""Items at random, near to one another: few values, some bits flipped."""

import random
from collections.abc import Callable

from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from tests.engine.values import (
    chunk,
    document,
    flipped,
    frame,
    md5,
    page,
    pdq,
    sha256,
    tile,
    value,
)


def near_value(chance: random.Random, bits: tuple[int, ...]) -> HashValue:
    """One of few values, some bits flipped."""
    return flipped(value(chance.randrange(5)), chance.choice(bits))


def some_hash(chance: random.Random, media_type: MediaType) -> Hash:
    """A hash of any kind, as a picture, video or document has them."""
    kinds = {
        MediaType.IMAGE: ("pdq", "pdq", "inverse", "tile", "sha256", "md5", "chunk"),
        MediaType.VIDEO: ("frame", "frame", "frame", "tile", "tile", "videohash", "sha256", "pdq"),
        MediaType.DOCUMENT: ("chunk", "chunk", "page", "simhash", "text", "tlsh", "pdq", "md5"),
    }
    kind = chance.choice(kinds[media_type])
    content = near_value(chance, (0, 2, 9, 10, 11, 30, 31, 32, 44, 45, 60))
    offset_ms = chance.choice([0, 1_000, 2_000, 3_000])
    at = offset_ms if media_type is MediaType.VIDEO else None
    number = chance.randrange(5)
    makers: dict[str, Callable[[], Hash]] = {
        "pdq": lambda: pdq(content, chance.choice([0, 49, 50, 100])),
        "inverse": lambda: pdq(bytes(255 - byte for byte in content)),
        "frame": lambda: frame(content, offset_ms),
        "tile": lambda: tile(near_value(chance, (0, 31, 32)), at),
        "sha256": lambda: sha256(value(number)),
        "md5": lambda: md5(value(number, 16)),
        "chunk": lambda: chunk(near_value(chance, (0, 48, 49))),
        "page": lambda: page(near_value(chance, (0, 40, 41)), number),
        "videohash": lambda: Hash(
            HashType.VIDEOHASH,
            flipped(value(number, 8), chance.choice([0, 10, 11])),
            None,
            offset_ms,
        ),
        "simhash": lambda: Hash(HashType.SIMHASH, near_value(chance, (0, 60, 61))),
        "text": lambda: Hash(HashType.TEXT_SHA256, value(number)),
        "tlsh": lambda: Hash(HashType.TLSH, value(number, 35)),
    }
    return makers[kind]()


def some_item(chance: random.Random) -> Item:
    """An item near others: few values, some bits flipped, any media type."""
    if chance.random() < 0.1:
        whole = near_value(chance, (0, 30, 31, 32))
        shown = pdq(flipped(whole, chance.choice([0, 31, 32])), chance.choice([49, 100]))
        return document(shown, page(whole, 0))
    media_type = chance.choice(list(MediaType))
    count = chance.choice([1, 1, 2, 4, 8])
    return Item(media_type, tuple(some_hash(chance, media_type) for _ in range(count)))
