"""The packages of OOXML (ECMA-376, part 2): parts, and the relations between them."""

import posixpath
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.readers.markup import Grammar, xml_tree

# Text is in `t` in all three languages; tabs and line breaks are empty elements beside it. Of a
# drawing that is there twice, for new and for old readers, the old one's is `Fallback`.
GRAMMAR: Final = Grammar(
    text=frozenset({"t"}),
    skipped=frozenset({"Fallback"}),
    breaks=frozenset({"p", "br", "cr", "tab"}),
)


class Package:
    """The parts of a DOCX, PPTX or XLSX."""

    def __init__(self, archive: Archive) -> None:
        self._archive: Final = archive

    def read(self, part: str) -> bytes:
        """The bytes of a part.

        Raises:
            MediaError: it is damaged or not there.
        """
        return self._archive.read(part)

    def related(self, part: str, kind: str) -> dict[str, str]:
        """The parts that a part refers to, as relation id to name.

        Args:
            part: its name; empty for the package itself.
            kind: the last word of the relation's type, such as `image`; types differ before
                that between the transitional and the strict standard.

        Raises:
            MediaError: the relations are damaged.
        """
        folder, name = posixpath.split(part)
        relations = posixpath.join(folder, "_rels", f"{name}.rels")
        if relations not in self._archive:
            return {}
        found = {}
        for relation in xml_tree(self._archive.read(relations)):
            if not isinstance(relation.tag, str) or relation.get("TargetMode") == "External":
                continue
            target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", "")))
            target = target.lstrip("/")
            if relation.get("Type", "").rpartition("/")[2] == kind and target in self._archive:
                found[relation.get("Id", "")] = target
        return found

    def main_part(self) -> str:
        """The part that all others hang on.

        Raises:
            MediaError: there is none.
        """
        for name in self.related("", "officeDocument").values():
            return name
        raise MediaError("damaged document (no main part)")

    def add_pictures(self, part: str, content: Content, page_index: int | None = None) -> None:
        """Hashes the pictures that a part refers to."""
        for name in self.related(part, "image").values():
            self._archive.add_picture(name, content, page_index)
