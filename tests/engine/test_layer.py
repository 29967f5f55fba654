"""Layers: base, tail and what was taken out, against a dict and the numpy index."""

import random
from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np
import pytest

from engine import layer as layer_module
from engine.entries import NO_POSITION, Columns, ColumnsBuilder, EntryHead
from engine.equality_index import EqualityIndex
from engine.exact_index import ExactIndex
from engine.faiss_index import FaissFlatIndex
from engine.hashes import HashType, MediaType
from engine.index import Index
from engine.layer import Found, Layer, Part
from tests.engine.naive import distance_bits
from tests.engine.values import SEED, flipped, id_ranges, rows, triples, value

SMALL: Final = 16


@pytest.fixture(autouse=True)
def small_folds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Folds after a few entries, so that a short test sees many."""
    monkeypatch.setattr(layer_module, "_SMALL_ROWS", SMALL)


def columns(entries: Mapping[int, bytes]) -> Columns:
    builder = ColumnsBuilder(HashType.PDQ)
    for entry_id, content in sorted(entries.items()):
        head = EntryHead(entry_id - entry_id % 2, entry_id % 3 + 1, MediaType.IMAGE)
        builder.add(entry_id, head, content, NO_POSITION)
    return builder.build()


def found_ids(found: Found) -> list[tuple[int, int, int]]:
    for entry_id, item_id, bank_id in zip(
        found.entry_ids.tolist(), found.item_ids.tolist(), found.bank_ids.tolist(), strict=True
    ):
        assert (item_id, bank_id) == (entry_id - entry_id % 2, entry_id % 3 + 1)
    return sorted(
        zip(
            found.queries.tolist(),
            found.entry_ids.tolist(),
            found.distances_bits.tolist(),
            strict=True,
        )
    )


@pytest.mark.parametrize(
    ("index_type", "distance"), [(ExactIndex, 31), (FaissFlatIndex, 31), (EqualityIndex, 0)]
)
def test_history_of_changes_agrees_with_a_dict(index_type: type[Index], distance: int) -> None:
    chance = random.Random(SEED)
    listed: dict[int, bytes] = {}
    layer = Layer.of(columns(listed), lambda _: index_type)
    next_id, most_parts = 1, 1
    for step in range(120):
        added = {}
        for _ in range(chance.choice([0, 1, 5, 40])):
            added[next_id] = flipped(value(chance.randrange(6)), chance.randrange(40), next_id)
            next_id += chance.randrange(1, 4)
        gone = set(chance.sample(sorted(listed), len(listed) // chance.choice([2, 10, 50])))
        never_there = {next_id + 1_000}
        before = layer
        before_ids = found_ids(before.search(rows([value(0)]), distance))
        layer, removed = layer.advance(id_ranges(gone | never_there), columns(added))
        assert triples(removed) == triples(columns({i: listed[i] for i in gone}))
        listed = {i: v for i, v in listed.items() if i not in gone} | added
        assert len(layer) == len(listed)
        most_parts = max(most_parts, len(layer.parts))
        queries = [value(number) for number in range(6)] + list(added.values())[:3]
        want = [
            (query, entry_id, bits)
            for query, wanted in enumerate(queries)
            for entry_id, content in listed.items()
            if (bits := distance_bits(wanted, content)) <= distance
        ]
        assert found_ids(layer.search(rows(queries), distance)) == sorted(want), step
        assert found_ids(before.search(rows([value(0)]), distance)) == before_ids
    assert most_parts > 1


def exact(_: int) -> type[Index]:
    return ExactIndex


BASE: Final = {number: value(number) for number in range(1, 201)}


def test_small_change_keeps_the_large_part() -> None:
    layer = Layer.of(columns(BASE), exact)
    grown, _ = layer.advance((), columns({300: value(300)}))
    assert grown.parts[0] is layer.parts[0]
    assert [len(part) for part in grown.parts] == [200, 1]


def test_each_part_is_far_smaller_than_the_one_before() -> None:
    layer = Layer.of(columns({}), exact)
    for number in range(1, 1_000):
        layer, _ = layer.advance((), columns({number: value(number)}))
        sizes = [len(part) for part in layer.parts]
        assert sum(sizes) == number
        assert all(a > 8 * b for a, b in pairwise(sizes))
    assert len(layer.parts) > 1


def test_change_of_nothing_keeps_every_part() -> None:
    layer, _ = Layer.of(columns(BASE), exact).advance((), columns({300: value(300)}))
    same, removed = layer.advance(id_ranges([999]), columns({}))
    assert len(removed) == 0
    assert all(a is b for a, b in zip(same.parts, layer.parts, strict=True))


def test_dead_entries_are_swept_out() -> None:
    layer = Layer.of(columns(BASE), exact)
    dead = 200 // 8 + 1
    swept, removed = layer.advance(id_ranges(range(1, dead + 1)), columns({}))
    assert len(removed) == dead
    assert len(swept.parts[0].columns) == len(swept) == 200 - dead


def frozen(entries: Mapping[int, bytes]) -> Layer:
    """A layer whose first part is of a segment."""
    base = columns(entries)
    return Layer((Part.frozen(base, ExactIndex.build(base.values)),), exact)


def test_frozen_part_is_masked_and_never_indexed_anew() -> None:
    layer = frozen(BASE)
    later = {300 + number: value(300 + number) for number in range(400)}
    advanced, removed = layer.advance(id_ranges(range(1, 150)), columns(later))
    assert len(removed) == 149
    assert advanced.parts[0].index is layer.parts[0].index
    assert [len(part) for part in advanced.parts] == [51, 400]
    assert advanced.loose_count() == 149 + 400
    listed = {number: BASE[number] for number in range(150, 201)} | later
    assert triples(advanced.listed()) == triples(columns(listed))
    queries = rows([value(1), value(150), value(450)])
    assert found_ids(advanced.search(queries, 0)) == [(1, 150, 0), (2, 450, 0)]


def test_dead_entries_do_not_hide_living_ones_from_a_query_that_is_left_early() -> None:
    same = {number: value(0) for number in range(1, 101)}
    layer, _ = frozen(same).advance(id_ranges(range(1, 100)), columns({}))
    assert found_ids(layer.search(rows([value(0)]), 0, 5)) == [(0, 100, 0)]


def test_positions_of_an_item_are_counted_once() -> None:
    builder = ColumnsBuilder(HashType.PDQ)
    head = EntryHead(10, 1, MediaType.VIDEO)
    for entry_id, position in enumerate([0, 0, 1_000, 2_000, 2_000], 10):
        builder.add(entry_id, head, value(entry_id), position)
    text = EntryHead(15, 1, MediaType.DOCUMENT)
    for entry_id in (15, 16):
        builder.add(entry_id, text, value(entry_id), NO_POSITION)
    layer = Layer.of(builder.build(), exact)
    assert [layer.extent(item_id) for item_id in (9, 10, 15, 16)] == [0, 3, 2, 0]


def test_part_of_a_layer_is_not_written_to() -> None:
    layer = Layer.of(columns({1: value(1), 2: value(2)}), exact)
    alive = layer.parts[0].alive.copy()
    layer.advance(id_ranges([1]), columns({}))
    assert np.array_equal(layer.parts[0].alive, alive)


def test_parts_are_searched_with_what_their_size_asks_for() -> None:
    asked: list[int] = []

    def choose(row_count: int) -> type[Index]:
        asked.append(row_count)
        return ExactIndex if row_count > 1 else FaissFlatIndex

    layer, _ = Layer.of(columns(BASE), choose).advance((), columns({300: value(300)}))
    assert [type(part.index) for part in layer.parts] == [ExactIndex, FaissFlatIndex]
    assert asked == [200, 1]
