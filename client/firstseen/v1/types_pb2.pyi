from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HashType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HASH_TYPE_UNSPECIFIED: _ClassVar[HashType]
    HASH_TYPE_PDQ: _ClassVar[HashType]
    HASH_TYPE_SHA256: _ClassVar[HashType]
    HASH_TYPE_MD5: _ClassVar[HashType]
    HASH_TYPE_PDQ_TILE: _ClassVar[HashType]
    HASH_TYPE_VIDEOHASH: _ClassVar[HashType]
    HASH_TYPE_TEXT_SHA256: _ClassVar[HashType]
    HASH_TYPE_SIMHASH: _ClassVar[HashType]
    HASH_TYPE_MINHASH: _ClassVar[HashType]
    HASH_TYPE_TLSH: _ClassVar[HashType]
    HASH_TYPE_PAGE_PDQ: _ClassVar[HashType]

class MediaType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEDIA_TYPE_UNSPECIFIED: _ClassVar[MediaType]
    MEDIA_TYPE_IMAGE: _ClassVar[MediaType]
    MEDIA_TYPE_VIDEO: _ClassVar[MediaType]
    MEDIA_TYPE_DOCUMENT: _ClassVar[MediaType]

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_KNOWN: _ClassVar[Verdict]
    VERDICT_NOVEL: _ClassVar[Verdict]
    VERDICT_UNSURE: _ClassVar[Verdict]
    VERDICT_UNSUPPORTED: _ClassVar[Verdict]
HASH_TYPE_UNSPECIFIED: HashType
HASH_TYPE_PDQ: HashType
HASH_TYPE_SHA256: HashType
HASH_TYPE_MD5: HashType
HASH_TYPE_PDQ_TILE: HashType
HASH_TYPE_VIDEOHASH: HashType
HASH_TYPE_TEXT_SHA256: HashType
HASH_TYPE_SIMHASH: HashType
HASH_TYPE_MINHASH: HashType
HASH_TYPE_TLSH: HashType
HASH_TYPE_PAGE_PDQ: HashType
MEDIA_TYPE_UNSPECIFIED: MediaType
MEDIA_TYPE_IMAGE: MediaType
MEDIA_TYPE_VIDEO: MediaType
MEDIA_TYPE_DOCUMENT: MediaType
VERDICT_UNSPECIFIED: Verdict
VERDICT_KNOWN: Verdict
VERDICT_NOVEL: Verdict
VERDICT_UNSURE: Verdict
VERDICT_UNSUPPORTED: Verdict

class Hash(_message.Message):
    __slots__ = ("type", "value", "quality", "frame_offset_ms", "page_index")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    FRAME_OFFSET_MS_FIELD_NUMBER: _ClassVar[int]
    PAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    type: HashType
    value: bytes
    quality: int
    frame_offset_ms: int
    page_index: int
    def __init__(self, type: _Optional[_Union[HashType, str]] = ..., value: _Optional[bytes] = ..., quality: _Optional[int] = ..., frame_offset_ms: _Optional[int] = ..., page_index: _Optional[int] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("media_type", "hashes")
    MEDIA_TYPE_FIELD_NUMBER: _ClassVar[int]
    HASHES_FIELD_NUMBER: _ClassVar[int]
    media_type: MediaType
    hashes: _containers.RepeatedCompositeFieldContainer[Hash]
    def __init__(self, media_type: _Optional[_Union[MediaType, str]] = ..., hashes: _Optional[_Iterable[_Union[Hash, _Mapping]]] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("sequence", "entry_count", "digest")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    ENTRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    entry_count: int
    digest: bytes
    def __init__(self, sequence: _Optional[int] = ..., entry_count: _Optional[int] = ..., digest: _Optional[bytes] = ...) -> None: ...
