"""The bound search against what it is short for: a search, and a look at each hit."""

import gc
import sys
from typing import Final

import numpy as np
import numpy.typing as npt
import pytest

from engine import bound_search, compiled
from engine.exact_index import ExactIndex
from engine.faiss_index import FaissFlatIndex
from engine.hashes import MediaType
from engine.index import Bound, Index
from engine.mih_index import MihIndex
from engine.mih_plan import LAST_MASK
from engine.tally import NO_MEDIA, NOTHING, Distances, Rows
from tests.engine.values import SEED

ROWS: Final = 30_000
BANKS: Final = 5
RADIUS: Final = 31


def listed_values(chance: np.random.Generator, size_bytes: int = 32) -> npt.NDArray[np.uint8]:
    """Noise, each with a dozen others near to it."""
    centres = chance.integers(0, 256, (ROWS // 12, size_bytes), np.uint8)
    return near(np.repeat(centres, 12, axis=0), chance)


def near(values: npt.NDArray[np.uint8], chance: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Each with up to 20 bits flipped."""
    bits = np.unpackbits(values, axis=1)
    count = chance.integers(0, 21, (len(values), 1))
    order = chance.random(bits.shape).argsort(axis=1).argsort(axis=1)
    return np.packbits(bits ^ (order < count), axis=1)


def some_rows(chance: np.random.Generator) -> Rows:
    """Banks, kinds and withdrawals at random."""
    return Rows(
        chance.integers(0, BANKS, ROWS).astype(np.uint16),
        chance.choice(np.array([int(kind) for kind in MediaType], np.uint8), ROWS),
        chance.random(ROWS) < 0.8,
        np.array([-1, 0, 10, 31, 31], np.int32),
        np.array([True, True, False, True, False]),
    )


def by_hand(
    listed: npt.NDArray[np.uint8], rows: Rows, queries: npt.NDArray[np.uint8], passed_over: int
) -> Distances:
    hits = ExactIndex.build(listed).search(queries, RADIUS)
    best = [NOTHING, NOTHING]
    for row, distance in zip(hits.rows.tolist(), hits.distances_bits.tolist(), strict=True):
        bank = int(rows.bank_ids[row])
        counts = rows.alive[row] and distance <= rows.limits_bits[bank]
        if counts and rows.media_types[row] != passed_over:
            place = 0 if rows.known[bank] else 1
            best[place] = min(best[place], distance)
    return best[0], best[1]


def bound(listed: npt.NDArray[np.uint8], rows: Rows, index_type: type[Index] = MihIndex) -> Bound:
    found = index_type.build(listed).bind(RADIUS, rows)
    assert found is not None
    return found


@pytest.mark.parametrize("passed_over", [NO_MEDIA, int(MediaType.DOCUMENT)])
@pytest.mark.parametrize("count", [1, 3, 20])
def test_nearest_hits_are_those_of_every_hit(count: int, passed_over: int) -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    search = bound(listed, rows)
    seen = set()
    for _ in range(40):
        asked = near(listed[chance.integers(0, ROWS, count)], chance)
        want = by_hand(listed, rows, asked, passed_over)
        assert search.nearest(passed_over, asked.tobytes()) == want
        seen.add((want[0] == NOTHING, want[1] == NOTHING))
    assert len(seen) > 1 or count == 20


@pytest.mark.parametrize("size_bytes", [32, 16])
@pytest.mark.parametrize("count", [1, 3])
def test_every_row_of_a_short_list_is_compared(count: int, size_bytes: int) -> None:
    chance = np.random.default_rng(SEED)
    short = 10_000
    listed = listed_values(chance, size_bytes)[:short]
    rows = some_rows(chance)
    rows = rows._replace(
        bank_ids=rows.bank_ids[:short],
        media_types=rows.media_types[:short],
        alive=rows.alive[:short],
    )
    search = bound(listed, rows, FaissFlatIndex)
    for _ in range(40):
        asked = near(listed[chance.integers(0, short, count)], chance)
        assert search.nearest(NO_MEDIA, asked.tobytes()) == by_hand(listed, rows, asked, NO_MEDIA)
    listed[:600] = listed[0]
    search = bound(listed, rows, FaissFlatIndex)
    assert search.nearest(NO_MEDIA, listed[0].tobytes()) is None


def test_long_list_is_left_to_faiss() -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    assert FaissFlatIndex.build(listed).bind(RADIUS, rows) is None


def test_far_question_finds_nothing() -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    asked = chance.integers(0, 256, 32, np.uint8).tobytes()
    assert bound(listed, rows).nearest(NO_MEDIA, asked) == (NOTHING, NOTHING)


def test_question_with_too_many_hits_is_not_answered() -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    listed[:600] = listed[0]
    assert bound(listed, rows).nearest(NO_MEDIA, listed[0].tobytes()) is None


def test_search_that_fails_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    search = MihIndex.build(listed).bind(RADIUS, rows)
    assert search is not None
    chunks = search._kept[-3]
    chunks[0, LAST_MASK] = 1 << 58  # more buckets than there is memory for
    failures: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda given: failures.append(given.exc_type))
    assert search.nearest(NO_MEDIA, listed[0].tobytes()) is None
    assert failures == [MemoryError]


def test_code_called_by_its_address_is_kept() -> None:
    for called in (bound_search._nearest_probed, bound_search._nearest_scanned):
        assert any(kept.ctypes is called for kept in compiled._ENTRIES)


def test_arrays_live_as_long_as_the_search() -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    asked = near(listed[:1], chance)
    want = by_hand(listed, rows, asked, NO_MEDIA)
    search = bound(listed, rows)
    del listed, rows
    gc.collect()
    filler = [np.full((ROWS, 32), 7, np.uint8) for _ in range(8)]
    assert search.nearest(NO_MEDIA, asked.tobytes()) == want
    assert len(filler) == 8


def test_index_that_compares_every_row_is_not_bound() -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    assert MihIndex.build(listed).bind(200, rows) is None
    assert ExactIndex.build(listed).bind(RADIUS, rows) is None


def test_array_of_another_kind_is_refused() -> None:
    chance = np.random.default_rng(SEED)
    listed, rows = listed_values(chance), some_rows(chance)
    wrong = rows._replace(limits_bits=rows.limits_bits.astype(np.int64))
    with pytest.raises(TypeError, match="int64, want int32"):
        MihIndex.build(listed).bind(RADIUS, wrong)
