"""What a load would do, without doing it."""

import hashlib
import struct
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from engine.entries import NewItem
from engine.hashes import Item
from engine.policy import BankId
from engine.store import LoadResult, StoreReader

# About 100 bytes each. Beyond that many, repeats within the file are only seen within a batch.
MAX_REMEMBERED: Final = 2_000_000
_HASH: Final = struct.Struct(">Bhqi")


class Preview:
    """Takes batches as `StoreWriter.load` does, and remembers them instead of listing them."""

    def __init__(self, store: StoreReader, bank_id: BankId | None) -> None:
        """Takes the bank to compare with; None for one that is not made yet."""
        self._store = store
        self._bank_id = bank_id
        self._seen: set[bytes] = set()

    @property
    def is_exact(self) -> bool:
        """Whether every item could be remembered."""
        return len(self._seen) < MAX_REMEMBERED

    def load(self, items: Sequence[NewItem]) -> LoadResult:
        """What loading these, after all before them, would do."""
        fresh = [new for new in items if self._is_first(new.item)]
        if self._bank_id is None:
            entries = sum(len(new.item.hashes) for new in fresh)
            by_type = Counter(new.item.media_type for new in fresh)
            result = LoadResult(self._store.head(), len(fresh), entries, 0, by_type)
        else:
            result = self._store.preview(self._bank_id, fresh)
        repeated = len(items) - len(fresh)
        return replace(result, duplicate_items=result.duplicate_items + repeated)

    def _is_first(self, item: Item) -> bool:
        digest = _item_digest(item)
        if digest in self._seen:
            return False
        if len(self._seen) < MAX_REMEMBERED:
            self._seen.add(digest)
        return True


def _item_digest(item: Item) -> bytes:
    """A digest that is the same for equal items only."""
    digest = hashlib.blake2b(bytes([item.media_type]), digest_size=16)
    for hash_ in item.hashes:
        quality, frame, page = (
            -1 if number is None else number
            for number in (hash_.quality, hash_.frame_offset_ms, hash_.page_index)
        )
        digest.update(_HASH.pack(hash_.type, quality, frame, page) + hash_.value)
    return digest.digest()
