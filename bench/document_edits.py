"""What becomes of a document's sketches when the document is edited: recall, and false pairs.

    python -m bench.document_edits FOLDER

reads every document below a folder, makes seeded edits of each text, and prints for each edit
how many copies are still found, and how many pairs of different documents look alike. It needs
documents that are at hand; none are in the repository.
"""

import argparse
import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from firstseen import MediaError
from firstseen.hashing.document import document_text
from firstseen.hashing.sketches import TextSketches, sketch
from firstseen.hashing.text import normalise

SEED: Final = 20_26
SIMHASH_BITS: Final = 60
MINHASH_BITS: Final = 48
PAGE_CHARACTERS: Final = 3_000
MIN_CHARACTERS: Final = 5_000  # of a text worth editing: two pages
MAX_CHARACTERS: Final = 400_000


@dataclass(frozen=True, slots=True)
class Text:
    """A document as pages, each a list of words, and words of other documents to mix in."""

    pages: tuple[tuple[str, ...], ...]
    foreign: tuple[str, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """All of its words."""
        return tuple(itertools.chain.from_iterable(self.pages))


Edit = Callable[[Text, random.Random], str]


def reflow(text: Text, random_: random.Random) -> str:
    """Other line breaks, case and hyphenation."""
    words = [w.upper() if random_.random() < 0.5 else w.title() for w in text.words]
    lines = (" ".join(words[start : start + 7]) for start in range(0, len(words), 7))
    return "-\n".join(lines)


def header_and_footer(text: Text, random_: random.Random) -> str:
    """A line above and a line below every page."""
    above = " ".join(random_.sample(text.foreign, 6))
    return "\n".join(
        f"{above}\n{' '.join(page)}\nPage {number} of {len(text.pages)}"
        for number, page in enumerate(text.pages, start=1)
    )


def share(first: float, last: float) -> Edit:
    """Only the words between two shares of the text."""

    def cut(text: Text, _random: random.Random) -> str:
        words = text.words
        return " ".join(words[int(len(words) * first) : int(len(words) * last)])

    return cut


def without_first_page(text: Text, _random: random.Random) -> str:
    """All pages but one."""
    return " ".join(itertools.chain.from_iterable(text.pages[1:]))


def with_foreign(times: float) -> Edit:
    """The text within so many times as much text of others, at a random place."""

    def insert(text: Text, random_: random.Random) -> str:
        count = int(len(text.words) * times)
        at = random_.randrange(count + 1)
        others = list(itertools.islice(itertools.cycle(text.foreign), count))
        return " ".join((*others[:at], *text.words, *others[at:]))

    return insert


def words_edited(rate: float) -> Edit:
    """Some words replaced, left out or doubled by another, one in three each."""

    def edit(text: Text, random_: random.Random) -> str:
        out: list[str] = []
        for word in text.words:
            if random_.random() >= rate:
                out.append(word)
                continue
            other = random_.choice(text.foreign)
            out.extend(((other,), (), (word, other))[random_.randrange(3)])
        return " ".join(out)

    return edit


EDITS: Final[Mapping[str, Edit]] = {
    "reflow, case": reflow,
    "header and footer": header_and_footer,
    "first page dropped": without_first_page,
    "last 20 % dropped": share(0, 0.8),
    "first half": share(0, 0.5),
    "middle 30 %": share(0.35, 0.65),
    "30 % foreign added": with_foreign(0.3),
    "inside 3 times as much": with_foreign(2),
    "1 % of words edited": words_edited(0.01),
    "3 % of words edited": words_edited(0.03),
    "10 % of words edited": words_edited(0.10),
    "20 % of words edited": words_edited(0.20),
}


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two texts are.

    Attributes:
        simhash_bits: distance of the SimHashes.
        shared: chunks of the one with a chunk of the other within 48 bits, the larger number.
        share: of its chunks or the other's, the larger share.
    """

    simhash_bits: int
    shared: int
    share: float

    def is_found(self, least_share: float) -> bool:
        """Whether chunks find it: two at least, unless a whole side is one."""
        return self.share >= least_share and (self.shared >= 2 or self.share == 1)


def bits_apart(a: Sequence[bytes], b: Sequence[bytes]) -> npt.NDArray[np.int64]:
    """Hamming distances, shape (len(a), len(b))."""
    rows, columns = (
        np.frombuffer(b"".join(side), np.uint64).reshape(len(side), -1) for side in (a, b)
    )
    counts = np.bitwise_count(rows[:, None] ^ columns[None])
    return np.asarray(counts.sum(axis=2, dtype=np.int64))


def likeness(a: TextSketches, b: TextSketches) -> Likeness:
    """Compares two texts as a bank's entry and a query."""
    near = bits_apart(a.minhashes, b.minhashes) <= MINHASH_BITS
    sides = [(int(near.any(axis=axis).sum()), near.shape[1 - axis]) for axis in (0, 1)]
    return Likeness(
        simhash_bits=int(bits_apart([a.simhash], [b.simhash])[0, 0]),
        shared=max(count for count, _ in sides),
        share=max(count / size for count, size in sides),
    )


@dataclass(frozen=True, slots=True)
class Found:
    """Of a number of pairs, how many are found by what."""

    name: str
    pairs: int
    simhash: int
    chunks_20: int
    chunks_50: int
    least_simhash_bits: int


def count(name: str, likenesses: Sequence[Likeness]) -> Found:
    """Sums up the pairs of one edit, or those of different documents."""
    return Found(
        name=name,
        pairs=len(likenesses),
        simhash=sum(one.simhash_bits <= SIMHASH_BITS for one in likenesses),
        chunks_20=sum(one.is_found(0.2) for one in likenesses),
        chunks_50=sum(one.is_found(0.5) for one in likenesses),
        least_simhash_bits=min(one.simhash_bits for one in likenesses),
    )


def measure(texts: Sequence[str], seed: int = SEED) -> Iterator[Found]:
    """Every edit of every text against its original, then all pairs of different texts.

    Args:
        texts: of different documents, at least two, as a reader gives them.
        seed: of all edits.
    """
    sketches = [_sketch(text) for text in texts]
    documents = [paged(texts, place, _seeded(f"{seed}/{place}")) for place in range(len(texts))]
    for name, edit in EDITS.items():
        yield count(
            name,
            [
                likeness(own, _sketch(edit(document, _seeded(f"{seed}/{name}/{place}"))))
                for place, (own, document) in enumerate(zip(sketches, documents, strict=True))
            ],
        )
    pairs = itertools.combinations(sketches, 2)
    yield count("different documents", [likeness(a, b) for a, b in pairs])


def paged(texts: Sequence[str], place: int, random_: random.Random) -> Text:
    """One text as pages, with words of others in their order."""
    others = [at for at in range(len(texts)) if at != place]
    random_.shuffle(others)
    foreign: list[str] = []
    # Twice the text is the most that an edit wants.
    for at in others:
        if len(foreign) > 2 * len(texts[place].split()):
            break
        foreign.extend(texts[at].split())
    pages: list[tuple[str, ...]] = []
    page: list[str] = []
    size = 0
    for word in texts[place].split():
        page.append(word)
        size += len(word) + 1
        if size >= PAGE_CHARACTERS:
            pages.append(tuple(page))
            page, size = [], 0
    if page:
        pages.append(tuple(page))
    return Text(tuple(pages), tuple(foreign))


def _seeded(seed: str) -> random.Random:
    return random.Random(seed)  # noqa: S311  edits are to be the same every time


def _sketch(text: str) -> TextSketches:
    made = sketch(normalise(text))
    if made is None:
        raise ValueError("a text without nine letters")
    return made


def _read(folder: Path, limit: int) -> list[str]:
    texts: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or len(texts) >= limit:
            continue
        try:
            text = document_text(path.read_bytes())[:MAX_CHARACTERS]
        except MediaError:
            continue
        if len(text) >= MIN_CHARACTERS:
            texts.setdefault(normalise(text), text)
    return list(texts.values())


def main() -> None:
    """Prints the table of a folder of documents."""
    parser = argparse.ArgumentParser(prog="python -m bench.document_edits", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=200, help="of documents (default: 200)")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    texts = _read(options.folder, options.limit)
    table = Table(
        "edit",
        "pairs",
        f"SimHash ≤ {SIMHASH_BITS}",
        "chunks ≥ 20 %",
        "chunks ≥ 50 %",
        "least SimHash",
    )
    for found in measure(texts, options.seed):
        shares = [
            f"{100 * n / found.pairs:.2f} %"
            for n in (found.simhash, found.chunks_20, found.chunks_50)
        ]
        table.add_row(found.name, str(found.pairs), *shares, str(found.least_simhash_bits))
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
