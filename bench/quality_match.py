"""Which items of a bank an edited copy is found as: the rules, on plain arrays.

Firstseen's rules for pictures, videos and documents; those of its peers are in
`bench/quality_peer_match.py`. A rule is built from the items of a bank and asked with one item at a
time. It knows no files and hashes nothing.
"""

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.faiss_index import FaissFlatIndex
from engine.hashes import SPECS
from engine.hashes import HashType as EngineType
from engine.index import NO_HITS, Hits
from firstseen.items import Hash, HashType, Item

# Meta's published limit of PDQ and what it calls enough quality (ThreatExchange, pdq/README).
PDQ_BITS: Final = 31
MIN_QUALITY: Final = 50
# Up to here no two of 39.5 million pairs of unrelated pictures met: worth a look, no match.
NEAR_BITS: Final = 44
# Of a frame's or picture's four tiles, as many as must be found together: pictures that only
# share a caption or a screen's frame share one.
_MIN_TILES: Final = 2
# A part of a clip is a copy when these of its frames are; 3,160 pairs of unrelated clips had
# no false pair but those of one person in one room.
_FRAME_SHARE: Final = 0.3
_MIN_FRAMES: Final = 2
# Chunks of text: licence texts are shared by unrelated documents, half of one is not.
_CHUNK_SHARE: Final = 0.5
_NEAR_CHUNK_SHARE: Final = 0.2
_MIN_CHUNKS: Final = 2


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule says of one item.

    Attributes:
        match: numbers of the bank's items that it is a copy of.
        near: numbers of others that a person should compare it with.
    """

    match: frozenset[int]
    near: frozenset[int] = frozenset()


class Rule(ABC):
    """A way to decide, over the items of one bank."""

    @abstractmethod
    def find(self, item: Item) -> Found:
        """Finds the items that one is a copy of."""


class Listed:
    """The hashes of one type in a bank, and whose they are.

    Attributes:
        owners: shape (n,), the number of the item that each is of.
        offsets: shape (n,), the frame that each is of, in milliseconds.
    """

    def __init__(self, items: Sequence[Item], kind: HashType) -> None:
        pairs = [(number, h) for number, i in enumerate(items) for h in i.hashes if h.type == kind]
        self.owners: Final = np.array([number for number, _ in pairs], np.int64)
        self.offsets: Final = np.array([h.frame_offset_ms or 0 for _, h in pairs], np.int64)
        self._index: Final = FaissFlatIndex.build(_values(h for _, h in pairs))

    def search(self, hashes: Sequence[Hash], max_distance_bits: int) -> Hits:
        """Pairs of one of `hashes` and a listed row within the distance."""
        if not (hashes and len(self.owners)):
            return NO_HITS
        return self._index.search(_values(hashes), max_distance_bits)


def _values(hashes: Iterable[Hash]) -> npt.NDArray[np.uint8]:
    """The values of hashes of 32 bytes: shape (n, 32)."""
    joined = b"".join(h.value for h in hashes)
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def of_type(item: Item, kind: HashType) -> list[Hash]:
    """The hashes of one type in an item."""
    return [h for h in item.hashes if h.type == kind]


class PictureRule(Rule):
    """Firstseen's rule for pictures.

    A match: any PDQ within 31 bits, the first one turned into its negative among them, or two
    tiles within 31. Near: within 44 bits, or one tile.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._whole: Final = Listed(items, HashType.PDQ)
        self._tiles: Final = Listed(items, HashType.PDQ_TILE)

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        asked = of_type(item, HashType.PDQ)
        asked += [negative(h) for h in asked[:1]]
        hits = self._whole.search(asked, NEAR_BITS)
        owners = self._whole.owners[hits.rows]
        is_match = hits.distances_bits <= PDQ_BITS
        match = set(owners[is_match].tolist())
        near = set(owners[~is_match].tolist())
        hits = self._tiles.search(of_type(item, HashType.PDQ_TILE), PDQ_BITS)
        for owner in set(self._tiles.owners[hits.rows].tolist()):
            own = self._tiles.owners[hits.rows] == owner
            count = _distinct(hits.queries[own], hits.rows[own])
            (match if count >= _MIN_TILES else near).add(owner)
        return Found(frozenset(match), frozenset(near - match))


def negative(found: Hash) -> Hash:
    """The hash of the negative of a picture: every bit the other way."""
    value = (~np.frombuffer(found.value, np.uint8)).tobytes()
    return Hash(found.type, type(found.value)(value), found.quality, found.frame_offset_ms)


