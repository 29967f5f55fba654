"""What every feed gives, and what it takes for what a row does not say."""

from dataclasses import dataclass, field
from typing import Final

from engine.entries import Labels, NewItem
from engine.errors import InvalidInputError
from engine.hashes import MediaType
from firstseen.hashing.item_limits import BANK_HASHES

# As many as a film of three hours has in a bank; keeps one item's memory small.
MAX_ITEM_HASHES: Final = BANK_HASHES

Place = int | str
"""Where something was read: a line's number, or a file's path inside its folder."""

Read = tuple[Place, NewItem | str]
"""An item, or why there is none: field and shape, never a value."""


class FeedError(Exception):
    """A feed cannot be read at all; no single row of it is to blame."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for rows that say nothing else.

    Attributes:
        media_type: of an item without one.
        labels: of an item without any; each field counts on its own.
    """

    media_type: MediaType = MediaType.IMAGE
    labels: Labels = field(default_factory=Labels)

    def labels_of(self, category: str, severity: int | None, source: str, reference: str) -> Labels:
        """Labels of a row; empty fields and None stand for the defaults.

        Raises:
            InvalidInputError: a label is too long, out of range or not Unicode.
        """
        for name, text in (("category", category), ("source", source), ("reference", reference)):
            try:
                text.encode()
            except UnicodeEncodeError:  # half a surrogate pair, which JSON can hold
                raise InvalidInputError(name, "not Unicode") from None
        return Labels(
            category or self.labels.category,
            self.labels.severity if severity is None else severity,
            source or self.labels.source,
            reference or self.labels.reference,
        )
