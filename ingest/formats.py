"""What a file is, by its content; its name only decides between kinds of text."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from app.errors import DocumentError
from ingest.charset import decode

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML = "text/html"
MARKDOWN = "text/markdown"
PLAIN = "text/plain"

OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
# Each comment can match in one way only: many of them at the top of a file must not cost exponential time.
HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
PDF_MARK = b"%PDF-"
HTML_TAG = re.compile(r"</(?:p|div|table|ul|ol|h[1-6]|body|html|span|a)\s*>", re.IGNORECASE)
TAKEN = "Formats taken: txt, md, html, pdf, docx."
UNSUPPORTED = DocumentError("unsupported_type", f"The content is of no type that is taken here. {TAKEN}")


@dataclass(frozen=True, slots=True)
class Text:
    """Decoded already, since only decoding tells that it is text."""

    media_type: str
    content: str


def detect(path: Path, filename: str, media_type: str) -> str | Text:
    """A media type, or the text itself. Raises DocumentError: unsupported_type, encrypted, corrupt, empty."""
    with path.open("rb") as file:
        head = file.read(1024)
    if not head:
        raise DocumentError("empty", "The file is empty.")
    if media_type == PLAIN:
        # Sent as text in JSON: whatever it looks like, it is text.
        return Text(PLAIN, path.read_text("utf-8"))
    if head.lstrip().startswith(PDF_MARK):
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if head.startswith(OLE):
        if ENCRYPTED_STREAM in path.read_bytes():
            raise DocumentError("encrypted", "The document is protected by a password. Remove it and send it again.")
        raise UNSUPPORTED
    if head.startswith(b"{\\rtf"):
        raise UNSUPPORTED
    content = decode(path.read_bytes())
    if content is None:
        # Readers take a PDF with something before its mark, too; a text may well speak of the mark.
        if PDF_MARK in head:
            return PDF
        raise UNSUPPORTED
    return Text(_kind_of_text(content, filename.lower(), media_type), content)


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise DocumentError("corrupt", "The file begins as an Office document and is damaged or cut off.") from None
    if "word/document.xml" in names:
        return DOCX
    raise UNSUPPORTED


def _kind_of_text(content: str, filename: str, media_type: str) -> str:
    head = content[:4096]
    if HTML_START.match(head):
        return HTML
    if filename.endswith((".md", ".markdown")) or media_type == MARKDOWN:
        return MARKDOWN
    if (filename.endswith((".html", ".htm", ".xhtml")) or media_type == HTML) and HTML_TAG.search(content):
        return HTML
    return PLAIN
