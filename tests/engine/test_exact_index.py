"""The numpy index against pure Python."""

import numpy as np
import pytest

from engine import exact_index
from engine.exact_index import ExactIndex
from tests.engine.index_contract import IndexContract, PdqListContract, naive_pairs, pairs
from tests.engine.values import SEED


class TestExactIndex(IndexContract, PdqListContract):
    index_type = ExactIndex


class TestExactIndexOf128Bits(IndexContract):
    index_type = ExactIndex
    size_bytes = 16


@pytest.mark.parametrize("chunk_words", [1, 4, 8, 12, 40, 44])
def test_list_is_cut_anywhere_and_every_row_is_compared_once(
    chunk_words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact_index, "_CHUNK_WORDS", chunk_words)
    listed = np.random.default_rng(SEED).integers(0, 256, (11, 32), np.uint8)
    found = pairs(ExactIndex.build(listed).search(listed[:3], 256))
    assert found == naive_pairs(listed, listed[:3], 256)
    assert len(found) == 33
