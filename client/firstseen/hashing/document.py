"""From a document to an item: what its text says, the pictures in it, and its bytes.

Listed documents and those that are asked about are hashed alike, but for how many hashes an item
may have. What each hash finds is told in docs/hashing.md.
"""

import hashlib
import heapq
from importlib import import_module
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.content import Content
from firstseen.hashing.document_kind import document_kind
from firstseen.hashing.document_limits import DocumentLimits
from firstseen.hashing.exact import exact_hashes
from firstseen.hashing.item_limits import QUERY_HASHES
from firstseen.hashing.sketches import TextSketches, sketch
from firstseen.hashing.text import normalise_at_most
from firstseen.hashing.tlsh import tlsh_hash
from firstseen.items import Hash, HashType, HashValue, Item, MediaType

# Runs of nine characters that a text must have, each counted once: a scanner's mark on 300 pages is
# 21. With fewer than this, equal texts say nothing, and a SHA-256 could be guessed.
MIN_GRAMS_EXACT: Final = 64
# And with fewer than this, one changed sentence is most of the text.
MIN_GRAMS_SKETCH: Final = 192

# What is near in these is a verdict; a picture within a document is a hint to a person.
_JUDGED_BY: Final = frozenset({HashType.SIMHASH, HashType.MINHASH, HashType.PAGE_PDQ})

_LIMITS: Final = DocumentLimits()


def hash_document(
    data: bytes,
    *,
    limits: DocumentLimits = _LIMITS,
    max_hashes: int = QUERY_HASHES,
    is_listed: bool = False,
    exact_when_undecodable: bool = False,
) -> Item:
    """Hashes a document.

    A question in which nothing can be read is an error: its exact hashes alone would be answered
    with NOVEL. One that has neither enough text nor a page that shows enough holds the best hash of
    its pages or pictures, marked by its quality, so that the server answers UNSURE. What is
    listed has no such hash, and with nothing read its exact hashes alone.

    Args:
        data: the whole file.
        limits: how much of it is looked at.
        max_hashes: of the item. Pages and pictures get at most half of what the exact hashes
            leave, chunks of text the rest.
        is_listed: it is to be listed, not asked about.
        exact_when_undecodable: give the exact hashes alone for a document that cannot be read,
            such as a DOC of Office 97 or an encrypted one, instead of an error.

    Raises:
        MediaError: it is empty, damaged, encrypted, over a limit or, in a question, of a kind
            that is not read or without anything that can be.
        ValueError: `max_hashes` is under 16.
    """
    if max_hashes < 16:
        raise ValueError(f"max_hashes is {max_hashes}, at least 16")
    if not data:
        raise MediaError("empty file")
    try:
        hashes = _read_hashes(data, limits, max_hashes - 2, is_listed=is_listed)
    except MediaError:
        if not exact_when_undecodable:
            raise
        hashes = []
    return Item(MediaType.DOCUMENT, (*hashes, *exact_hashes([data])))


def document_text(data: bytes, limits: DocumentLimits = _LIMITS) -> str:
    """The text of a document as it is read, not normalised; empty for kinds that are not read.

    Raises:
        MediaError: as `hash_document`.
    """
    content = read_document(data, limits)
    return "" if content is None else content.text


def read_document(data: bytes, limits: DocumentLimits = _LIMITS) -> Content | None:
    """Reads a document of any kind; None for kinds that are not read.

    Raises:
        MediaError: as `hash_document`.
    """
    if not data:
        raise MediaError("empty file")
    if len(data) > limits.max_bytes:
        raise MediaError(f"over {limits.max_bytes:,} bytes")
    kind = document_kind(data, limits)
    if kind is None:
        return None
    content = Content(limits)
    # Only the libraries of this kind are loaded.
    import_module(f"firstseen.hashing.readers.{kind}").read(data, content)
    return content


def _read_hashes(data: bytes, limits: DocumentLimits, room: int, *, is_listed: bool) -> list[Hash]:
    content = read_document(data, limits)
    if is_listed:
        return [] if content is None else _hashes(content, room)
    if content is None:
        raise MediaError("this kind of document cannot be read")
    hashes = _hashes(content, room)
    if any(hash_.type in _JUDGED_BY for hash_ in hashes):
        return hashes
    if content.unjudged is not None:
        return [*hashes, content.unjudged]
    if not normalise_at_most(content.text, limits.max_characters):
        raise MediaError("no text, page or picture of this document can be read")
    return hashes  # a text too short to be near another is judged by equality


def _hashes(content: Content, room: int) -> list[Hash]:
    text = normalise_at_most(content.text, content.limits.max_characters)
    sketches = sketch(text)
    hashes: list[Hash] = []
    if sketches is not None and sketches.distinct_grams >= MIN_GRAMS_EXACT:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
        hashes.append(Hash(HashType.TEXT_SHA256, HashValue(digest)))
    if sketches is not None and sketches.distinct_grams >= MIN_GRAMS_SKETCH:
        hashes.append(Hash(HashType.SIMHASH, HashValue(sketches.simhash)))
        hashes.extend(tlsh_hash(text))
    seen = content.hashes[: (room - len(hashes)) // 2]
    if sketches is not None and sketches.distinct_grams >= MIN_GRAMS_SKETCH:
        hashes.extend(_chunks(sketches, room - len(hashes) - len(seen)))
    return [*hashes, *seen]


def _chunks(sketches: TextSketches, room: int) -> list[Hash]:
    """As many chunks as there is room for, in the order of the text.

    Chosen by rank, not by place: of a text within another the same ones are chosen.
    """
    ranks = sketches.ranks
    kept = sorted(heapq.nsmallest(room, range(len(ranks)), key=ranks.__getitem__))
    return [Hash(HashType.MINHASH, HashValue(sketches.minhashes[place])) for place in kept]
