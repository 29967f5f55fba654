"""What a list answers, worked out slowly and plainly: every hash with every hash, rule by rule."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.entries import NO_POSITION, EntryId, ListedItem, position_of
from engine.hashes import JUDGED_TYPES, SPECS, SUPPORTING_TYPES, Hash, HashType, Item, MediaType
from engine.policy import Bank, BankRole
from engine.verdict import Match, Nearness, Strength, Verdict

FRAMES = (HashType.PDQ, HashType.PDQ_TILE)


def distance_bits(one: bytes, other: bytes) -> int:
    """Hamming distance, the slow and plain way."""
    return (int.from_bytes(one) ^ int.from_bytes(other)).bit_count()


@dataclass(frozen=True)
class _Query:
    type: HashType
    value: bytes
    position: int
    index: int


@dataclass(frozen=True)
class _Hit:
    query: _Query
    listed: ListedItem
    entry_id: EntryId
    position: int
    distance: int
    within: bool


@dataclass(frozen=True)
class _Worth:
    is_match: bool
    of_query: float = 1.0
    of_listed: float = 1.0


class Naive:
    """A list of items in banks."""

    def __init__(self, banks: Iterable[Bank], listed: Iterable[ListedItem]) -> None:
        self._banks = {b.bank_id: b for b in banks if b.policy.enabled}
        self._listed = list(listed)

    def _types(self, role: BankRole | None = None) -> set[HashType]:
        return {
            hash_type
            for bank in self._banks.values()
            if role in {None, bank.policy.role}
            for hash_type in bank.policy.types
        }

    def _queries(self, item: Item, types: Iterable[HashType]) -> list[_Query]:
        queries: list[_Query] = []
        for index, hash_ in enumerate(item.hashes):
            query = _Query(hash_.type, bytes(hash_.value), position_of(hash_), index)
            before = [(q.type, q.value, q.position) for q in queries]
            if hash_.type in types and (query.type, query.value, query.position) not in before:
                queries.append(query)
        return queries

    def _hits(self, queries: Iterable[_Query]) -> Iterator[_Hit]:
        for query in queries:
            near = SPECS[query.type].near_distance_bits
            for listed in self._listed:
                bank = self._banks.get(listed.bank_id)
                if bank is None or query.type not in bank.policy.types:
                    continue
                limit = bank.policy.types[query.type].max_distance_bits
                for entry_id, hash_ in enumerate(listed.item.hashes, listed.item_id):
                    distance = distance_bits(hash_.value, query.value)
                    if hash_.type is not query.type or distance > max(limit, near):
                        continue
                    position = position_of(hash_)
                    if query.type is HashType.VIDEOHASH and (
                        NO_POSITION in {position, query.position}
                        or abs(position - query.position) > 1_000
                    ):
                        continue
                    yield _Hit(
                        query, listed, EntryId(entry_id), position, distance, distance <= limit
                    )

    def _worth(self, item: Item, queries: list[_Query], hits: list[_Hit]) -> _Worth:
        """What the hits of one listed item by one hash type (by frames: by both) are worth."""
        listed, kind = hits[0].listed, hits[0].query.type
        as_document = listed.item.media_type is MediaType.DOCUMENT
        if item.media_type is MediaType.VIDEO and kind in FRAMES:
            return self._frames(queries, hits)
        if kind is HashType.PDQ_TILE:
            raise AssertionError("tiles of pictures are judged pair by pair")
        if kind in {HashType.MINHASH, HashType.PAGE_PDQ}:
            asked = [q for q in queries if q.type is kind]
            size = self._extent(listed, kind)
            seen, shown = {hit.query for hit in hits}, {hit.entry_id for hit in hits}
            if min(len(seen), len(shown)) < min(2, len(asked), size):
                return _Worth(is_match=False, of_query=0.0, of_listed=0.0)
            of_query, of_listed = len(seen) / len(asked), len(shown) / size
            return _Worth(max(of_query, of_listed) >= 0.5, of_query, of_listed)
        if kind is HashType.PDQ:
            is_picture = item.media_type is MediaType.IMAGE or self._wraps_a_picture(item)
            return _Worth(is_picture and not as_document)
        return _Worth(kind not in {HashType.VIDEOHASH, HashType.TLSH})

    def _least_quality(self, kind: HashType) -> int:
        """What the strictest known bank wants of a hash; 50 where none lists it."""
        known = [
            bank.policy.types[kind].min_quality
            for bank in self._banks.values()
            if bank.policy.role is BankRole.KNOWN and kind in bank.policy.types
        ]
        return max(known, default=50)

    def _wraps_a_picture(self, item: Item) -> bool:
        limits = [
            bank.policy.types[HashType.PDQ].max_distance_bits
            for bank in self._banks.values()
            if HashType.PDQ in bank.policy.types
        ]
        of = {kind: [h for h in item.hashes if h.type is kind] for kind in HashType}
        text = (HashType.TEXT_SHA256, HashType.SIMHASH, HashType.MINHASH)
        if item.media_type is not MediaType.DOCUMENT or any(of[kind] for kind in text):
            return False
        match of[HashType.PAGE_PDQ], of[HashType.PDQ]:
            case [page], [picture] if (page.quality or 0) >= self._least_quality(page.type):
                return distance_bits(page.value, picture.value) <= max(limits, default=-1)
            case _:
                return False

    def _extent(self, listed: ListedItem, kind: HashType) -> int:
        positions = [position_of(h) for h in listed.item.hashes if h.type is kind]
        return len({p for p in positions if p != NO_POSITION}) + positions.count(NO_POSITION)

    def _frames(self, queries: list[_Query], hits: list[_Hit]) -> _Worth:
        listed = hits[0].listed
        whole = [hit for hit in hits if hit.query.type is HashType.PDQ]
        tiles = [hit for hit in hits if hit.query.type is HashType.PDQ_TILE]
        asked = {self._frame(q.position, q) for q in queries if q.type in FRAMES}
        seen = {self._frame(hit.query.position, hit.query) for hit in whole + tiles}
        shown = {self._frame(hit.position, hit.entry_id) for hit in whole + tiles}
        size = max(self._extent(listed, HashType.PDQ), len(shown))
        seconds = {self._second(q) for q in queries if q.type in FRAMES}
        of_query = len({self._second(hit.query) for hit in whole + tiles}) / len(seconds)
        of_listed = len(shown) / size
        media = listed.item.media_type
        of_seconds = {self._second(hit.query) for hit in whole + tiles}
        by_query = of_query >= 0.3 and len(seen) >= min(2, len(asked))
        by_query &= len(of_seconds) >= 2 or len(seen) >= 0.3 * len(asked)
        by_listed = of_listed >= 0.3 and len(shown) >= 2 and len(seen) >= 2
        is_match = (by_query and media is not MediaType.DOCUMENT) or (
            by_listed and media is MediaType.VIDEO
        )
        return _Worth(is_match, of_query, of_listed)

    @staticmethod
    def _frame(position: int, of_none: object) -> object:
        """What tells a frame: its position, or what has none and so is one by itself."""
        return of_none if position == NO_POSITION else position

    @staticmethod
    def _second(query: _Query) -> object:
        return query if query.position == NO_POSITION else query.position // 1_000

    def _pair(self, hit: _Hit, hits: list[_Hit]) -> bool:
        same = [
            other
            for other in hits
            if other.query.type is HashType.PDQ_TILE
            and other.listed is hit.listed
            and (other.position, other.query.position) == (hit.position, hit.query.position)
        ]
        enough = len({o.query for o in same}) >= 2
        return enough and len({o.entry_id for o in same}) >= 2

    def _judged(self, item: Item, types: Iterable[HashType]) -> Iterator[tuple[_Hit, _Worth]]:
        queries = self._queries(item, types)
        hits = list(self._hits(queries))
        groups = defaultdict(list)
        for hit in hits:
            if hit.within:
                kind = hit.query.type
                together = item.media_type is MediaType.VIDEO and kind in FRAMES
                groups[hit.listed.item_id, "frames" if together else kind].append(hit)
        for own in groups.values():
            for hit in own:
                if item.media_type is not MediaType.VIDEO and hit.query.type is HashType.PDQ_TILE:
                    as_document = hit.listed.item.media_type is MediaType.DOCUMENT
                    yield hit, _Worth(self._pair(hit, own) and not as_document)
                    continue
                worth = self._worth(item, queries, own)
                is_chance = max(worth.of_query, worth.of_listed) < 0.2
                if not (hit.query.type is HashType.MINHASH and is_chance):
                    yield hit, worth
        for hit in hits:
            if not hit.within:
                yield hit, _Worth(is_match=False, of_query=0.0, of_listed=0.0)

    def matches(self, item: Item) -> list[Match]:
        """What a reviewer is shown."""
        types = {
            hash_type
            for media in self._kinds(item)
            for hash_type in JUDGED_TYPES[media] | SUPPORTING_TYPES[media]
        } & self._types()
        found = [self._match(hit, worth) for hit, worth in self._judged(item, types)]
        return sorted(found, key=lambda m: (m.strength, m.nearness, m.entry_id, m.hash_index))

    def _match(self, hit: _Hit, worth: _Worth) -> Match:
        spec = SPECS[hit.query.type]
        query, listed = round(worth.of_query * 100), round(worth.of_listed * 100)
        return Match(
            hit.entry_id,
            hit.listed.item_id,
            hit.listed.bank_id,
            hit.query.type,
            hit.distance,
            hit.query.index,
            Strength.MATCH if worth.is_match else Strength.NEAR,
            query,
            listed,
            Nearness(spec.perceptual, 100 - max(query, listed), hit.distance),
        )

    def judge(self, item: Item) -> Verdict:
        """What anyone is told."""
        known_types = self._types(BankRole.KNOWN)
        judged = [JUDGED_TYPES[media] & known_types for media in self._kinds(item)]
        searched = {
            hash_type
            for media in self._kinds(item)
            if JUDGED_TYPES[media] & known_types
            for hash_type in JUDGED_TYPES[media] & self._types()
        }
        nearest: dict[BankRole, Nearness] = {}
        for hit, worth in self._judged(item, searched):
            match = self._match(hit, worth)
            role = self._banks[match.bank_id].policy.role
            if worth.is_match:
                nearest[role] = min(match.nearness, nearest.get(role, match.nearness))
        known, cleared = nearest.get(BankRole.KNOWN), nearest.get(BankRole.CLEARED)
        if known is not None and (cleared is None or known < cleared):
            return Verdict.KNOWN
        kinds = [[h for h in item.hashes if h.type in types] for types in judged]
        if not any(kinds):
            return Verdict.UNSUPPORTED
        is_judged = cleared is not None or all(map(self._was_judged, kinds))
        return Verdict.NOVEL if is_judged else Verdict.UNSURE

    def _kinds(self, item: Item) -> set[MediaType]:
        """What an item is judged as."""
        return {item.media_type} | ({MediaType.IMAGE} if self._wraps_a_picture(item) else set())

    def _was_judged(self, hashes: list[Hash]) -> bool:
        perceptual = [
            h for h in hashes if SPECS[h.type].perceptual and h.type is not HashType.PDQ_TILE
        ]
        good = [
            h
            for h in perceptual
            if not SPECS[h.type].has_quality
            or (h.quality is not None and h.quality >= self._least_quality(h.type))
        ]
        return bool(good) or not perceptual
