"""Segments: the list at a checkpoint, indexed and written down once for every process of a host.

A segment is derived from the store and may be lost. What is in one: for each hash type that has
entries its columns (`entries.Columns`) and whatever its index is made of (`Index.arrays`).

    segments/SEQUENCE-KIND-FORMAT/   a folder each, see `segment_file`

One process builds them (`SegmentFolder.lock`); any number map the newest. The memory they take is
the page cache's, once for all of them.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from engine.entries import Checkpoint, Columns
from engine.equality_index import EqualityIndex
from engine.errors import CorruptError, WriterBusyError
from engine.exact_index import ExactIndex
from engine.faiss_index import FaissFlatIndex, FaissMultiHashIndex
from engine.file_digest import Digest, file_digest
from engine.hashes import SPECS, HashType
from engine.index import Index
from engine.index_choice import Choosers
from engine.index_kind import IndexKind
from engine.mih_index import MihIndex
from engine.mih_plan import PERMUTATION_VERSION
from engine.progress import Stage, untold
from engine.segment_file import BUILDING_PREFIX, Arrays, Manifest, read_folder, write_folder
from engine.segment_name import FORMAT, outdated_names, segment_name, segment_names

_DAMAGED_PREFIX: Final = ".damaged-"
_REMOVED_PREFIX: Final = ".removed-"
_INDEX_TYPES: Final[Mapping[str, type[Index]]] = {
    of.__name__: of
    for of in (EqualityIndex, ExactIndex, FaissFlatIndex, FaissMultiHashIndex, MihIndex)
}
_COLUMNS: Final = tuple(Columns.empty(HashType.PDQ).arrays())


@dataclass(frozen=True, slots=True)
class Segment:
    """The list at a checkpoint, indexed.

    Attributes:
        checkpoint: where in the log it stands.
        parts: for each hash type that has entries, those and their index.
    """

    checkpoint: Checkpoint
    parts: Mapping[HashType, tuple[Columns, Index]]

    @classmethod
    def build(
        cls,
        checkpoint: Checkpoint,
        columns: Mapping[HashType, Columns],
        choosers: Choosers,
        stage: Stage = untold,
    ) -> "Segment":
        """Indexes a list; the stages are `index PDQ` and so on."""
        parts = {}
        for hash_type, own in columns.items():
            if len(own):
                stage(f"index {hash_type.name}", 0, len(own))
                index_type = choosers[hash_type](len(own))
                parts[hash_type] = (own, index_type.build(own.values))
        return cls(checkpoint, parts)

    def arrays(self) -> Arrays:
        """Everything that is written down, by the name of its file."""
        return {
            f"{hash_type.name}.{name}": array
            for hash_type, (columns, index) in self.parts.items()
            for name, array in (
                *columns.arrays().items(),
                *((f"index.{name}", array) for name, array in index.arrays().items()),
            )
        }

    def manifest(self) -> Manifest:
        """What is needed to understand the arrays."""
        return {
            "format": FORMAT,
            "permutation": PERMUTATION_VERSION,
            "sequence": self.checkpoint.sequence,
            "entry_count": self.checkpoint.entry_count,
            "digest": self.checkpoint.digest_bytes().hex(),
            "indexes": {t.name: type(index).__name__ for t, (_, index) in self.parts.items()},
        }

    @classmethod
    def restore(cls, manifest: Manifest, arrays: Arrays) -> "Segment":
        """The segment that was written down.

        Raises:
            CorruptError: it is of another format, or its arrays do not fit together.
        """
        if (manifest.get("format"), manifest.get("permutation")) != (FORMAT, PERMUTATION_VERSION):
            raise CorruptError("segment: of another format")
        parts = {}
        try:
            digest = int.from_bytes(bytes.fromhex(manifest["digest"]))
            checkpoint = Checkpoint(manifest["sequence"], manifest["entry_count"], digest)
            for name, index_name in manifest["indexes"].items():
                hash_type = HashType[name]
                columns = _columns(hash_type, arrays)
                prefix = f"{name}.index."
                own = {k.removeprefix(prefix): a for k, a in arrays.items() if k.startswith(prefix)}
                parts[hash_type] = (columns, _INDEX_TYPES[index_name].restore(columns.values, own))
        except (LookupError, ValueError, TypeError) as error:
            raise CorruptError("segment: a part is missing") from error
        if sum(len(columns) for columns, _ in parts.values()) != checkpoint.entry_count:
            raise CorruptError("segment: another number of entries than its checkpoint's")
        return cls(checkpoint, parts)


def _columns(hash_type: HashType, arrays: Arrays) -> Columns:
    columns = Columns(**{name: arrays[f"{hash_type.name}.{name}"] for name in _COLUMNS})
    want = Columns.empty(hash_type).arrays()
    for name, column in columns.arrays().items():
        rows = (len(columns), SPECS[hash_type].size_bytes) if name == "values" else (len(columns),)
        if column.shape != rows or column.dtype != want[name].dtype:
            raise CorruptError(f"segment: {hash_type.name}.{name} has another shape")
    return columns


class SegmentId(NamedTuple):
    """Tells a segment from one of the same name that was made anew.

    Attributes:
        name: of its folder.
        inode: of the folder.
        made_ns: when it was made.
    """

    name: str
    inode: int
    made_ns: int


class SegmentFolder:
    """The segments of a host, for one kind of index."""

    def __init__(self, path: Path, kind: IndexKind, digest: Digest = file_digest) -> None:
        """Looks at nothing yet.

        Args:
            path: the folder; need not be there.
            kind: of index; segments of others are left alone.
            digest: what to know the digest of a file by when a segment is written or checked.
        """
        self._path = path
        self._kind = kind
        self._digest = digest

    def changed_ns(self) -> int | None:
        """When a name in the folder last changed, by the file system; None when there is none."""
        try:
            return self._path.stat().st_mtime_ns
        except OSError:
            return None

    def names(self) -> list[str]:
        """The segments there are, newest first; of another kind or format are not looked at."""
        return segment_names(self._path, self._kind)

    def ids(self) -> list[SegmentId]:
        """The same, so that each can be told from one of the same name."""
        found = []
        for name in self.names():
            with suppress(OSError):  # it has gone meanwhile
                status = (self._path / name).stat()
                found.append(SegmentId(name, status.st_ino, status.st_mtime_ns))
        return found

    def read(self, name: str) -> Segment:
        """Checks and maps a segment.

        Raises:
            CorruptError: it is damaged; it has been put aside and will not be found again.
            FileNotFoundError: it was removed meanwhile.
            OSError: it cannot be read now, which says nothing of it.
        """
        try:
            return Segment.restore(*read_folder(self._path / name, self._digest))
        except CorruptError:
            self.put_aside(name)
            raise

    def put_aside(self, name: str) -> None:
        """Takes a damaged segment out of those that are found; `sweep` removes it."""
        self._rename(name, _DAMAGED_PREFIX)

    def _rename(self, name: str, prefix: str) -> None:
        with suppress(FileNotFoundError):  # another process was first
            (self._path / name).rename(self._path / f"{prefix}{name}-{os.getpid()}")

    def is_put_aside(self, segment_id: SegmentId) -> bool:
        """Whether a segment was found to be damaged since it was read; false once it was swept."""
        if (self._path / segment_id.name).exists():
            return False
        for path in self._path.glob(f"{_DAMAGED_PREFIX}{segment_id.name}-*"):
            with suppress(OSError):  # swept meanwhile
                if path.stat().st_ino == segment_id.inode:
                    return True
        return False

    def write(self, segment: Segment, stage: Stage = untold) -> str:
        """Writes a segment down; returns its name. The stage is `write`.

        Raises:
            StoreFullError: the disk has no room.
            OSError: it cannot be written.
        """
        name = segment_name(segment.checkpoint.sequence, self._kind)
        # One of the same sequence is damaged, or of a store that was replaced.
        self._remove(name)
        write_folder(
            self._path / name,
            segment.manifest(),
            segment.arrays(),
            partial(stage, "write"),
            self._digest,
        )
        return name

    def sweep(self, keep: str) -> None:
        """Removes every other segment of this kind, what was put aside and was never finished.

        Also those of earlier formats. Processes that have one mapped keep it until they let go.
        """
        for name in [*self.names(), *outdated_names(self._path, self._kind)]:
            if name != keep:
                self._remove(name)
        for path in self._path.iterdir():
            is_left = path.name.startswith((BUILDING_PREFIX, _DAMAGED_PREFIX, _REMOVED_PREFIX))
            if is_left and self._kind in path.name:
                shutil.rmtree(path, ignore_errors=True)

    def _remove(self, name: str) -> None:
        """Removes a segment: first its name, so that nobody finds half of it."""
        self._rename(name, _REMOVED_PREFIX)
        for path in self._path.glob(f"{_REMOVED_PREFIX}{name}-*"):
            shutil.rmtree(path, ignore_errors=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Holds the right to build.

        Raises:
            WriterBusyError: another process has it.
            OSError: the folder cannot be made or written.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(
            self._path / f"builder-{self._kind}.lock", os.O_RDWR | os.O_CREAT, 0o600
        )
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise WriterBusyError(f"{self._path}: another process builds segments") from None
            yield
        finally:
            os.close(descriptor)
