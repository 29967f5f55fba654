"""Normalisation and sketches, against the definition in docs/hashing.md written out."""

import hashlib
import random
import re
import string
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from firstseen.hashing.charset import decode, has_controls
from firstseen.hashing.sketches import chunk_starts, gram_hashes, sketch
from firstseen.hashing.text import code_points, normalise

MASK = (1 << 64) - 1


def seed(name: str, place: int) -> int:
    text = f"firstseen-text-v1/{name}/{place}"
    return int.from_bytes(hashlib.sha256(text.encode("ascii")).digest()[:8], "big")


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def grams_of(text: str, size: int = 9) -> list[int]:
    factors = [seed("gram", place) | 1 for place in range(size)]
    runs = [text[at : at + size] for at in range(len(text) - size + 1)]
    return [mix(sum(map(int.__mul__, map(ord, run), factors)) & MASK) for run in runs]


def simhash_of(grams: list[int]) -> bytes:
    ones, whole = [0] * 256, 0
    for gram in set(grams):
        weight = grams.count(gram).bit_length()
        whole += weight
        bits = "".join(f"{mix(gram ^ seed('simhash', word)):064b}" for word in range(4))
        ones = [one + weight * int(bit) for one, bit in zip(ones, bits, strict=True)]
    return int("".join(str(int(2 * one > whole)) for one in ones), 2).to_bytes(32)


def chunks_of(grams: list[int]) -> list[list[int]]:
    inner = range(300, len(grams) - 300)
    starts = [0, *(p for p in inner if grams[p] < min(grams[p - 300 : p] + grams[p + 1 : p + 301]))]
    return [grams[a:b] for a, b in zip(starts, [*starts[1:], len(grams)], strict=True)]


def minhash_of(chunk: list[int]) -> bytes:
    least = [min(g * (seed("minhash", k) | 1) & MASK for g in chunk) for k in range(256)]
    return int("".join(str(m >> 32 & 1) for m in least), 2).to_bytes(32)


def letters(seed_: int, count: int, alphabet: str = string.ascii_lowercase) -> str:
    return "".join(random.Random(seed_).choices(alphabet, k=count))


@pytest.mark.parametrize("text", [letters(1, 9), letters(2, 700), letters(3, 2_500, "ab漢字😀")])
def test_sketches_are_as_they_are_defined(text: str) -> None:
    grams = grams_of(text)
    made = sketch(text)
    assert made is not None
    assert gram_hashes(code_points(text)).tolist() == grams
    assert made.simhash == simhash_of(grams_of(text, 8))
    assert made.minhashes == tuple(map(minhash_of, chunks_of(grams)))
    factor = seed("rank", 0) | 1
    assert made.ranks == tuple(min(g * factor & MASK for g in c) for c in chunks_of(grams))


def test_sketches_of_the_documented_vector_are_the_documented_ones(root: Path) -> None:
    page = (root / "docs" / "hashing.md").read_text(encoding="utf-8")
    written = dict(re.findall(r"^(SIMHASH|MINHASH) +([0-9a-f]{64})$", page, re.MULTILINE))
    text = "".join(a + b for a in string.ascii_lowercase for b in string.ascii_lowercase)
    made = sketch(text)
    assert made is not None
    assert made.simhash.hex() == written["SIMHASH"]
    assert made.minhashes[0].hex() == written["MINHASH"]


def test_chunks_have_300_grams_at_least_and_601_on_average() -> None:
    grams = gram_hashes(code_points(letters(4, 200_000)))
    sizes = np.diff(chunk_starts(grams))
    assert sizes.min() > 300
    assert 560 < sizes.mean() < 640


def test_text_before_moves_no_boundary_300_characters_on() -> None:
    text = letters(5, 8_000)
    own = gram_hashes(code_points(text))
    shifted = gram_hashes(code_points(letters(6, 1_234) + text))
    starts = set(chunk_starts(shifted) - 1_234)
    assert set(chunk_starts(own)[1:]) <= starts


def test_text_of_one_letter_is_one_chunk_and_of_too_few_none() -> None:
    same = sketch("a" * 50_000)
    assert same is not None
    assert (same.distinct_grams, len(same.minhashes)) == (1, 1)
    assert sketch("abcdefgh") is None
    assert sketch("") is None


def test_equal_chunks_are_given_once() -> None:
    text = letters(7, 5_000)
    once, thrice = sketch(text), sketch(text * 3)
    assert once is not None
    assert thrice is not None
    assert len(thrice.minhashes) <= len(once.minhashes) + 2
    assert len(set(thrice.minhashes)) == len(thrice.minhashes)


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Straße ﬁnden, \uff21\uff22\uff23!", "strassefindenabc"),
        ("co-\noperation soft\u00adly", "cooperationsoftly"),
        ("snake_case — “quoted”…", "snakecasequoted"),
        ("x² ½ Ⅷ", "x212viii"),
        ("漢字 かな 한글", "漢字かな한글"),
        ("Ünïcode", unicodedata.normalize("NFC", "ünïcode")),
        ("", ""),
    ],
)
def test_text_is_normalised_to_letters_and_digits(text: str, want: str) -> None:
    assert normalise(text) == want
    assert normalise(unicodedata.normalize("NFD", text)) == want


def test_normalising_twice_changes_nothing() -> None:
    text = "".join(map(chr, random.Random(8).choices(range(0x20, 0xD800), k=20_000)))
    assert normalise(normalise(text)) == normalise(text)


def test_text_is_decoded_as_declared_or_as_utf8_or_as_windows_1252() -> None:
    assert decode("žluť".encode()) == "žluť"
    assert decode(b"caf\xe9 \x80") == "café €"
    assert decode("žluť".encode("iso-8859-2"), "ISO-8859-2") == "žluť"
    assert decode("žluť".encode()[:-1], is_cut=True) == "žlu"
    assert decode(b"+AGE-", "utf-7") == "+AGE-"
    assert not has_controls("a\tb\r\n\f")
    assert has_controls("a\0")
