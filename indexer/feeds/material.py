"""What of the files and folders that were named is hashed, and what of them is passed over."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from indexer.feeds.folder import list_folder
from indexer.feeds.opening import Format
from indexer.feeds.reading import Place, Read
from indexer.feeds.selection import A_LIST, Selection, is_text_file

NO_VPDQ: Final = "no list of vPDQ"

Placed = tuple[str, Path]
"""How a file's place is told, and where it is."""


@dataclass(slots=True)
class Material:
    """What there is to read.

    Attributes:
        files: to be hashed.
        vpdq_lists: to be read, each as a video.
        texts: places of plain texts that one might not expect to be hashed: named by
            themselves, or beside pictures.
        refused: what cannot be read, and folders with nothing to read, with the reason.
        passed_over: what nobody asked for, with the reason.
    """

    files: list[Placed] = field(default_factory=list)
    vpdq_lists: list[Placed] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    refused: list[Read] = field(default_factory=list)
    passed_over: list[tuple[Place, str]] = field(default_factory=list)


def gather(
    sources: Sequence[str], selection: Selection, format_: Format, *, reads_vpdq: bool
) -> Material:
    """What there is to read in what was named.

    A folder's vPDQ lists are read when there is nothing else in it, or when that format is
    asked for: beside their videos they say nothing new.

    Args:
        sources: files and folders. Of several, places begin with the one they are in.
        selection: which files of a folder are wanted.
        format_: `VPDQ` reads only such lists of a folder.
        reads_vpdq: whether vPDQ lists of folders may be read at all.
    """
    material = Material()
    for source in sources:
        path = Path(source)
        if path.is_dir():
            before = source.rstrip("/") + "/" if len(sources) > 1 else ""
            _gather_folder(material, path, before, selection, format_, reads_vpdq=reads_vpdq)
        else:  # whoever names a file wants it, and links of those that are named are followed
            place = source if len(sources) > 1 else path.resolve().name
            material.files.append((place, path.resolve()))
            if is_text_file(path):
                material.texts.append(place)
    return material


def _gather_folder(
    material: Material,
    folder: Path,
    before: str,
    selection: Selection,
    format_: Format,
    *,
    reads_vpdq: bool,
) -> None:
    def place(path: Path) -> str:
        return f"{before}{path.relative_to(folder)}"

    found, refused = list_folder(folder)
    chosen = selection.split(folder, found)
    passed_over = [(f"{before}{told}", reason) for told, reason in chosen.passed_over]
    wanted, lists = chosen.wanted, chosen.vpdq_lists
    if reads_vpdq and format_ is Format.VPDQ:
        passed_over += [(place(path), NO_VPDQ) for path in wanted]
        wanted = []
    elif wanted or not reads_vpdq:
        passed_over += [(place(path), A_LIST) for path in lists]
        lists = []
    material.files += [(place(path), path) for path in wanted]
    material.vpdq_lists += [(place(path), path) for path in lists]
    material.passed_over += sorted(passed_over)
    material.refused += [(f"{before}{told}", reason) for told, reason in refused]
    if wanted and len(chosen.texts) < len(wanted):
        material.texts += map(place, chosen.texts)
    if not (wanted or lists or refused):
        material.refused.append((str(folder), _nothing(passed_over)))


def _nothing(passed_over: Sequence[object]) -> str:
    if not passed_over:
        return "an empty folder"
    count = len(passed_over)
    files = "its only file is" if count == 1 else f"all of its {count:,} files are"
    return f"nothing to hash: {files} passed over; a file that is named itself is taken"
