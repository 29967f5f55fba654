"""Banks: named lists, each with the policy by which its entries match."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Final, NewType

from engine.errors import InvalidInputError
from engine.hashes import (
    JUDGED_TYPES,
    MAX_QUALITY,
    SPECS,
    SUPPORTING_TYPES,
    Hash,
    HashType,
    MediaType,
)

BankId = NewType("BankId", int)

MAX_BANK_ID: Final = 65_535  # two bytes beside every entry in memory
# The field's convention for bank names (Meta's Hasher-Matcher-Actioner).
BANK_NAME: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}\Z")
MAX_NOTE_BYTES: Final = 1_000
UNKNOWN_QUALITY: Final = -1  # under any limit but that of a type which has no quality
_TELLING: Final = frozenset(t for t, s in SPECS.items() if s.perceptual) - {HashType.PDQ_TILE}


class BankRole(IntEnum):
    """What a match in a bank means; numbers as in `firstseen.v1.BankRole`."""

    KNOWN = 1
    CLEARED = 2


@dataclass(frozen=True, slots=True)
class TypePolicy:
    """How one hash type matches in one bank.

    Attributes:
        max_distance_bits: a hash at this distance still matches; 0 for exact hashes.
        min_quality: entries under it are not listed, queries under it cannot be NOVEL.
    """

    max_distance_bits: int
    min_quality: int


def default_types() -> Mapping[HashType, TypePolicy]:
    """Every hash type at its defaults."""
    return MappingProxyType(
        {
            hash_type: TypePolicy(spec.default_distance_bits, spec.default_min_quality)
            for hash_type, spec in SPECS.items()
        }
    )


@dataclass(frozen=True, slots=True)
class BankPolicy:
    """How a bank matches.

    Attributes:
        role: what a match means.
        enabled: a disabled bank keeps its entries and matches nothing.
        types: the hash types it lists, each with its limits.

    Raises:
        InvalidInputError: a limit does not fit its hash type.
    """

    role: BankRole = BankRole.KNOWN
    enabled: bool = True
    types: Mapping[HashType, TypePolicy] = field(default_factory=default_types)

    def __post_init__(self) -> None:
        if not self.types:
            raise InvalidInputError("types", "empty, want at least one hash type")
        for hash_type, limits in self.types.items():
            spec = SPECS[hash_type]
            name = f"types.{hash_type.name}"
            if not 0 <= limits.max_distance_bits <= spec.max_distance_bits:
                raise InvalidInputError(
                    f"{name}.max_distance_bits", f"want 0 to {spec.max_distance_bits}"
                )
            if not 0 <= limits.min_quality <= (MAX_QUALITY if spec.has_quality else 0):
                raise InvalidInputError(
                    f"{name}.min_quality", f"want 0 to {MAX_QUALITY if spec.has_quality else 0}"
                )


@dataclass(frozen=True, slots=True)
class Bank:
    """A named list with its policy.

    Attributes:
        bank_id: 1 to `MAX_BANK_ID`, never reused.
        name: capitals, digits and underscores, at most 64.
        policy: how it matches.
        note: what the unit wants to remember of it.

    Raises:
        InvalidInputError: a field is malformed.
    """

    bank_id: BankId
    name: str
    policy: BankPolicy = field(default_factory=BankPolicy)
    note: str = ""

    def __post_init__(self) -> None:
        if not 1 <= self.bank_id <= MAX_BANK_ID:
            raise InvalidInputError("bank_id", f"want 1 to {MAX_BANK_ID}")
        if not BANK_NAME.match(self.name):
            raise InvalidInputError(
                "name", "want 1 to 64 of A-Z, 0-9 and _, not beginning with a digit"
            )
        if len(self.note.encode()) > MAX_NOTE_BYTES:
            raise InvalidInputError("note", f"over {MAX_NOTE_BYTES} bytes")

    def refusal(self, hash_: Hash) -> str | None:
        """Why this bank would not list a hash, or None when it would."""
        limits = self.policy.types.get(hash_.type)
        if limits is None:
            return f"bank {self.name} does not list {hash_.type.name}"
        if hash_.quality is not None and hash_.quality < limits.min_quality:
            return f"quality {hash_.quality}, bank {self.name} wants {limits.min_quality}"
        return None


@dataclass(frozen=True, slots=True)
class TypeRule:
    """One hash type's limits over all enabled banks.

    Attributes:
        max_distance_bits: the widest limit of any enabled bank: how far to search.
        min_quality: the strictest limit of any enabled *known* bank: an item is only
            NOVEL when every such bank could have judged it.
        listed: an enabled known bank lists this type.
        limits_by_bank: the limit of each enabled bank that lists it.
    """

    max_distance_bits: int
    min_quality: int
    listed: bool
    limits_by_bank: Mapping[BankId, int]


@dataclass(frozen=True, slots=True)
class Rules:
    """The policies of all banks, arranged for judging.

    Attributes:
        banks: every bank by its id, disabled ones too.
        types: one rule for each hash type that an enabled bank lists.
        judged: for each media type, the hash types an enabled known bank can judge.
        telling: for each media type, those of them by which "no match" means something, with the
            quality that this takes: perceptual ones, but no tiles, which say nothing about the
            whole.
        searched: for each media type, what is searched for a verdict: those that an enabled
            known or cleared bank lists.
        reviewed: for each media type, what is searched for a reviewer.
    """

    banks: Mapping[BankId, Bank]
    types: Mapping[HashType, TypeRule]
    judged: Mapping[MediaType, frozenset[HashType]]
    telling: Mapping[MediaType, Mapping[HashType, int]]
    searched: Mapping[MediaType, frozenset[HashType]]
    reviewed: Mapping[MediaType, frozenset[HashType]]

    @classmethod
    def of(cls, banks: Iterable[Bank]) -> "Rules":
        """Arranges the policies of `banks`."""
        by_id = {bank.bank_id: bank for bank in banks}
        enabled = [bank for bank in by_id.values() if bank.policy.enabled]
        types = {
            hash_type: rule
            for hash_type in HashType
            if (rule := _type_rule(hash_type, enabled)) is not None
        }
        known = {hash_type for hash_type, rule in types.items() if rule.listed}
        judged, telling, searched, reviewed = {}, {}, {}, {}
        for media, decisive in JUDGED_TYPES.items():
            judged[media] = decisive & known
            telling[media] = {
                hash_type: types[hash_type].min_quality
                if SPECS[hash_type].has_quality
                else UNKNOWN_QUALITY
                for hash_type in judged[media] & _TELLING
            }
            # Where nothing could become known, nothing needs to be cleared.
            searched[media] = decisive & types.keys() if judged[media] else frozenset()
            reviewed[media] = (decisive | SUPPORTING_TYPES[media]) & types.keys()
        return cls(
            MappingProxyType(by_id),
            MappingProxyType(types),
            MappingProxyType(judged),
            MappingProxyType(telling),
            MappingProxyType(searched),
            MappingProxyType(reviewed),
        )


def _type_rule(hash_type: HashType, enabled: Iterable[Bank]) -> TypeRule | None:
    limits = {
        bank.bank_id: (bank.policy.role, bank.policy.types[hash_type])
        for bank in enabled
        if hash_type in bank.policy.types
    }
    if not limits:
        return None
    known = [limit for role, limit in limits.values() if role is BankRole.KNOWN]
    return TypeRule(
        max_distance_bits=max(limit.max_distance_bits for _, limit in limits.values()),
        min_quality=max((limit.min_quality for limit in known), default=0),
        listed=bool(known),
        limits_by_bank=MappingProxyType(
            {bank_id: limit.max_distance_bits for bank_id, (_, limit) in limits.items()}
        ),
    )
