"""The pictures of a folder, hashed here with the code that the phones run."""

import os
from collections.abc import Iterator
from pathlib import Path

from engine.entries import NewItem
from engine.errors import InvalidInputError
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from indexer.feeds.hash_pool import Answer, HashPool
from indexer.feeds.reading import Defaults, Place, Read


def list_folder(folder: Path) -> tuple[list[Path], list[tuple[Place, str]]]:
    """Every file below a folder, sorted, and what cannot be read, with the reason.

    Symbolic links are not followed. One that leads to something inside the folder is
    passed over, since what it leads to is listed itself.
    """
    files: list[Path] = []
    refused: list[tuple[Place, str]] = []
    root = folder.resolve()

    def note(error: OSError) -> None:
        where = os.path.relpath(error.filename, folder) if error.filename else "."
        refused.append((where, f"not readable: {error.strerror}"))

    for current, folders, names in os.walk(folder, onerror=note):
        folders.sort()
        here = Path(current)
        for name in sorted(names) + [name for name in folders if (here / name).is_symlink()]:
            path = here / name
            if not path.is_symlink():
                files.append(path)
            elif not path.resolve().is_relative_to(root):
                refused.append((str(path.relative_to(folder)), "a link out of the folder"))
    return sorted(files), refused


def read_folder(
    folder: Path, files: list[Path], pool: HashPool, defaults: Defaults
) -> Iterator[Read]:
    """The pictures of a folder, in the order of `files`."""
    for path, answer in pool.answers(files):
        place = str(path.relative_to(folder))
        try:
            yield place, _new_item(answer, defaults)
        except InvalidInputError as error:
            yield place, str(error)
        except (LookupError, TypeError, ValueError):  # the process that hashed it is not trusted
            yield place, "hashed to no hash"


def _new_item(answer: Answer, defaults: Defaults) -> NewItem | str:
    if "reason" in answer:
        return str(answer["reason"])
    hashes = tuple(
        Hash(HashType(number), HashValue.fromhex(value), quality)
        for number, value, quality in answer["hashes"]
    )
    return NewItem(Item(MediaType(answer["media_type"]), hashes), defaults.labels)
