from firstseen.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Strength(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STRENGTH_UNSPECIFIED: _ClassVar[Strength]
    STRENGTH_MATCH: _ClassVar[Strength]
    STRENGTH_NEAR: _ClassVar[Strength]

class BankRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BANK_ROLE_UNSPECIFIED: _ClassVar[BankRole]
    BANK_ROLE_KNOWN: _ClassVar[BankRole]
    BANK_ROLE_CLEARED: _ClassVar[BankRole]
STRENGTH_UNSPECIFIED: Strength
STRENGTH_MATCH: Strength
STRENGTH_NEAR: Strength
BANK_ROLE_UNSPECIFIED: BankRole
BANK_ROLE_KNOWN: BankRole
BANK_ROLE_CLEARED: BankRole

class PrioritiseRequest(_message.Message):
    __slots__ = ("referrals",)
    REFERRALS_FIELD_NUMBER: _ClassVar[int]
    referrals: _containers.RepeatedCompositeFieldContainer[Referral]
    def __init__(self, referrals: _Optional[_Iterable[_Union[Referral, _Mapping]]] = ...) -> None: ...

class Referral(_message.Message):
    __slots__ = ("tag", "item")
    TAG_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    tag: int
    item: _types_pb2.Item
    def __init__(self, tag: _Optional[int] = ..., item: _Optional[_Union[_types_pb2.Item, _Mapping]] = ...) -> None: ...

class PrioritiseResponse(_message.Message):
    __slots__ = ("priorities", "checkpoint")
    PRIORITIES_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    priorities: _containers.RepeatedCompositeFieldContainer[Priority]
    checkpoint: _types_pb2.Checkpoint
    def __init__(self, priorities: _Optional[_Iterable[_Union[Priority, _Mapping]]] = ..., checkpoint: _Optional[_Union[_types_pb2.Checkpoint, _Mapping]] = ...) -> None: ...

class Priority(_message.Message):
    __slots__ = ("tag", "verdict", "is_near", "severity")
    TAG_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    IS_NEAR_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    tag: int
    verdict: _types_pb2.Verdict
    is_near: bool
    severity: int
    def __init__(self, tag: _Optional[int] = ..., verdict: _Optional[_Union[_types_pb2.Verdict, str]] = ..., is_near: _Optional[bool] = ..., severity: _Optional[int] = ...) -> None: ...

class ExplainRequest(_message.Message):
    __slots__ = ("item", "max_matches")
    ITEM_FIELD_NUMBER: _ClassVar[int]
    MAX_MATCHES_FIELD_NUMBER: _ClassVar[int]
    item: _types_pb2.Item
    max_matches: int
    def __init__(self, item: _Optional[_Union[_types_pb2.Item, _Mapping]] = ..., max_matches: _Optional[int] = ...) -> None: ...

class ExplainResponse(_message.Message):
    __slots__ = ("verdict", "checkpoint", "matches", "match_count")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    MATCHES_FIELD_NUMBER: _ClassVar[int]
    MATCH_COUNT_FIELD_NUMBER: _ClassVar[int]
    verdict: _types_pb2.Verdict
    checkpoint: _types_pb2.Checkpoint
    matches: _containers.RepeatedCompositeFieldContainer[Match]
    match_count: int
    def __init__(self, verdict: _Optional[_Union[_types_pb2.Verdict, str]] = ..., checkpoint: _Optional[_Union[_types_pb2.Checkpoint, _Mapping]] = ..., matches: _Optional[_Iterable[_Union[Match, _Mapping]]] = ..., match_count: _Optional[int] = ...) -> None: ...

class Match(_message.Message):
    __slots__ = ("entry_id", "item_id", "bank", "role", "type", "distance_bits", "hash_index", "labels", "strength", "query_percent", "listed_percent")
    ENTRY_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    BANK_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DISTANCE_BITS_FIELD_NUMBER: _ClassVar[int]
    HASH_INDEX_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    STRENGTH_FIELD_NUMBER: _ClassVar[int]
    QUERY_PERCENT_FIELD_NUMBER: _ClassVar[int]
    LISTED_PERCENT_FIELD_NUMBER: _ClassVar[int]
    entry_id: int
    item_id: int
    bank: str
    role: BankRole
    type: _types_pb2.HashType
    distance_bits: int
    hash_index: int
    labels: Labels
    strength: Strength
    query_percent: int
    listed_percent: int
    def __init__(self, entry_id: _Optional[int] = ..., item_id: _Optional[int] = ..., bank: _Optional[str] = ..., role: _Optional[_Union[BankRole, str]] = ..., type: _Optional[_Union[_types_pb2.HashType, str]] = ..., distance_bits: _Optional[int] = ..., hash_index: _Optional[int] = ..., labels: _Optional[_Union[Labels, _Mapping]] = ..., strength: _Optional[_Union[Strength, str]] = ..., query_percent: _Optional[int] = ..., listed_percent: _Optional[int] = ...) -> None: ...

class Labels(_message.Message):
    __slots__ = ("category", "severity", "source", "reference")
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    category: str
    severity: int
    source: str
    reference: str
    def __init__(self, category: _Optional[str] = ..., severity: _Optional[int] = ..., source: _Optional[str] = ..., reference: _Optional[str] = ...) -> None: ...
