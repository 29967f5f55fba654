"""What kind of document a file is, by its content alone."""

import re
from enum import StrEnum
from typing import Final

from firstseen.errors import MediaError
from firstseen.hashing.archive import open_zip, peek
from firstseen.hashing.charset import decode, has_controls
from firstseen.hashing.document_limits import DocumentLimits

# Enough of a file to tell text from pictures.
HEAD_BYTES: Final = 4_096
_OLE: Final = b"\xd0\xcf\x11\xe0"
# The stream that holds an encrypted DOCX, PPTX or XLSX ([MS-OFFCRYPTO] 2.3.4.4).
_ENCRYPTED: Final = "EncryptedPackage".encode("utf-16-le")
_WEB_PAGE: Final = re.compile(r"<!doctype\s+html|<(html|head|body)[\s>]", re.IGNORECASE)
# Honest relations are of a kilobyte; behind a long comment they count for Office all the same.
_RELATIONS_BYTES: Final = 1 << 20
# What the package itself refers to: its main part, beside properties and thumbnails.
_OFFICE_PART: Final = re.compile(rb"Target\s*=\s*[\"']/?(word|ppt|xl)/")
# Of a few bytes that are no UTF-8, nobody can say that they are text.
_MIN_LEGACY_BYTES: Final = 64


class DocumentKind(StrEnum):
    """The kinds that are read; each is the name of its reader."""

    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    ODF = "odf"
    EPUB = "epub"
    RTF = "rtf"
    HTML = "html"
    TXT = "txt"


_OFFICE_KINDS: Final = {
    b"word": DocumentKind.DOCX,
    b"ppt": DocumentKind.PPTX,
    b"xl": DocumentKind.XLSX,
}


def document_kind(data: bytes, limits: DocumentLimits) -> DocumentKind | None:
    """The kind of a document; None when its content cannot be read.

    Args:
        data: the whole file.
        limits: how many files an archive may have.

    Raises:
        MediaError: it is encrypted, or an archive that is damaged or has too many files.
    """
    if data.startswith(b"%PDF-"):
        return DocumentKind.PDF
    if data.startswith(b"{\\rtf"):
        return DocumentKind.RTF
    if data.startswith(b"PK\x03\x04"):
        return _archive_kind(data, limits)
    if data.startswith(_OLE):
        if _ENCRYPTED in data:
            raise MediaError("encrypted document")
        return None  # Office before 2007
    return text_kind(data[:HEAD_BYTES])


def text_kind(head: bytes) -> DocumentKind | None:
    """Whether a file is plain text or a web page; None when it is neither.

    Args:
        head: its first 4,096 bytes, or all of it.
    """
    is_cut = len(head) >= HEAD_BYTES
    text = decode(head, is_cut=is_cut)
    if has_controls(text) or not any(map(str.isalnum, text)):
        return None
    if len(head) < _MIN_LEGACY_BYTES and "\ufffd" in head.decode("utf-8", "replace"):
        return None
    if _WEB_PAGE.search(text):
        return DocumentKind.HTML
    is_drawing = text.lstrip().startswith("<") and "<svg" in text
    return None if is_drawing else DocumentKind.TXT


def _archive_kind(data: bytes, limits: DocumentLimits) -> DocumentKind | None:
    with open_zip(data, limits) as opened:
        names = frozenset(opened.namelist())
        mimetype = peek(opened, "mimetype", HEAD_BYTES)
        relations = peek(opened, "_rels/.rels", _RELATIONS_BYTES)
    if mimetype.startswith(b"application/vnd.oasis.opendocument."):
        return DocumentKind.ODF
    if mimetype.startswith(b"application/epub+zip") or "META-INF/container.xml" in names:
        return DocumentKind.EPUB
    if {"content.xml", "META-INF/manifest.xml"} <= names:
        return DocumentKind.ODF
    for folder in _OFFICE_PART.findall(relations.replace(b"\0", b"")):
        return _OFFICE_KINDS[folder]
    return None
