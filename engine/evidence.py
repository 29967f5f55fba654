"""What hits are worth: which of them make a listed item match, and how much of it they cover.

    a hit of                       makes a match                              else
    a file's or a text's own hash  alone
    PDQ of a picture               alone, with a picture or a video's frame   near: in a document
    PDQ of a document's picture    as a picture's, when the document is       near
                                   nothing else (`question.worth_as`)
    two-thirds tiles of a picture  two, with one picture                      near
    PDQ or a tile of frames        30 % of the asked seconds or of the        near
                                   listed frames, and two frames of each;
                                   or 30 % of the seconds with one picture
    SimHash of a text              alone
    MinHash of chunks              half of either text's chunks, and two      near from a fifth on
    PDQ of pages without text      half of either document's such pages       near
    videohash, TLSH                never                                      near

What is near never makes a verdict; it is for a person to look at. Two videos match at 30 %
of frames since clips are cut out of longer ones and put into longer ones: of 3,160 pairs of
unrelated clips none did but those of the same speaker before the same wall. Texts match at half
of their chunks and not less, since licences and letterheads are shared by unrelated ones (7 of
10,000 pairs at a fifth, 3 of 100,000 at half).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.entries import NO_POSITION
from engine.hashes import HashType, MediaType
from engine.layer import Found
from engine.question import Question

MATCH_FRAMES_SHARE: Final = 0.3
MATCH_CHUNKS_SHARE: Final = 0.5
MATCH_PAGES_SHARE: Final = 0.5
NEAR_CHUNKS_SHARE: Final = 0.2
MATCH_FRAMES: Final = 2
# How many frames of a second are asked about is up to the device: more where the picture moves,
# since none of a few may be near one that is listed. They are as many tries for one second.
_SECOND_MS: Final = 1_000
MATCH_TILES: Final = 2
MATCH_CHUNKS: Final = 2
# videohash is a collage of a frame a second: clips of another number of frames are not alike in it
# (0 of 1,439 pairs), unrelated ones of the same number are in one of eighteen.
_SAME_LENGTH_MS: Final = 1_000
_WHOLE: Final = 1.0
# An equal file, an equal text, a text of nearly the same words.
_ALONE: Final = frozenset({HashType.SHA256, HashType.MD5, HashType.TEXT_SHA256, HashType.SIMHASH})

_Ints = npt.NDArray[np.int64]
_Floats = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]
_Shares = tuple[_Mask, _Floats, _Floats]
"""Whether each hit makes a match, and how much of the asked and of the listed item is covered."""

Extent = Callable[[HashType, int], int]
"""How many frames, pages or chunks of a hash type a listed item has, by its id."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Hits of one hash type within their banks' limits, and what they are worth.

    Attributes:
        hash_type: of the hits.
        found: the hits.
        hash_indexes: int64, shape (k,): which of the item's hashes each is of.
        is_match: bool, shape (k,): the listed item matches by this hash type.
        query_shares: float32, shape (k,): how much of the asked item the listed one covers.
        listed_shares: float32, shape (k,): how much of the listed item the asked one covers.
    """

    hash_type: HashType
    found: Found
    hash_indexes: _Ints
    is_match: _Mask
    query_shares: _Floats
    listed_shares: _Floats

    @classmethod
    def of(cls, hash_type: HashType, own: "Asked", shares: _Shares) -> "Evidence":
        """The hits of what was asked, with what they are worth."""
        indexes = np.array(own.question.hash_indexes, np.int64)[own.found.queries]
        return cls(hash_type, own.found, indexes, *shares)

    def uncovered_percents(self) -> _Ints:
        """What is left of the item that is covered best, of 100: 0 for a whole match."""
        covered = np.maximum(self.query_shares, self.listed_shares)
        return 100 - np.round(covered * 100).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of one hash type, and what was found."""

    question: Question
    found: Found

    def positions(self) -> npt.NDArray[np.uint32]:
        """For each hit, where in the asked item it was taken."""
        return np.array(self.question.positions, np.uint32)[self.found.queries]

    def frames(self) -> _Ints:
        """For each query, which frame of the asked item it is of: the same number, the same frame.

        Of hashes of several types too: they are numbered through the item.
        """
        question = self.question
        positions = np.array(question.positions, np.uint32)
        return _apart(positions, np.array(question.hash_indexes, np.int64))

    def listed_frames(self) -> _Ints:
        """For each hit, which frame of the listed item it is of."""
        return _apart(self.found.positions, self.found.entry_ids)


