"""The short way to a verdict, for hashes of which one hit makes a match by itself.

Most checks are of a picture that nothing is near to, or whose own hash is listed. For those it is
enough to know the nearest hit in a known and in a cleared bank, which one compiled loop finds;
nothing is collected of the listed items. Whenever more than that could matter, a glance says
nothing and all hits are weighed (`evidence`). Both ways come to the same verdict.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final

from engine.errors import CorruptError
from engine.evidence import makes_match_alone
from engine.hashes import SPECS, HashType, MediaType
from engine.index import Bound
from engine.layer import Layer, Part
from engine.limits import Limits
from engine.question import Question
from engine.search import SLICE_QUERIES, most_hits
from engine.tally import NO_MEDIA, NOTHING, Distances, Rows, nearest
from engine.verdict import Nearness

Nearest = tuple[Nearness | None, Nearness | None]
"""The nearest match in a known and in a cleared bank."""

_DOCUMENT: Final = int(MediaType.DOCUMENT)  # plain, for compiled code
_NONE: Final[Distances] = (NOTHING, NOTHING)


@dataclass(frozen=True, slots=True)
class _Look:
    """One part of the list, ready to be looked at.

    Attributes:
        part: the entries.
        rows: of the part.
        bound: the search that was handed both, where its index has one.
    """

    part: Part
    rows: Rows
    bound: Bound | None

    @classmethod
    def of(cls, part: Part, limits: Limits) -> "_Look":
        """Makes it.

        Raises:
            CorruptError: an entry is of no bank; the loops look a bank's limit up by its id.
        """
        columns = part.columns
        if int(columns.bank_ids.max()) >= len(limits.distance_bits):
            raise CorruptError("an entry is of a bank that there is not")
        rows = Rows(
            columns.bank_ids, columns.media_types, part.alive, limits.distance_bits, limits.known
        )
        return cls(part, rows, part.index.bind(limits.max_distance_bits, rows))

    def nearest(
        self, question: Question, max_distance_bits: int, max_hits: int, passed_over: int
    ) -> Distances | None:
        """The nearest hits; None when there are too many: over `max_hits`, or fewer if bound."""
        if self.bound is not None:
            return self.bound.nearest(b"".join(question.values), passed_over)
        hits = self.part.hits(question.queries(), max_distance_bits, max_hits)
        if not len(hits):
            return _NONE
        if len(hits) > max_hits:
            return None
        return nearest(hits.rows, hits.distances_bits, *self.rows, passed_over)


class Glance:
    """The list of a snapshot, ready to be looked at."""

    def __init__(
        self,
        layers: Mapping[HashType, Layer],
        limits: Mapping[HashType, Limits],
        before: "Glance | None" = None,
    ) -> None:
        """Hands the searches what they look at.

        Args:
            layers: the list.
            limits: of the banks, for each hash type that is searched.
            before: of the snapshot before, with the same limits; what it has is not made anew.

        Raises:
            CorruptError: an entry is of no bank.
        """
        self._limits = limits
        made = {} if before is None else {id(look.part): look for look in before.looks()}
        self._looks = {
            hash_type: [
                made.get(id(part)) or _Look.of(part, own)
                for part in layers[hash_type].parts
                if len(part)
            ]
            for hash_type, own in limits.items()
        }

    def looks(self) -> Iterator[_Look]:
        """Every part of every hash type."""
        return chain.from_iterable(self._looks.values())

    def nearest(
        self, media_type: MediaType, questions: Mapping[HashType, Question]
    ) -> Nearest | None:
        """The nearest matches, or None when all hits have to be weighed.

        Args:
            media_type: what the hits are worth.
            questions: what is searched.
        """
        known: list[Nearness] = []
        cleared: list[Nearness] = []
        doubtful: list[Nearness] = []
        is_clear = True
        for hash_type, question in questions.items():
            looks = self._looks[hash_type]
            if not looks:
                continue
            if len(question.values) > SLICE_QUERIES:
                return None
            alone = makes_match_alone(media_type, hash_type)
            passed_over = _DOCUMENT if alone and hash_type is HashType.PDQ else NO_MEDIA
            limits = self._limits[hash_type]
            # Together no more than makes one ask whether they say anything.
            max_hits = most_hits(is_bounded=limits.is_bounded) // len(looks)
            for look in looks:
                found = look.nearest(question, limits.max_distance_bits, max_hits, passed_over)
                if found == _NONE:
                    continue
                if found is None:
                    return None
                of_known, of_cleared = (_nearness(hash_type, distance) for distance in found)
                if alone:
                    known += of_known
                    cleared += of_cleared
                else:
                    is_clear = False
                    doubtful += of_cleared
        nearest_known = min(known, default=None)
        if is_clear:
            return nearest_known, min(cleared, default=None)
        # What is near may match or not: a known match stands if nothing cleared could be as near.
        if nearest_known is None or any(rival <= nearest_known for rival in cleared + doubtful):
            return None
        return nearest_known, None


def _nearness(hash_type: HashType, distance_bits: int) -> list[Nearness]:
    """A whole match at a distance, if there is one."""
    if distance_bits == NOTHING:
        return []
    return [Nearness(SPECS[hash_type].perceptual, 0, distance_bits)]
