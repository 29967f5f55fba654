from firstseen.v1 import types_pb2 as _types_pb2
from google.rpc import status_pb2 as _status_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CheckRequest(_message.Message):
    __slots__ = ("item",)
    ITEM_FIELD_NUMBER: _ClassVar[int]
    item: _types_pb2.Item
    def __init__(self, item: _Optional[_Union[_types_pb2.Item, _Mapping]] = ...) -> None: ...

class CheckResponse(_message.Message):
    __slots__ = ("verdict", "checkpoint")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    verdict: _types_pb2.Verdict
    checkpoint: _types_pb2.Checkpoint
    def __init__(self, verdict: _Optional[_Union[_types_pb2.Verdict, str]] = ..., checkpoint: _Optional[_Union[_types_pb2.Checkpoint, _Mapping]] = ...) -> None: ...

class CheckStreamRequest(_message.Message):
    __slots__ = ("tag", "item")
    TAG_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    tag: int
    item: _types_pb2.Item
    def __init__(self, tag: _Optional[int] = ..., item: _Optional[_Union[_types_pb2.Item, _Mapping]] = ...) -> None: ...

class CheckStreamResponse(_message.Message):
    __slots__ = ("tag", "answer", "error")
    TAG_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    tag: int
    answer: CheckResponse
    error: _status_pb2.Status
    def __init__(self, tag: _Optional[int] = ..., answer: _Optional[_Union[CheckResponse, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("media", "limits", "checkpoint", "list_age_ms")
    MEDIA_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    CHECKPOINT_FIELD_NUMBER: _ClassVar[int]
    LIST_AGE_MS_FIELD_NUMBER: _ClassVar[int]
    media: _containers.RepeatedCompositeFieldContainer[MediaPolicy]
    limits: Limits
    checkpoint: _types_pb2.Checkpoint
    list_age_ms: int
    def __init__(self, media: _Optional[_Iterable[_Union[MediaPolicy, _Mapping]]] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ..., checkpoint: _Optional[_Union[_types_pb2.Checkpoint, _Mapping]] = ..., list_age_ms: _Optional[int] = ...) -> None: ...

class MediaPolicy(_message.Message):
    __slots__ = ("media_type", "hashes")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    media_type: _types_pb2.MediaType
    hashes: _containers.RepeatedCompositeFieldContainer[HashPolicy]
    def __init__(self, media_type: _Optional[_Union[_types_pb2.MediaType, str]] = ..., hashes: _Optional[_Iterable[_Union[HashPolicy, _Mapping]]] = ...) -> None: ...

class HashPolicy(_message.Message):
    __slots__ = ("type", "size_bits", "max_distance_bits", "min_quality")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BITS_FIELD_NUMBER: _ClassVar[int]
    MAX_DISTANCE_BITS_FIELD_NUMBER: _ClassVar[int]
    MIN_QUALITY_FIELD_NUMBER: _ClassVar[int]
    type: _types_pb2.HashType
    size_bits: int
    max_distance_bits: int
    min_quality: int
    def __init__(self, type: _Optional[_Union[_types_pb2.HashType, str]] = ..., size_bits: _Optional[int] = ..., max_distance_bits: _Optional[int] = ..., min_quality: _Optional[int] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_hashes_per_item", "max_items_in_flight", "max_message_bytes")
    MAX_HASHES_PER_ITEM_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEMS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_MESSAGE_BYTES_FIELD_NUMBER: _ClassVar[int]
    max_hashes_per_item: int
    max_items_in_flight: int
    max_message_bytes: int
    def __init__(self, max_hashes_per_item: _Optional[int] = ..., max_items_in_flight: _Optional[int] = ..., max_message_bytes: _Optional[int] = ...) -> None: ...
