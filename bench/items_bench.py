"""What judging a whole item costs: a picture, a video, a document, against long lists of such.

The engine alone, in one thread, without gRPC: what `Check` adds is measured by `server`. The lists
are laid out as the indexer lists them in the `standard` profile, those of videos also as in `lean`,
with the whole frames alone; nothing that is asked is listed, as of most reports, so that every
hash is searched to the end.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Final

import numpy as np
import numpy.typing as npt

from bench import workload
from bench.run_file import Row, Run, percentiles
from bench.workload import Workload
from engine.entries import NO_POSITION, Checkpoint, Columns
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from engine.index_choice import choosers
from engine.index_kind import IndexKind
from engine.policy import Bank, BankId
from engine.segment import Segment
from engine.snapshot import Snapshot
from engine.store import Delta

# Of a listed picture: the whole, what is within its borders, eight crops; and four tiles.
_PDQ_OF_14: Final = 10
# Of a frame of a listed video: the whole and eight crops; and four tiles.
_PDQ_OF_13: Final = 9
_FRAMES: Final = 300  # of a listed video
_CHUNKS: Final = 100  # of a listed document


@dataclass(frozen=True, slots=True)
class _Asked:
    """A kind of item, and the kind of list that it is asked of."""

    what: str
    media_type: MediaType
    counts: Mapping[HashType, int]  # hashes of each type
    frames: int = 1
    is_lean: bool = False  # the list is; a device then sends no tiles


def _video(what: str, frames: int, *, is_lean: bool = False) -> _Asked:
    # A frame as it is and mirrored, and its tiles.
    counts = {HashType.PDQ: 2 * frames} | ({} if is_lean else {HashType.PDQ_TILE: 4 * frames})
    return _Asked(what, MediaType.VIDEO, counts, frames, is_lean)


ITEMS: Final = (
    _Asked("photograph", MediaType.IMAGE, {HashType.PDQ: 9, HashType.PDQ_TILE: 4}),
    _Asked("photograph with borders", MediaType.IMAGE, {HashType.PDQ: 25, HashType.PDQ_TILE: 4}),
    _video("video of 60 s", 60),
    _video("video of 600 frames", 600),
    _video("video of 60 s, lean list", 60, is_lean=True),
    _video("video of 600 frames, lean list", 600, is_lean=True),
    _Asked("20 pages of text", MediaType.DOCUMENT, {HashType.SIMHASH: 1, HashType.MINHASH: 100}),
)


def run(sizes: list[int], seed: int, for_s: float) -> Run:
    """Judges items of each kind against lists of each size.

    Args:
        sizes: hashes in each list.
        seed: of lists and items.
        for_s: seconds for each kind of item.
    """
    rows: list[Row] = []
    for size in sizes:
        values = Workload(size, seed=seed).listed()
        for (media_type, is_lean), items in groupby(
            ITEMS, key=lambda asked: (asked.media_type, asked.is_lean)
        ):
            snapshot = _snapshot(media_type, values, is_lean=is_lean)
            for asked in items:
                times_ms = _times_ms(snapshot, asked, seed, for_s)
                hashes = sum(asked.counts.values())
                found = percentiles(times_ms, "ms")
                rows.append({"what": asked.what, "size": size, "hashes": hashes, **found})
    return Run("items", {"sizes": sizes, "seed": seed}, rows)


def _times_ms(
    snapshot: Snapshot, asked: _Asked, seed: int, for_s: float
) -> npt.NDArray[np.float64]:
    total = sum(asked.counts.values())
    fresh = iter(workload.hashes(total * 64, seed + 9).reshape(64, total, -1))
    items = [_item(asked, next(fresh)) for _ in range(64)]
    snapshot.judge(items[0])
    times: list[float] = []
    end_s = time.perf_counter() + for_s
    while not times or time.perf_counter() < end_s:
        start_ns = time.perf_counter_ns()
        snapshot.judge(items[len(times) % len(items)])
        times.append((time.perf_counter_ns() - start_ns) / 1e6)
    return np.array(times)


def _item(asked: _Asked, values: workload.Values) -> Item:
    hashes, at = [], 0
    is_video = asked.media_type is MediaType.VIDEO
    for hash_type, count in asked.counts.items():
        quality = 100 if hash_type in {HashType.PDQ, HashType.PDQ_TILE} else None
        for number in range(count):
            offset_ms = number % asked.frames * 1_000 if is_video else None
            value = HashValue(values[at].tobytes())
            hashes.append(Hash(hash_type, value, quality, offset_ms))
            at += 1
    return Item(asked.media_type, tuple(hashes))


def _snapshot(media_type: MediaType, values: workload.Values, *, is_lean: bool) -> Snapshot:
    """The list of one medium: these values, as its hash types and items."""
    count = len(values)
    if media_type is MediaType.IMAGE:
        whole = count * _PDQ_OF_14 // 14
        parts = {
            HashType.PDQ: _columns(values[:whole], media_type, _PDQ_OF_14),
            HashType.PDQ_TILE: _columns(values[whole:], media_type, 14 - _PDQ_OF_14),
        }
    elif media_type is MediaType.VIDEO:
        whole = count if is_lean else count * _PDQ_OF_13 // 13
        parts = {
            HashType.PDQ: _frames(values[:whole], 1 if is_lean else _PDQ_OF_13),
            HashType.PDQ_TILE: _frames(values[whole:], 13 - _PDQ_OF_13),
        }
    else:
        texts = max(count // _CHUNKS, 1)
        parts = {
            HashType.MINHASH: _columns(values[texts:], media_type, _CHUNKS),
            HashType.SIMHASH: _columns(values[:texts], media_type, 1),
        }
    base = Checkpoint(1, sum(map(len, parts.values())), 0)
    segment = Segment.build(base, parts, choosers(IndexKind.AUTO))
    nothing = {hash_type: Columns.empty(hash_type) for hash_type in HashType}
    banks = (Bank(BankId(1), "REMOVED"),)
    delta = Delta(base, Checkpoint(2, base.entry_count, 0), banks, (), nothing)
    return Snapshot.from_segment(segment).advance(delta)


def _frames(values: workload.Values, per_frame: int) -> Columns:
    """Videos, with so many of the values for each of their frames."""

    def offsets_ms(numbers: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
        return numbers // np.uint64(per_frame) % np.uint64(_FRAMES) * np.uint64(1_000)

    return _columns(values, MediaType.VIDEO, _FRAMES * per_frame, offsets_ms)


def _columns(
    values: workload.Values,
    media_type: MediaType,
    per_item: int,
    position: Callable[[npt.NDArray[np.uint64]], npt.NDArray[np.uint64]] | None = None,
) -> Columns:
    numbers = np.arange(len(values), dtype=np.uint64)
    positions = np.full(len(values), NO_POSITION, np.uint32)
    if position is not None:
        positions = position(numbers).astype(np.uint32)
    return Columns(
        values,
        numbers + np.uint64(1),
        numbers // np.uint64(per_item) * np.uint64(per_item) + np.uint64(1),
        np.ones(len(values), np.uint16),
        np.full(len(values), media_type, np.uint8),
        positions,
    )
