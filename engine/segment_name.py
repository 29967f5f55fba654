"""How the folder of a segment is called: SEQUENCE-KIND-FORMAT.

With the format in its name, one that another version of the program made is not taken for
damaged: two versions may share a folder for as long as one replaces the other.
"""

import re
from pathlib import Path
from typing import Final

from engine.index_kind import IndexKind

FORMAT: Final = 3
_NAME: Final = re.compile(r"(\d{20})-([a-z-]+?)(?:-(\d+))?\Z")
_FIRST_FORMAT: Final = 2  # whose names did not say it


def segment_name(sequence: int, kind: IndexKind) -> str:
    """What a segment of this format is called."""
    return f"{sequence:020d}-{kind}-{FORMAT}"


def segment_names(folder: Path, kind: IndexKind) -> list[str]:
    """The segments of this format and kind, newest first; none where the folder cannot be read."""
    return sorted((n for n, format_ in _found(folder, kind) if format_ == FORMAT), reverse=True)


def outdated_names(folder: Path, kind: IndexKind) -> list[str]:
    """Those of the kind that only earlier versions read."""
    return [name for name, format_ in _found(folder, kind) if format_ < FORMAT]


def _found(folder: Path, kind: IndexKind) -> list[tuple[str, int]]:
    try:
        names = [path.name for path in folder.iterdir()]
    except OSError:  # the builder says what is wrong with the folder
        return []
    matches = (_NAME.match(name) for name in names)
    return [(m[0], int(m[3] or _FIRST_FORMAT)) for m in matches if m and m[2] == kind]
