"""The whole of it on real data: loaded by the indexer's command, asked over gRPC."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from bench.running import environment, running_server
from firstseen import (
    Client,
    Hash,
    HashType,
    HashValue,
    Item,
    MediaType,
    Plaintext,
    ReviewClient,
    Strength,
    Verdict,
    hash_file,
)
from tests.client import documents
from tests.client.clips import PHOTOS, motion_photo, pan, write_clip, write_pan
from tests.server.worlds import PATIENT

BANK = "REMOVED"
MOST_BITS = 47
OF_PICTURES = {HashType.PDQ, HashType.PDQ_TILE, HashType.SHA256, HashType.MD5}
# Pairs of a needle and a haystack hash within so many bits; from Meta's test data.
PAIRS_WITHIN = {0: 50, 15: 151, 31: 250, 47: 287}


@dataclass(frozen=True)
class World:
    """A store, and a server that follows it."""

    store: Path
    client: Client
    review: ReviewClient


def indexer(root: Path, *words: object) -> None:
    """Runs the indexer's command."""
    done = subprocess.run(
        [sys.executable, "-m", "indexer", *map(str, words)],
        cwd=root,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def world(tmp_path: Path, root: Path) -> Iterator[World]:
    store = tmp_path / "store"
    indexer(root, "init", "--store", store)
    indexer(root, "banks", "create", BANK, "--store", store)
    with ExitStack() as stack:
        server = stack.enter_context(running_server(store))
        client = stack.enter_context(Client(server.match, Plaintext(), PATIENT))
        review = stack.enter_context(ReviewClient(server.review, Plaintext(), PATIENT))
        yield World(store, client, review)


def load(world: World, root: Path, what: Path, *options: object) -> None:
    """Lists hashes and waits until the server has them."""
    before = world.client.check(PROBE).checkpoint.sequence
    indexer(root, "load", what, "--store", world.store, "--bank", BANK, *options)
    while world.client.check(PROBE).checkpoint.sequence == before:
        pass


PROBE = Item(MediaType.IMAGE, (Hash(HashType.SHA256, HashValue(bytes(32))),))


def pdq_items(path: Path) -> list[Item]:
    """An item for each line of a list of PDQ hashes."""
    lines = [line.split(",")[0].strip() for line in path.read_text().splitlines()]
    return [
        Item(MediaType.IMAGE, (Hash(HashType.PDQ, HashValue.fromhex(line), 100),))
        for line in lines
        if line
    ]


def test_needles_are_found_in_the_haystack_at_their_known_distances(
    world: World, root: Path, shared_data: Path
) -> None:
    load(world, root, shared_data / "pdq" / "haystack.txt")
    needles = pdq_items(shared_data / "pdq" / "needles.txt")
    assert len(needles) == 100
    assert {world.client.check(item).verdict for item in needles} == {Verdict.KNOWN}

    indexer(root, "banks", "set", BANK, "--store", world.store, "--pdq-max-distance", MOST_BITS)
    while (sequence := world.client.check(PROBE).checkpoint.sequence) < 3:
        pass
    distances: Counter[int] = Counter()
    for item in needles:
        explained = world.review.explain(item, max_matches=1_000)
        assert explained.checkpoint.sequence == sequence
        assert explained.match_count == len(explained.matches)
        assert {match.bank for match in explained.matches} <= {BANK}
        distances.update(match.distance_bits for match in explained.matches)
    for limit, count in PAIRS_WITHIN.items():
        assert sum(n for bits, n in distances.items() if bits <= limit) == count


def test_edited_copies_are_known_once_the_original_is_listed(
    world: World, root: Path, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "pdq"
    listed = tmp_path / "listed"
    listed.mkdir()
    (listed / "a.jpg").write_bytes((folder / "bridge-aaa-orig.jpg").read_bytes())
    load(world, root, listed)

    def verdicts(pattern: str) -> list[Verdict]:
        found = list(world.client.check_many(sorted(folder.glob(pattern))))
        assert found
        return [one.answer.verdict for one in found if one.answer]

    assert verdicts("bridge-*.jpg") == [Verdict.KNOWN] * 8
    assert verdicts("dih-*.jpg") == [Verdict.KNOWN] * 3
    assert verdicts("lowq-*.jpg") == [Verdict.UNSURE] * 2
    assert verdicts("small-q0122.jpg") == [Verdict.NOVEL]


def test_photographs_are_listed_explained_and_withdrawn(
    world: World, root: Path, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    listed = tmp_path / "listed"
    listed.mkdir()
    for photo in photos[:8]:
        (listed / photo.name).write_bytes(photo.read_bytes())
    labels = ("--category", "A", "--severity", 3, "--source", "unit", "--reference", "CASE-12")
    load(world, root, listed, *labels)

    answers = list(world.client.check_many(photos))
    assert [answer.path for answer in answers] == list(photos)
    assert [answer.answer.verdict for answer in answers if answer.answer] == (
        [Verdict.KNOWN] * 8 + [Verdict.NOVEL] * (len(photos) - 8)
    )

    explained = world.review.explain(hash_file(photos[0]))
    assert {match.type for match in explained.matches} == OF_PICTURES
    assert {(m.bank, m.category, m.severity, m.source, m.reference) for m in explained.matches} == {
        (BANK, "A", 3, "unit", "CASE-12")
    }
    matching = [match for match in explained.matches if match.strength is Strength.MATCH]
    assert {match.distance_bits for match in matching} == {0}

    (item_id,) = {match.item_id for match in explained.matches}
    sequence = explained.checkpoint.sequence
    indexer(root, "withdraw", "--item", item_id, "--store", world.store)
    while (answer := world.client.check_file(photos[0])).checkpoint.sequence == sequence:
        pass
    assert answer.verdict is Verdict.NOVEL
    assert world.client.check_file(photos[1]).verdict is Verdict.KNOWN
    indexer(root, "verify", "--store", world.store)


def test_cleared_bank_takes_a_verdict_back(
    world: World, root: Path, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    listed = tmp_path / "listed"
    listed.mkdir()
    (listed / "a.jpg").write_bytes(photos[0].read_bytes())
    load(world, root, listed)
    assert world.client.check_file(photos[0]).verdict is Verdict.KNOWN
    indexer(root, "banks", "create", "CLEARED", "--role", "cleared", "--store", world.store)
    indexer(root, "load", listed, "--store", world.store, "--bank", "CLEARED")
    while world.client.check(PROBE).checkpoint.sequence < 4:
        pass
    assert world.client.check_file(photos[0]).verdict is Verdict.NOVEL


def test_every_kind_of_file_is_known_once_its_folder_is_listed(
    world: World, root: Path, photos: tuple[Path, ...], tmp_path: Path
) -> None:
    listed, copies = tmp_path / "listed", tmp_path / "copies"
    listed.mkdir()
    copies.mkdir()
    texts = documents.paragraphs(1)
    clip = write_pan(tmp_path / "clip.mp4", first=4)
    (listed / "a.jpg").write_bytes(photos[0].read_bytes())
    (listed / "b.docx").write_bytes(documents.docx_(texts))
    write_pan(listed / "c.mp4")
    (listed / "d.jpg").write_bytes(motion_photo(clip.read_bytes()))
    load(world, root, listed, "--jobs", 2)

    # Of each a copy of other bytes: another format, another size, another clip around it.
    with Image.open(photos[0]) as opened:
        opened.resize((800, 600)).save(copies / "a.png")
    (copies / "b.pdf").write_bytes(documents.pdf(texts))
    write_clip(copies / "c.mkv", pan(PHOTOS[:3], 6, 10, (240, 180)), 10, "mpeg4")
    (copies / "d.jpg").write_bytes(motion_photo(clip.read_bytes()) + b"\0")
    (copies / "other.mp4").write_bytes(write_pan(tmp_path / "other.mp4", first=8).read_bytes())
    # A listed picture with a clip that is not: what is new about it counts.
    new_clip = motion_photo((copies / "other.mp4").read_bytes())
    (copies / "part.jpg").write_bytes(new_clip)
    answers = world.client.check_many(sorted(copies.iterdir()))
    assert {a.path.name: a.answer.verdict for a in answers if a.answer} == {
        "a.png": Verdict.KNOWN,
        "b.pdf": Verdict.KNOWN,
        "c.mkv": Verdict.KNOWN,
        "d.jpg": Verdict.KNOWN,
        "other.mp4": Verdict.NOVEL,
        "part.jpg": Verdict.NOVEL,
    }


def test_photograph_saved_as_a_pdf_is_the_photograph(
    world: World, root: Path, tmp_path: Path
) -> None:
    listed, other = tmp_path / "listed.pdf", tmp_path / "other.pdf"
    for path, photo in ((listed, PHOTOS[0]), (other, PHOTOS[1])):
        with Image.open(photo) as picture:
            picture.convert("RGB").save(path)
    load(world, root, PHOTOS[0])
    assert world.client.check_file(listed).verdict is Verdict.KNOWN
    assert world.client.check_file(other).verdict is not Verdict.KNOWN
