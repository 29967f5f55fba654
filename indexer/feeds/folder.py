"""The pictures, videos and documents of a folder, hashed here with the code that phones run."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from engine.entries import NewItem
from engine.errors import InvalidInputError
from engine.hashes import Hash, HashType, HashValue, Item, MediaType
from indexer.feeds.hash_pool import Answer, HashPool
from indexer.feeds.reading import MAX_ITEM_HASHES, Defaults, Place, Read

_MAX_ITEMS: Final = 2  # of one file: the picture and the clip of a Motion Photo


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
            elif (reason := _wrong_link(path, root)) is not None:
                refused.append((str(path.relative_to(folder)), reason))
    return sorted(files), refused


def _wrong_link(path: Path, root: Path) -> str | None:
    """Why a link is refused; None when it leads to something inside the folder."""
    try:
        is_inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # of a loop, Python up to 3.12 makes the latter
        return "a link that leads nowhere"
    return None if is_inside else "a link out of the folder"


def read_files(
    files: Sequence[tuple[str, Path]], pool: HashPool, defaults: Defaults
) -> Iterator[list[Read]]:
    """The items of each file, in the order of `files`; one rejected has a reason.

    Args:
        files: each as its place is told, and where it is.
        pool: hashes them.
        defaults: labels of every item.
    """
    answers = pool.answers([path for _, path in files])
    for (place, _), (_, answer) in zip(files, answers, strict=True):
        try:
            found: list[NewItem | str] = [*_new_items(answer, defaults)]
        except InvalidInputError as error:
            found = [str(error)]
        except (LookupError, TypeError, ValueError):  # the process that hashed it is not trusted
            found = ["hashed to no hash"]
        yield [(place, one) for one in found]


def _new_items(answer: Answer, defaults: Defaults) -> list[NewItem] | list[str]:
    """What one file is listed as.

    Raises:
        InvalidInputError: as `Hash` and `Item`.
        LookupError, TypeError, ValueError: the answer is not of its form.
    """
    if "reason" in answer:
        return [str(answer["reason"])]
    if not 1 <= len(answer["items"]) <= _MAX_ITEMS:
        raise ValueError("items")
    return [NewItem(_item(told), defaults.labels) for told in answer["items"]]


def _item(told: Answer) -> Item:
    if len(told["hashes"]) > MAX_ITEM_HASHES:
        raise ValueError("hashes")
    hashes = tuple(
        Hash(
            HashType(number), HashValue.fromhex(value), *map(_whole_number, (quality, frame, page))
        )
        for number, value, quality, frame, page in told["hashes"]
    )
    return Item(MediaType(told["media_type"]), hashes)


def _whole_number(told: object) -> int | None:
    """Refuses the floats and booleans that JSON has as well, and Python takes for numbers."""
    if told is None or type(told) is int:
        return told
    raise ValueError("number")
