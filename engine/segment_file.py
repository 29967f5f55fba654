"""A folder of arrays on disk that is whole or not there, and is mapped, not read.

    manifest.json     what it is, and of each array its size and digest
    NAME.npy          one array each, in numpy's own format; nothing is pickled

It is written under another name, put on disk and then renamed. Reading it checks every byte
against the manifest: what is damaged is refused and can be made again. What the arrays mean is
`segment`'s business.
"""

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import numpy.typing as npt

from engine.errors import CorruptError, StoreFullError
from engine.file_digest import Digest, file_digest
from engine.turns import in_turns

MANIFEST: Final = "manifest.json"
BUILDING_PREFIX: Final = ".building-"
_SELF_DIGEST: Final = "manifest_sha256"
_SPARE_BYTES: Final = 16 << 20  # left free on the disk beside what is written
_MAX_MANIFEST_BYTES: Final = 1 << 20
_PIECE_BYTES: Final = 1 << 18

Arrays = Mapping[str, npt.NDArray[Any]]
Manifest = dict[str, Any]
Progress = Callable[[int, int], None]
"""Told (bytes done, bytes in all)."""


def write_folder(
    path: Path,
    manifest: Manifest,
    arrays: Arrays,
    progress: Progress | None = None,
    digest: Digest = file_digest,
) -> None:
    """Writes a folder; when it returns, the whole of it is on disk.

    Args:
        path: the folder, which must not be there.
        manifest: what a reader gets back; must be JSON.
        arrays: by name, which becomes that of the file.
        progress: told how far it is.
        digest: what to know the digest of a file by, once it is on disk.

    Raises:
        StoreFullError: the disk has no room.
        OSError: it cannot be written.
    """
    building = path.with_name(f"{BUILDING_PREFIX}{path.name}-{os.getpid()}")
    total = sum(array.nbytes for array in arrays.values())
    try:
        building.mkdir(parents=True)
        _require_room(building, total)
        done, files = 0, {}
        for name, array in arrays.items():
            file = building / f"{name}.npy"
            with _synced(file) as stream:
                _write_array(stream, np.ascontiguousarray(array))
            files[name] = {"size_bytes": file.stat().st_size, "sha256": digest(file)}
            done += array.nbytes
            if progress is not None:
                progress(done, total)
        whole = {**manifest, "arrays": files}
        with _synced(building / MANIFEST) as stream:
            stream.write(json.dumps(whole | {_SELF_DIGEST: _digest_of(whole)}, indent=1).encode())
        _sync_folder(building)
        building.rename(path)
        _sync_folder(path.parent)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def read_folder(
    path: Path, digest: Digest = file_digest
) -> tuple[Manifest, dict[str, npt.NDArray[Any]]]:
    """Reads the manifest, checks every array and maps it.

    Args:
        path: the folder.
        digest: what to know the digest of a file by.

    Returns:
        the manifest as it was given, and the arrays by name, read-only and shared with every
        other process that maps them.

    Raises:
        CorruptError: a file is missing, damaged or of another size.
        FileNotFoundError: there is no such folder (any more).
        OSError: it cannot be read now: too many open files, no memory, no permission.
    """
    if not path.is_dir():
        raise FileNotFoundError(path)
    manifest = _read_manifest(path)
    files = manifest.pop("arrays")
    arrays = {}
    for name, want in files.items():
        file = path / f"{name}.npy"
        try:
            is_whole = file.stat().st_size == want["size_bytes"]
            if not is_whole or digest(file) != want["sha256"]:
                raise CorruptError(f"segment {path.name}: {name} is damaged")
            arrays[name] = _mapped(file)
        except FileNotFoundError:
            if not path.is_dir():
                raise  # an old one that was removed meanwhile
            raise CorruptError(f"segment {path.name}: {name} is missing") from None
        except (IsADirectoryError, ValueError) as error:
            raise CorruptError(f"segment {path.name}: {name} is no array") from error
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            raise CorruptError(f"segment {path.name}: {name} cannot be read") from error
    return manifest, arrays


def _read_manifest(path: Path) -> Manifest:
    try:
        with (path / MANIFEST).open("rb") as stream:
            manifest = json.loads(stream.read(_MAX_MANIFEST_BYTES))
        digest = manifest.pop(_SELF_DIGEST)
        if digest != _digest_of(manifest) or not isinstance(manifest["arrays"], dict):
            raise CorruptError(f"segment {path.name}: the manifest is damaged")
    except FileNotFoundError as error:
        if not path.is_dir():
            raise
        raise CorruptError(f"segment {path.name}: the manifest is missing") from error
    except (IsADirectoryError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise CorruptError(f"segment {path.name}: the manifest cannot be read") from error
    checked: Manifest = manifest
    return checked


def _mapped(file: Path) -> npt.NDArray[Any]:
    array: npt.NDArray[Any] = np.load(file, mmap_mode="r", allow_pickle=False)
    # A plain array over the mapping: slices of numpy's own memmap class cost ten times as much.
    return array.view(np.ndarray)


def _digest_of(manifest: Manifest) -> str:
    return hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()


def _require_room(folder: Path, size_bytes: int) -> None:
    free_bytes = shutil.disk_usage(folder).free
    if free_bytes < size_bytes + _SPARE_BYTES:
        raise StoreFullError(f"{folder.parent}: {free_bytes:,} bytes free, want {size_bytes:,}")


@contextmanager
def _synced(file: Path) -> Iterator[Any]:
    """A new file that is on disk when the block ends."""
    with file.open("xb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())


def _write_array(stream: BinaryIO, array: npt.NDArray[Any]) -> None:
    """Writes an array in numpy's format, piece by piece."""
    header = np.lib.format.header_data_from_array_1_0(array)
    np.lib.format.write_array_header_1_0(stream, header)
    data = array.reshape(-1).view(np.uint8).data
    starts = in_turns(range(0, len(data), _PIECE_BYTES))
    stream.writelines(data[start : start + _PIECE_BYTES] for start in starts)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
