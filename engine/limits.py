"""How near hashes of one type have to be, arranged for comparing many hits at once."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from engine.hashes import SPECS, HashType
from engine.policy import BankRole, Rules

_NO_LIMIT: Final = -1  # a distance is never as small: a bank that does not match


@dataclass(frozen=True, slots=True)
class Limits:
    """How near one hash type matches, bank by bank, as arrays indexed by bank id.

    Attributes:
        max_distance_bits: the widest limit of any bank: how far to search.
        is_bounded: queries that hit too much are left. Exact hashes are never too common.
        distance_bits: int32, shape (b,): the bank's limit, -1 where it does not match.
        near_bits: int32, shape (b,): how far a hash is worth a look.
        known: bool, shape (b,): the bank is a known one; else it is cleared.
    """

    max_distance_bits: int
    is_bounded: bool
    distance_bits: npt.NDArray[np.int32]
    near_bits: npt.NDArray[np.int32]
    known: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, hash_type: HashType, rules: Rules) -> "Limits":
        """The limits of all enabled banks."""
        spec, rule = SPECS[hash_type], rules.types[hash_type]
        size = max(rules.banks, default=0) + 1
        distance_bits = np.full(size, _NO_LIMIT, np.int32)
        for bank_id, limit in rule.limits_by_bank.items():
            distance_bits[bank_id] = limit
        near_bits = np.where(
            distance_bits == _NO_LIMIT,
            _NO_LIMIT,
            np.maximum(distance_bits, spec.near_distance_bits),
        ).astype(np.int32)
        known = np.zeros(size, np.bool_)
        for bank_id, bank in rules.banks.items():
            known[bank_id] = bank.policy.role is BankRole.KNOWN
        return cls(rule.max_distance_bits, spec.perceptual, distance_bits, near_bits, known)
