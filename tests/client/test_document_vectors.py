"""Conformance vectors for text: what an implementation in another language must give."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest

from firstseen.hashing.document import hash_document
from firstseen.hashing.sketches import sketch
from firstseen.hashing.text import normalise
from firstseen.items import HashType

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "document_vectors.json").read_text(encoding="utf-8")
)["texts"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: str(vector["name"]))
def test_text_has_the_hashes_of_the_vectors(vector: dict[str, Any]) -> None:
    text = vector["text"] * vector["times"]
    normalised = normalise(text)
    assert len(normalised) == vector["normalised_characters"]
    assert hashlib.sha256(normalised.encode()).hexdigest() == vector["normalised_sha256"]
    made = sketch(normalised)
    assert (made.distinct_grams if made else 0) == vector["distinct_grams"]
    found: dict[str, list[str]] = {}
    for hash_ in hash_document(text.encode(), is_listed=True).hashes:
        if hash_.type in {HashType.TEXT_SHA256, HashType.SIMHASH, HashType.MINHASH}:
            found.setdefault(hash_.type.name, []).append(hash_.value.hex())
    assert found == vector["hashes"]


def test_vectors_hold_every_case_that_is_told_apart() -> None:
    kinds = [set(vector["hashes"]) for vector in VECTORS]
    assert set() in kinds
    assert {"TEXT_SHA256"} in kinds
    assert {"TEXT_SHA256", "SIMHASH", "MINHASH"} in kinds
    assert max(len(vector["hashes"].get("MINHASH", ())) for vector in VECTORS) >= 3
    assert any(re.search("[\u4e00-\u9fff]", vector["text"]) for vector in VECTORS)