def _apart(positions: npt.NDArray[np.uint32], hashes: npt.NDArray[np.generic]) -> _Ints:
    """Numbers positions; hashes of no position are each of a frame of their own."""
    frames: _Ints = np.where(
        positions == NO_POSITION, NO_POSITION + hashes.astype(np.int64), positions.astype(np.int64)
    )
    return frames


def _seconds(frames: _Ints) -> _Ints:
    """Which second each frame is of; one of no position is as good as a second."""
    seconds: _Ints = np.where(frames < NO_POSITION, frames // _SECOND_MS, frames)
    return seconds


def assess(
    media_type: MediaType, asked: Mapping[HashType, Asked], extent: Extent
) -> list[Evidence]:
    """Says what the hits of an item are worth.

    Args:
        media_type: what the asked item is.
        asked: what was found of each hash type, within the banks' limits.
        extent: the sizes of listed items.
    """
    frames = _frames(asked, extent) if media_type is MediaType.VIDEO else None
    evidence = []
    for hash_type, own in asked.items():
        if not len(own.found):
            continue
        if frames is not None and hash_type in {HashType.PDQ, HashType.PDQ_TILE}:
            shares = frames.of(own.found.item_ids)
        else:
            shares = _shares(media_type, hash_type, own, extent)
        is_text = hash_type is HashType.MINHASH
        worth = _worth_a_look(own, shares) if is_text else (own, shares)
        evidence.append(Evidence.of(hash_type, *worth))
    return evidence


def _worth_a_look(own: "Asked", shares: _Shares) -> tuple["Asked", _Shares]:
    """Leaves out texts that share less than a fifth: a licence, a letterhead."""
    is_match, of_query, of_listed = shares
    worth = np.maximum(of_query, of_listed) >= NEAR_CHUNKS_SHARE
    kept = Asked(own.question, own.found.select(worth))
    return kept, (is_match[worth], of_query[worth], of_listed[worth])


def only_near(hash_type: HashType, own: Asked) -> Evidence:
    """Hits beyond the limits of their banks: they match nothing and cover nothing."""
    nothing = np.zeros(len(own.found), np.float32)
    return Evidence.of(hash_type, own, (np.zeros(len(own.found), np.bool_), nothing, nothing))


def makes_match_alone(media_type: MediaType, hash_type: HashType) -> bool:
    """Whether one hit is a match by itself; of PDQ with everything but a document's picture."""
    return hash_type in _ALONE or (hash_type is HashType.PDQ and media_type is MediaType.IMAGE)


def _shares(media_type: MediaType, hash_type: HashType, own: Asked, extent: Extent) -> _Shares:
    """Whether each hit makes a match, and the shares of both items."""
    found = own.found
    if makes_match_alone(media_type, hash_type):
        is_pdq = hash_type is HashType.PDQ
        counts = (
            found.media_types != MediaType.DOCUMENT if is_pdq else np.ones(len(found), np.bool_)
        )
        return _alone(counts)
    match hash_type:
        case HashType.PDQ_TILE:
            return _tiles(own)
        case HashType.MINHASH:
            return _chunks(hash_type, own, extent, MATCH_CHUNKS_SHARE).of(found.item_ids)
        case HashType.PAGE_PDQ:
            return _chunks(hash_type, own, extent, MATCH_PAGES_SHARE).of(found.item_ids)
        case _:
            return _alone(np.zeros(len(found), np.bool_))


def _alone(is_match: _Mask) -> _Shares:
    whole = np.full(len(is_match), _WHOLE, np.float32)
    return is_match, whole, whole


@dataclass(frozen=True, slots=True)
class _Items:
    """What was found of each listed item.

    Attributes:
        ids: uint64, shape (n,), ascending.
        is_match: bool, shape (n,).
        query_shares: float32, shape (n,).
        listed_shares: float32, shape (n,).
    """

    ids: npt.NDArray[np.uint64]
    is_match: _Mask
    query_shares: _Floats
    listed_shares: _Floats

    def of(self, item_ids: npt.NDArray[np.uint64]) -> _Shares:
        """The same for hits, by the items they are in, each of which is here."""
        at = np.searchsorted(self.ids, item_ids)
        return self.is_match[at], self.query_shares[at], self.listed_shares[at]


def _distinct(groups: _Ints, members: npt.NDArray[np.generic], group_count: int) -> _Ints:
    """How many different members each group has."""
    different, numbers = np.unique(members, return_inverse=True)
    pairs = np.unique(groups * len(different) + numbers)
    return np.bincount(pairs // max(len(different), 1), minlength=group_count)


def _groups(*columns: npt.NDArray[np.generic]) -> tuple[_Ints, int]:
    """Numbers rows that agree in every column alike; returns those and how many there are."""
    _, numbers = np.unique(columns[0], return_inverse=True)
    for column in columns[1:]:
        values, own = np.unique(column, return_inverse=True)
        _, numbers = np.unique(numbers * len(values) + own, return_inverse=True)
    return numbers.astype(np.int64), int(numbers.max(initial=-1)) + 1


def _paired(own: Asked) -> _Mask:
    """Which tiles are of a pair: another of the same picture or frame hits the same one."""
    found = own.found
    groups, count = _groups(found.item_ids, found.positions, own.positions())
    enough = _distinct(groups, found.queries, count) >= MATCH_TILES
    enough &= _distinct(groups, found.entry_ids, count) >= MATCH_TILES
    return enough[groups]


def _tiles(own: Asked) -> _Shares:
    return _alone(_paired(own) & (own.found.media_types != MediaType.DOCUMENT))


def _frames(asked: Mapping[HashType, Asked], extent: Extent) -> _Items:
    """What is found of each listed item by frames: a frame is found whole, or by a tile.

    One tile is enough here, unlike for a picture: it takes a share of the frames to match, and
    what two unrelated videos have in common (a caption, a logo) does not fill a tile that long.
    """
    of_frames = [asked[t] for t in (HashType.PDQ, HashType.PDQ_TILE) if t in asked]
    hit = [own for own in of_frames if len(own.found)]
    found = Found.concat([own.found for own in hit])
    nothing = np.empty(0, np.int64)
    asked_frames = np.concatenate([nothing, *(own.frames() for own in of_frames)])
    query_count, second_count = len(np.unique(asked_frames)), len(np.unique(_seconds(asked_frames)))
    of_query = np.concatenate([nothing, *(own.frames()[own.found.queries] for own in hit)])
    of_listed = np.concatenate([nothing, *(own.listed_frames() for own in hit)])
    ids, first, groups = np.unique(found.item_ids, return_index=True, return_inverse=True)
    queried = _distinct(groups, of_query, len(ids))
    seconds = _distinct(groups, _seconds(of_query), len(ids))
    listed = _distinct(groups, of_listed, len(ids))
    extents = np.array([extent(HashType.PDQ, item_id) for item_id in ids.tolist()], np.int64)
    extents = np.maximum(extents, listed)  # a list from elsewhere may have tiles of other frames
    query_shares = (seconds / max(second_count, 1)).astype(np.float32)
    listed_shares = (listed / np.maximum(extents, 1)).astype(np.float32)
    by_query = (query_shares >= MATCH_FRAMES_SHARE) & (queried >= min(MATCH_FRAMES, query_count))
    # Of a clip of three seconds one is a third: two of its many frames would be enough.
    by_query &= (seconds >= MATCH_FRAMES) | (queried >= MATCH_FRAMES_SHARE * query_count)
    # One frame of a listed video that is there again and again says little: a title, a flag.
    by_listed = (listed_shares >= MATCH_FRAMES_SHARE) & (listed >= MATCH_FRAMES)
    by_listed &= (queried >= MATCH_FRAMES) & (found.media_types[first] == MediaType.VIDEO)
    by_query &= found.media_types[first] != MediaType.DOCUMENT
    return _Items(ids, by_query | by_listed, query_shares, listed_shares)


def _chunks(hash_type: HashType, own: Asked, extent: Extent, match_share: float) -> _Items:
    """What is found of each listed document by chunks or pages, one hash each.

    One chunk is little, such as a letterhead: two have to agree, where both sides have two.
    """
    found, query_count = own.found, len(own.question.values)
    ids, groups = np.unique(found.item_ids, return_inverse=True)
    extents = np.array([extent(hash_type, item_id) for item_id in ids.tolist()], np.int64)
    queried = _distinct(groups, found.queries, len(ids))
    listed = _distinct(groups, found.entry_ids, len(ids))
    least = np.minimum(min(MATCH_CHUNKS, query_count), extents)
    enough = np.minimum(queried, listed) >= least
    query_shares = np.where(enough, queried / query_count, 0.0).astype(np.float32)
    listed_shares = np.where(enough, listed / np.maximum(extents, 1), 0.0).astype(np.float32)
    is_match = np.maximum(query_shares, listed_shares) >= match_share
    return _Items(ids, is_match, query_shares, listed_shares)


def same_length(own: Asked) -> Asked:
    """The hits of videohash between clips of about the same length, which its position says."""
    of_query, of_listed = own.positions().astype(np.int64), own.found.positions.astype(np.int64)
    is_said = (of_query != NO_POSITION) & (of_listed != NO_POSITION)
    is_near = np.abs(of_query - of_listed) <= _SAME_LENGTH_MS
    return Asked(own.question, own.found.select(is_said & is_near))
