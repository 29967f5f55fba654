"""ODT, ODP and ODS: OpenDocument (ISO/IEC 26300)."""

from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.archive import Archive
from firstseen.hashing.content import Content
from firstseen.hashing.readers.markup import Grammar, xml_text

_GRAMMAR: Final = Grammar(
    text=frozenset({"p", "h"}),
    # Comments, deleted text that is kept, and what only forms and scripts see.
    skipped=frozenset({"annotation", "forms", "scripts", "tracked-changes"}),
    breaks=frozenset({"p", "h", "line-break", "s", "tab"}),
)


def read(data: bytes, content: Content) -> None:
    """Takes the paragraphs of text, slides or cells, then the pictures.

    Raises:
        MediaError: it is damaged, encrypted or over a limit.
    """
    archive = Archive(data, content.limits)
    manifest = "META-INF/manifest.xml"
    # Encrypted parts are listed so, and are no ZIP encryption (ODF 1.3, part 2, 3.4).
    if manifest in archive and b"encryption-data" in archive.read(manifest):
        raise MediaError("encrypted document")
    content.add_text(xml_text(archive.read("content.xml"), _GRAMMAR))
    for name in sorted(archive.names):
        if name.startswith("Pictures/"):
            archive.add_picture(name, content)
