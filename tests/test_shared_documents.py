"""The documents beside the checkout, judged by the engine as a server would judge them."""

from pathlib import Path

import pytest

from bench.quality_match import EngineRule
from firstseen.hashing.document import hash_document
from firstseen.hashing.item_limits import BANK_HASHES


@pytest.mark.slow
def test_half_and_complete_match_each_other_and_nothing_else(shared_data: Path) -> None:
    paths = sorted((shared_data / "document").glob("*.pdf"))
    numbers = {path.name: number for number, path in enumerate(paths)}
    pair = {numbers["half.pdf"], numbers["complete.pdf"]}
    contents = [path.read_bytes() for path in paths]
    listed = [hash_document(data, is_listed=True, max_hashes=BANK_HASHES) for data in contents]
    rule = EngineRule(listed)

    for number, data in enumerate(contents):
        want = pair if number in pair else {number}
        assert rule.find(hash_document(data)).match == want, paths[number].name
