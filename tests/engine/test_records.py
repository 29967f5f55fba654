"""What stores write down: read back as written, damage always noticed, version 1 for ever."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import records
from engine.entries import (
    Checkpoint,
    EntryId,
    IdRange,
    ItemId,
    Labels,
    ListedItem,
    position_of,
)
from engine.errors import CorruptError
from engine.hashes import SPECS, Hash, HashType, HashValue, Item, MediaType
from engine.policy import Bank, BankId, BankPolicy, BankRole, TypePolicy
from engine.records import Head
from engine.store import ChangeKind, LogRecord
from tests.engine.values import PROPERTY

U64 = st.integers(0, 2**64 - 1)
DIGEST = st.integers(0, 2**256 - 1)


@st.composite
def hashes(draw: st.DrawFn) -> Hash:
    hash_type = draw(st.sampled_from(HashType))
    spec = SPECS[hash_type]
    size = spec.size_bytes
    quality = draw(st.none() | st.integers(0, 100)) if spec.has_quality else None
    position = draw(st.sampled_from(["none", "frame", "page"]))
    return Hash(
        hash_type,
        HashValue(draw(st.binary(min_size=size, max_size=size))),
        quality,
        draw(st.integers(0, 604_800_000)) if position == "frame" else None,
        draw(st.integers(0, 999_999)) if position == "page" else None,
    )


TEXT = st.text(max_size=40)
ITEMS = st.builds(
    Item, st.sampled_from(MediaType), st.lists(hashes(), min_size=1, max_size=4).map(tuple)
)
LABELS = st.builds(Labels, TEXT, st.integers(0, 9), TEXT, TEXT)


@given(ITEMS, LABELS, st.integers(1, 65_535))
@PROPERTY
def test_item_is_read_back(item: Item, labels: Labels, bank_id: int) -> None:
    record = records.encode_item(BankId(bank_id), item, labels)
    listed = ListedItem(ItemId(5), BankId(bank_id), item, labels)
    assert records.decode_item(ItemId(5), record) == listed
    entries = [(int(h.type), bytes(h.value), position_of(h)) for h in item.hashes]
    assert records.decode_entries(record, "item 5") == (bank_id, item.media_type, entries)


def alike(item: Item, count: int) -> list[bytes]:
    """Records of items with the same hash types and lengths, and other positions and banks."""
    hashes = [
        tuple(
            Hash(h.type, HashValue(bytes(b ^ number for b in h.value)), h.quality, number + 7)
            if place % 2
            else h
            for place, h in enumerate(item.hashes)
        )
        for number in range(count)
    ]
    return [
        records.encode_item(BankId(number + 1), Item(item.media_type, own), Labels("x"))
        for number, own in enumerate(hashes)
    ]


def entries_of(item_ids: Sequence[int], stored: Sequence[bytes]) -> dict[int, list[Any]]:
    """What `decode_entries` says, one by one."""
    found: dict[int, list[Any]] = {}
    for item_id, record in zip(item_ids, stored, strict=True):
        bank, media, entries = records.decode_entries(record, "item")
        for entry_id, (number, value, position) in enumerate(entries, item_id):
            row = (entry_id, item_id, bank, media, value, position)
            found.setdefault(number, []).append(row)
    return found


@given(ITEMS, st.integers(1, 9))
@PROPERTY
def test_items_laid_out_alike_are_read_as_one_by_one(item: Item, count: int) -> None:
    stored = alike(item, count)
    item_ids = [(1 << 60) + 10 * number for number in range(count)]
    columns = records.decode_alike(np.array(item_ids, np.uint64), stored)
    assert columns is not None
    found = {
        int(hash_type): list(
            zip(
                own.entry_ids.tolist(),
                own.item_ids.tolist(),
                own.bank_ids.tolist(),
                own.media_types.tolist(),
                map(bytes, own.values),
                own.positions.tolist(),
                strict=True,
            )
        )
        for hash_type, own in columns.items()
    }
    assert found == entries_of(item_ids, stored)


@pytest.mark.parametrize("place", [0, 1, 7, 8, 12, 20, -1])
def test_a_damaged_record_is_not_read_among_others(place: int) -> None:
    item = Item(MediaType.IMAGE, (Hash(HashType.PDQ, HashValue(bytes(range(32))), 100),))
    stored = alike(item, 9)
    item_ids = np.arange(1, 10, dtype=np.uint64)
    for broken in (0, 4, 8):
        bad = bytearray(stored[broken])
        bad[place] ^= 1
        damaged = [*stored[:broken], bytes(bad), *stored[broken + 1 :]]
        assert records.decode_alike(item_ids, damaged) is None
        with pytest.raises(CorruptError):
            records.decode_entries(bytes(bad), "item 1")


def test_other_hash_types_of_the_same_length_are_not_alike() -> None:
    stored = [
        records.encode_item(
            BankId(1), Item(MediaType.IMAGE, (Hash(kind, HashValue(bytes(32))),)), Labels()
        )
        for kind in (HashType.PDQ, HashType.SHA256)
    ]
    assert len(stored[0]) == len(stored[1])
    assert records.decode_alike(np.array([1, 2], np.uint64), stored) is None


@given(U64, U64, DIGEST, U64, st.integers(0, 65_535))
@PROPERTY
def test_head_is_read_back(
    sequence: int, count: int, digest: int, next_entry: int, next_bank: int
) -> None:
    checkpoint = Checkpoint(sequence, count, digest)
    head = Head(checkpoint, EntryId(next_entry), BankId(next_bank))
    assert records.decode_head(records.encode_head(head)) == head


@given(U64, DIGEST, st.sampled_from(ChangeKind), st.lists(st.tuples(U64, U64), max_size=3), TEXT)
@PROPERTY
def test_change_is_read_back(
    sequence: int, digest: int, kind: ChangeKind, removed: list[tuple[int, int]], reason: str
) -> None:
    ranges = tuple(IdRange(EntryId(a), EntryId(b)) for a, b in removed)
    added = IdRange(EntryId(3), EntryId(9))
    record = LogRecord(
        Checkpoint(sequence, 7, digest), 1_000, kind, BankId(2), added, ranges, reason
    )
    assert records.decode_change(sequence, records.encode_change(record)) == record


def bank() -> Bank:
    types = {HashType.PDQ: TypePolicy(30, 40), HashType.MD5: TypePolicy(0, 0)}
    policy = BankPolicy(BankRole.CLEARED, enabled=False, types=types)
    return Bank(BankId(7), "FALSE_POSITIVES", policy, "confirmed")


def test_bank_is_read_back() -> None:
    assert records.decode_bank(BankId(7), records.encode_bank(bank())) == bank()


ITEM = Item(
    MediaType.VIDEO,
    (
        Hash(HashType.PDQ, HashValue(bytes(range(32))), 77, frame_offset_ms=1_500),
        Hash(HashType.MD5, HashValue(bytes(range(16)))),
    ),
)
CHANGE = LogRecord(
    Checkpoint(12, 3, 255),
    1_700_000_000_000,
    ChangeKind.WITHDRAW,
    BankId(0),
    IdRange(EntryId(0), EntryId(0)),
    (IdRange(EntryId(4), EntryId(6)),),
    "case 12",
)
HEAD = Head(Checkpoint(12, 3, 255), EntryId(9), BankId(3))

# Written by version 1, which every later program reads.
GOLDEN: dict[str, tuple[bytes, str, Callable[[bytes], Any], Any]] = {
    "item": (
        records.encode_item(BankId(2), ITEM, Labels("A", 3, "unit", "CASE-12")),
        (
            "01f27b1d4500020200000002014d01000005dc000102030405060708090a0b0c0d0e0f1011121314"
            "15161718191a1b1c1d1e1f03ff0000000000000102030405060708090a0b0c0d0e0f030001000400"
            "0741756e6974434153452d3132"
        ),
        lambda record: records.decode_item(ItemId(4), record),
        ListedItem(ItemId(4), BankId(2), ITEM, Labels("A", 3, "unit", "CASE-12")),
    ),
    "bank": (
        records.encode_bank(bank()),
        ("01365d90ba02000f00090201001e280300000046414c53455f504f53495449564553636f6e6669726d6564"),
        lambda record: records.decode_bank(BankId(7), record),
        bank(),
    ),
    "head": (
        records.encode_head(HEAD),
        (
            "01fa52c19d000000000000000c000000000000000300000000000000000000000000000000000000"
            "000000000000000000000000ff00000000000000090003"
        ),
        records.decode_head,
        HEAD,
    ),
    "change": (
        records.encode_change(CHANGE),
        (
            "01df2c7ef1000000000000000c000000000000000300000000000000000000000000000000000000"
            "000000000000000000000000ff0000018bcfe5680003000000000000000000000000000000000000"
            "0007000000010000000000000004000000000000000663617365203132"
        ),
        lambda record: records.decode_change(12, record),
        CHANGE,
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_records_of_version_1_are_read_and_written_as_ever(name: str) -> None:
    written, golden, decode, value = GOLDEN[name]
    assert written.hex() == golden
    assert decode(bytes.fromhex(golden)) == value


@pytest.mark.parametrize("name", GOLDEN)
def test_every_truncation_and_every_flipped_bit_is_corrupt(name: str) -> None:
    record, _, decode, _ = GOLDEN[name]
    for size in range(len(record)):
        with pytest.raises(CorruptError):
            decode(record[:size])
    for at in range(len(record) * 8):
        damaged = bytearray(record)
        damaged[at >> 3] ^= 1 << (at & 7)
        with pytest.raises(CorruptError):
            decode(bytes(damaged))
    with pytest.raises(CorruptError):
        decode(record + b"\0")


@pytest.mark.parametrize("name", GOLDEN)
def test_record_with_a_right_checksum_and_wrong_inside_is_corrupt_or_harmless(name: str) -> None:
    record, _, decode, _ = GOLDEN[name]
    body = record[5:]
    for at in range(len(body)):
        for byte in (0, 1, 127, 255):
            changed = body[:at] + bytes([byte]) + body[at + 1 :]
            try:
                decode(records._frame(changed))
            except CorruptError as error:
                assert name in str(error) or "log record" in str(error)  # noqa: PT017


def test_record_of_a_newer_version_says_so() -> None:
    record = bytearray(records.encode_head(HEAD))
    record[0] = 2
    with pytest.raises(CorruptError, match="record version 2, want 1"):
        records.decode_head(bytes(record))


def test_change_under_another_sequence_is_corrupt() -> None:
    with pytest.raises(CorruptError, match="log record 13: holds sequence 12"):
        records.decode_change(13, records.encode_change(CHANGE))
