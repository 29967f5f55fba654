"""The edits of documents: seeded, and found as the documentation says, on invented texts."""

from bench.document_edits import EDITS, measure
from tests.client.documents import paragraphs


def test_edits_of_invented_texts_are_found_and_other_texts_are_not() -> None:
    texts = ["\n".join(paragraphs(seed, count=60)) for seed in (1, 2, 3)]
    found = list(measure(texts))
    assert [one.name for one in found] == [*EDITS, "different documents"]
    by_name = {one.name: one for one in found}
    cuts = ("first half", "middle 30 %", "inside 3 times as much", "last 20 % dropped")
    for name in ("reflow, case", "header and footer", "1 % of words edited", *cuts):
        assert by_name[name].chunks_20 == by_name[name].pairs == 3
    for name in (
        "reflow, case",
        "header and footer",
        "3 % of words edited",
        "10 % of words edited",
    ):
        assert by_name[name].simhash == 3
    assert by_name["reflow, case"].least_simhash_bits == 0
    other = by_name["different documents"]
    assert (other.pairs, other.simhash, other.chunks_20) == (3, 0, 0)
    assert list(measure(texts)) == found
