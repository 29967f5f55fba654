"""What of an item leaves the device."""

import pytest

from firstseen import Hash, HashType, HashValue, Item, MediaType
from firstseen.asking import needed
from firstseen.items import Checkpoint, Policy

PDQ, PAGE, SIMHASH = HashType.PDQ, HashType.PAGE_PDQ, HashType.SIMHASH
JUDGED = {MediaType.DOCUMENT: frozenset({PDQ, PAGE, SIMHASH})}
POLICY = Policy(JUDGED, 100, 10, 100_000, Checkpoint(1, 1, bytes(32)), 0)


@pytest.mark.parametrize(
    ("types", "sent"),
    [
        ([PAGE, PDQ], [PAGE, PDQ]),
        ([PAGE, PDQ, HashType.SHA256, HashType.TLSH], [PAGE, PDQ]),
        ([PAGE, PDQ, PDQ], [PAGE]),
        ([PAGE, PAGE, PDQ], [PAGE, PAGE]),
        ([PAGE, PDQ, SIMHASH], [PAGE, SIMHASH]),
        ([PAGE, PDQ, HashType.TEXT_SHA256], [PAGE]),
    ],
)
def test_picture_of_a_document_is_sent_only_where_it_may_be_the_whole_of_it(
    types: list[HashType], sent: list[HashType]
) -> None:
    hashes = tuple(Hash(type_, HashValue(bytes(32)), 80) for type_ in types)
    reduced = needed(Item(MediaType.DOCUMENT, hashes), POLICY)
    assert isinstance(reduced, Item)
    assert [hash_.type for hash_ in reduced.hashes] == sent
