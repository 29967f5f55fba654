"""A document's text as it is compared: letters and digits alone, without case or layout.

The same words come out of a PDF, an EPUB and a web page with other spaces, line breaks, hyphens,
ligatures, quotes and bullets. What remains here is what all of them share.
"""

import re
import unicodedata
from typing import Final

import numpy as np
import numpy.typing as npt

# Characters of a gram. Words are no unit in Chinese, Japanese and Thai: shingles of words found
# twins of Korean texts with a Jaccard index of 0.08; nine characters do as well in any script.
GRAM_CHARACTERS: Final = 9

_NOT_KEPT: Final = re.compile(r"[\W_]+")
_PIECE_CHARACTERS: Final = 1 << 16


def normalise(text: str) -> str:
    """The text as it is compared.

    NFKC, full case folding, NFKC again (folding can undo it); then every character that is not of
    Unicode's categories L or N is removed. With the spaces go line breaks, soft hyphens and the
    hyphens of broken lines, so that a word is the same wherever a line ends.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _NOT_KEPT.sub("", folded)


def normalise_at_most(text: str, characters: int) -> str:
    """The beginning of the text as it is compared, without the cost of the rest.

    NFKC makes eighteen characters of one (U+FDFA): 12 MB of it took minutes and gigabytes.

    Args:
        text: as it was read.
        characters: how many of the result, at most.
    """
    room = characters
    for start in range(0, len(text), _PIECE_CHARACTERS):
        stop = start + _PIECE_CHARACTERS
        room -= len(unicodedata.normalize("NFKC", text[start:stop]))
        if room < 0:
            text = text[:stop]
            break
    return normalise(text)[:characters]


def code_points(text: str) -> npt.NDArray[np.uint64]:
    """The code points of a text.

    Returns:
        uint64, shape (characters,). A lone half of a surrogate pair is one code point.
    """
    encoded = text.encode("utf-32-le", "surrogatepass")
    return np.frombuffer(encoded, np.dtype("<u4")).astype(np.uint64)
