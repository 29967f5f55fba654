"""Between the messages of `firstseen.v1` and the values of the engine; nothing else.

A message is never formatted, since its text shows the hashes. Errors name the path of
the wrong field.
"""

from collections.abc import Iterable, Mapping
from typing import Final, cast

from engine import entries, hashes, policy, verdict
from engine.errors import InvalidInputError, LimitError
from engine.hashes import SPECS, Hash, HashType, HashValue, Item, MediaType
from engine.question import wanted
from engine.verdict import Verdict
from firstseen.v1 import match_pb2, review_pb2, types_pb2

_HASH_TYPES: Final[Mapping[int, HashType]] = {int(t): t for t in HashType}
_MEDIA_TYPES: Final[Mapping[int, MediaType]] = {int(t): t for t in MediaType}


def to_item(message: types_pb2.Item, max_hashes: int) -> Item:
    """The item a caller sent.

    Raises:
        InvalidInputError: a field is missing or does not fit, named by its path.
        LimitError: it has more than `max_hashes` hashes.
    """
    media_type = _MEDIA_TYPES.get(message.media_type)
    if media_type is None:
        raise InvalidInputError("media_type", _unknown(message.media_type))
    count = len(message.hashes)
    if count > max_hashes:
        raise LimitError("hashes", f"{count} hashes, want at most {max_hashes}")
    return Item(media_type, tuple(map(to_hash, message.hashes, range(count))))


def to_hash(message: types_pb2.Hash, index: int) -> Hash:
    """Hash number `index` of an item.

    Raises:
        InvalidInputError: a field is missing or does not fit, named by its path.
    """
    hash_type = _HASH_TYPES.get(message.type)
    if hash_type is None:
        raise InvalidInputError(f"hashes[{index}].type", _unknown(message.type))
    quality: int | None = message.quality
    if quality == 0 and not message.HasField("quality"):
        quality = None
    if quality is None and SPECS[hash_type].has_quality:
        raise InvalidInputError(f"hashes[{index}].quality", f"required for {hash_type.name}")
    position = message.WhichOneof("position")
    try:
        if position is None:
            return Hash(hash_type, HashValue(message.value), quality)
        if position == "frame_offset_ms":
            return Hash(hash_type, HashValue(message.value), quality, message.frame_offset_ms)
        return Hash(hash_type, HashValue(message.value), quality, page_index=message.page_index)
    except InvalidInputError as error:
        raise InvalidInputError(f"hashes[{index}].{error.field}", error.problem) from None


def _unknown(number: int) -> str:
    return "required" if number == 0 else "unknown number"


def from_item(item: Item) -> types_pb2.Item:
    """The message of an item."""
    return types_pb2.Item(
        media_type=cast("types_pb2.MediaType", int(item.media_type)),
        hashes=[_from_hash(hash_) for hash_ in item.hashes],
    )


def _from_hash(hash_: Hash) -> types_pb2.Hash:
    message = types_pb2.Hash(type=hash_type_number(hash_.type), value=bytes(hash_.value))
    if hash_.quality is not None:
        message.quality = hash_.quality
    if hash_.frame_offset_ms is not None:
        message.frame_offset_ms = hash_.frame_offset_ms
    elif hash_.page_index is not None:
        message.page_index = hash_.page_index
    return message


def hash_type_number(hash_type: HashType) -> types_pb2.HashType:
    """The number of a hash type on the wire."""
    return cast("types_pb2.HashType", int(hash_type))


def from_checkpoint(checkpoint: entries.Checkpoint) -> types_pb2.Checkpoint:
    """The message of a checkpoint; it takes the same bytes for every checkpoint."""
    return types_pb2.Checkpoint(
        sequence=checkpoint.sequence,
        entry_count=checkpoint.entry_count,
        digest=checkpoint.digest_bytes(),
    )


def check_responses(checkpoint: entries.Checkpoint) -> Mapping[Verdict, match_pb2.CheckResponse]:
    """Every answer that `Check` can give at a checkpoint, made once and shared by all calls."""
    message = from_checkpoint(checkpoint)
    return {
        value: match_pb2.CheckResponse(verdict=verdict_number(value), checkpoint=message)
        for value in Verdict
    }


def verdict_number(value: Verdict) -> types_pb2.Verdict:
    """The number of a verdict on the wire."""
    return cast("types_pb2.Verdict", int(value))


def media_policies(rules: policy.Rules) -> Iterable[match_pb2.MediaPolicy]:
    """What is worth sending of each media type that is judged at all."""
    for media_type in rules.searched:
        types = wanted(media_type, rules)
        if types:
            yield match_pb2.MediaPolicy(
                media_type=cast("types_pb2.MediaType", int(media_type)),
                hashes=[_hash_policy(t, rules.types[t]) for t in sorted(types)],
            )


def _hash_policy(hash_type: HashType, rule: policy.TypeRule) -> match_pb2.HashPolicy:
    spec: hashes.HashSpec = SPECS[hash_type]
    return match_pb2.HashPolicy(
        type=hash_type_number(hash_type),
        size_bits=spec.size_bits,
        max_distance_bits=rule.max_distance_bits,
        min_quality=rule.min_quality,
    )


def from_match(match: verdict.Match, bank: policy.Bank, labels: entries.Labels) -> review_pb2.Match:
    """The message of a match, for a reviewer."""
    return review_pb2.Match(
        entry_id=match.entry_id,
        item_id=match.item_id,
        bank=bank.name,
        role=cast("review_pb2.BankRole", int(bank.policy.role)),
        type=hash_type_number(match.type),
        distance_bits=match.distance_bits,
        hash_index=match.hash_index,
        strength=cast("review_pb2.Strength", int(match.strength)),
        query_percent=match.query_percent,
        listed_percent=match.listed_percent,
        labels=review_pb2.Labels(
            category=labels.category,
            severity=labels.severity,
            source=labels.source,
            reference=labels.reference,
        ),
    )
