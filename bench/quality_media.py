"""What the quality bench works on: originals, their edited copies, and where they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from firstseen.items import Item

OURS: Final = "Firstseen"  # hashed by its query side
THREATEXCHANGE: Final = "threatexchange"  # by python-threatexchange, from the same file
PLAIN: Final = "plain"  # by what everyone has: one PDQ, or one for each second
PROFILES: Final = ("lean", "standard", "wide")
SUFFIXES: Final[Mapping[str, frozenset[str]]] = {
    "images": frozenset(
        {".jpg", ".jpeg", ".png", ".webp", ".gif", ".avif", ".heic", ".bmp", ".tif", ".tiff"}
    ),
    "videos": frozenset(
        {
            *(".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi", ".3gp"),
            *(".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".ogv"),
        }
    ),
    "documents": frozenset(
        {
            ".pdf",
            ".docx",
            ".pptx",
            ".xlsx",
            ".odt",
            ".odp",
            ".ods",
            ".txt",
            ".html",
            ".epub",
            ".rtf",
        }
    ),
    "pages": frozenset({".pdf"}),
}
_OTHERS: Final = 8  # documents to look for foreign words in, the edited one among them
_SLIDES: Final = 3  # photographs in a clip that is made of some


@dataclass(frozen=True, slots=True)
class Copy:
    """An edited copy of an original.

    Attributes:
        edit: the name of the edit.
        items: its hashes by who hashed it: `OURS`, `PLAIN`, `THREATEXCHANGE`.
        holds: the name of another original that is in it too, and is no false find.
    """

    edit: str
    items: Mapping[str, Item]
    holds: str = ""


@dataclass(frozen=True, slots=True)
class Original:
    """A file of the corpus, or an unrelated one.

    Attributes:
        name: the path of its file, or those of its photographs; never in a run file.
        items: as it would be listed: by each profile, `PLAIN`, `THREATEXCHANGE`.
        copies: its edited copies; of an unrelated one there are none.
    """

    name: str
    items: Mapping[str, Item]
    copies: tuple[Copy, ...] = ()


@dataclass(frozen=True, slots=True)
class Task:
    """One original to hash.

    Attributes:
        number: in the corpus.
        paths: its file; of a clip that is made for this, its photographs; of a document, also
            others, one of which gives foreign words.
        profiles: of `PROFILES`, those to hash it by.
        seed: of the edits.
        edits: the names of those to make copies by; without one, no copies are made.
        with_peer: hash by python-threatexchange too.
    """

    number: int
    paths: tuple[Path, ...]
    profiles: tuple[str, ...]
    seed: int
    edits: frozenset[str]
    with_peer: bool


def files_of(kind: str, folder: Path) -> list[Path]:
    """The files of a kind below a folder, in order of their names."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES[kind] and path.is_file()
    )


def sources(kind: str, folders: Sequence[Path], limit: int | None = None) -> list[tuple[Path, ...]]:
    """What the originals are made of: files; of a folder without a clip, photographs by threes.

    Raises:
        ValueError: a folder holds none.
    """
    found = [paths for folder in folders for paths in _sources(kind, folder)]
    if kind == "documents":
        files = [path for (path,) in found]
        around = [*files, *files]
        found = [tuple(around[at : at + min(_OTHERS, len(files))]) for at in range(len(files))]
    return found[:limit]


def _sources(kind: str, folder: Path) -> list[tuple[Path, ...]]:
    found: list[tuple[Path, ...]] = [(path,) for path in files_of(kind, folder)]
    if not found and kind == "videos":
        photos = files_of("images", folder)
        starts = range(0, len(photos) - _SLIDES + 1, _SLIDES)
        found = [tuple(photos[start : start + _SLIDES]) for start in starts]
    if not found:
        why = f"no {kind} in this folder" if folder.is_dir() else "no such folder"
        raise ValueError(f"{folder.name}: {why}")
    return found