def _distinct(queries: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> int:
    """How many pairs there are at least with no query and no row in two of them."""
    return min(len(np.unique(queries)), len(np.unique(rows)))


class VideoRule(Rule):
    """Firstseen's rule for videos: 30 % of the frames of the copy or of the original.

    A frame is found when any of its PDQ is within 31 bits of one of the other's, or two of its
    tiles are. Near: two frames, or a single one of a clip that has no more.
    """

    def __init__(self, items: Sequence[Item]) -> None:
        self._whole: Final = Listed(items, HashType.PDQ)
        self._tiles: Final = Listed(items, HashType.PDQ_TILE)
        self._frame_counts: Final = [_frame_count(item) for item in items]

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        asked: dict[int, set[int]] = defaultdict(set)
        listed: dict[int, set[int]] = defaultdict(set)
        for query_ms, owner, bank_ms in self._pairs(item):
            asked[owner].add(query_ms)
            listed[owner].add(bank_ms)
        match: set[int] = set()
        near: set[int] = set()
        for owner, frames in asked.items():
            total, bank_total = _frame_count(item), self._frame_counts[owner]
            share = max(len(frames) / total, len(listed[owner]) / bank_total)
            most = max(len(frames), len(listed[owner]))
            if most >= min(_MIN_FRAMES, total, bank_total):
                (match if share >= _FRAME_SHARE else near).add(owner)
        return Found(frozenset(match), frozenset(near))

    def _pairs(self, item: Item) -> set[tuple[int, int, int]]:
        """Frames that are alike: offset in the query, whose, offset there."""
        asked = of_type(item, HashType.PDQ)
        hits = self._whole.search(asked, PDQ_BITS)
        pairs = {
            (asked[query].frame_offset_ms or 0, owner, offset)
            for query, owner, offset in _places(hits, self._whole)
        }
        asked = of_type(item, HashType.PDQ_TILE)
        hits = self._tiles.search(asked, PDQ_BITS)
        tiles: dict[tuple[int, int, int], list[tuple[int, int]]] = defaultdict(list)
        places = _places(hits, self._tiles)
        for (query, owner, offset), row in zip(places, hits.rows.tolist(), strict=True):
            tiles[asked[query].frame_offset_ms or 0, owner, offset].append((query, row))
        for pair, found in tiles.items():
            queries, rows = np.array(found, np.int64).T
            if _distinct(queries, rows) >= _MIN_TILES:
                pairs.add(pair)
        return pairs


def _places(hits: Hits, listed: Listed) -> Iterable[tuple[int, int, int]]:
    return zip(
        hits.queries.tolist(),
        listed.owners[hits.rows].tolist(),
        listed.offsets[hits.rows].tolist(),
        strict=True,
    )


def _frame_count(item: Item) -> int:
    frames = {h.frame_offset_ms for h in item.hashes if h.frame_offset_ms is not None}
    return max(1, len(frames))


class DocumentRule(Rule):
    """Firstseen's rule for documents.

    A match: the same text, SimHashes within 60 bits, half of the chunks of either within 48
    bits of the other's, or a page without text within 40. Near: a fifth of the chunks.

    Args:
        items: the bank.
        types: the hash types to go by, to tell what each of them finds.
    """

    def __init__(self, items: Sequence[Item], types: Iterable[HashType]) -> None:
        self._types: Final = frozenset(types)
        self._texts: Final = [self._text(item) for item in items]
        self._listed: Final = {
            kind: Listed(items, kind)
            for kind in (HashType.SIMHASH, HashType.MINHASH, HashType.PAGE_PDQ)
        }
        self._chunk_counts: Final = [max(1, len(of_type(item, HashType.MINHASH))) for item in items]

    def find(self, item: Item) -> Found:
        """See `Rule.find`."""
        match: set[int] = set()
        text = self._text(item)
        if HashType.TEXT_SHA256 in self._types and text is not None:
            match |= {number for number, other in enumerate(self._texts) if other == text}
        for kind in self._types & {HashType.SIMHASH, HashType.PAGE_PDQ}:
            limit = SPECS[EngineType(kind)].default_distance_bits
            hits = self._listed[kind].search(of_type(item, kind), limit)
            match |= set(self._listed[kind].owners[hits.rows].tolist())
        near: set[int] = set()
        if HashType.MINHASH in self._types:
            for owner, share in self._chunk_shares(item):
                if share >= _CHUNK_SHARE:
                    match.add(owner)
                elif share >= _NEAR_CHUNK_SHARE:
                    near.add(owner)
        return Found(frozenset(match), frozenset(near - match))

    @staticmethod
    def _text(item: Item) -> bytes | None:
        found = of_type(item, HashType.TEXT_SHA256)
        return bytes(found[0].value) if found else None

    def _chunk_shares(self, item: Item) -> Iterable[tuple[int, float]]:
        """Whose chunks are found, and the larger share of either side's that are."""
        listed, asked = self._listed[HashType.MINHASH], of_type(item, HashType.MINHASH)
        hits = listed.search(asked, SPECS[EngineType.MINHASH].default_distance_bits)
        owners = listed.owners[hits.rows]
        for owner in set(owners.tolist()):
            own = owners == owner
            mine, theirs = len(np.unique(hits.queries[own])), len(np.unique(hits.rows[own]))
            total, bank_total = len(asked), self._chunk_counts[owner]
            if max(mine, theirs) >= min(_MIN_CHUNKS, total, bank_total):
                yield owner, max(mine / total, theirs / bank_total)
