"""Parses documents, one module a family of formats. Runs only in the child of ingest/loading/load.py."""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.parsers.expat import ExpatError

from app.language.marks import has_long_run
from ingest.loading.clean_text import clean_text
from ingest.loading.formats import (
    CSV,
    DOCX,
    EML,
    EPUB,
    HTML,
    HWP,
    HWPX,
    JSON,
    JSONL,
    MARKDOWN,
    PDF,
    PLAIN,
    PPTX,
    XLSX,
    Text,
)
from ingest.loading.parsers import html, hwp5, hwpx, mail, office, pdf, pptx, text
from ingest.loading.refusals import CORRUPT

Pages = list[tuple[int | None, str]]

SLIDE_TITLE = re.compile(r"^## (.{1,300})")
# Titles that programs put into the properties by default.
NO_TITLE = re.compile(
    r"(?:untitled|제목 ?없음|powerpoint presentation|powerpoint 프레젠테이션|microsoft \w+ - .*"
    r"|.*\.(?:pdf|docx?|pptx?|xlsx?|hwpx?|html?|txt|indd))",
    re.IGNORECASE,
)
MAX_TITLE = 300
MIN_OWN_TITLE = 4
# Errors of reading damaged bytes. Any other is a bug and goes to the log.
DAMAGE = (
    ValueError, LookupError, EOFError, OSError, OverflowError, RecursionError, NotImplementedError,
    struct.error, zlib.error, zipfile.BadZipFile, ExpatError,
)  # fmt: skip

TEXTS: dict[str, Callable[[str], tuple[str | None, str]]] = {
    PLAIN: text.as_it_stands,
    CSV: text.as_it_stands,
    MARKDOWN: text.markdown,
    HTML: html.read,
    JSON: text.from_json,
    JSONL: text.from_jsonl,
}


def parse(path: Path, found: str | Text) -> tuple[str | None, Pages, bool]:
    """Return (title, pages, whether runs of combining marks were cut). Raises DocumentError."""
    try:
        title, pages = _text(found) if isinstance(found, Text) else READERS[found](path)
    except DAMAGE:
        raise CORRUPT from None
    title = " ".join(clean_text(title or "").split())[:MAX_TITLE]
    marks_cut = any(has_long_run(page) for _, page in pages)
    return title or None, [(number, clean_text(page)) for number, page in pages], marks_cut


def _text(found: Text) -> tuple[str | None, Pages]:
    title, content = TEXTS[found.media_type](found.content)
    if found.media_type == HTML:
        title = title or text.heading(content)
    return title, [(None, content)]


def _docx(path: Path) -> tuple[str | None, Pages]:
    """Read the title from a heading first: the properties may keep a template's title."""
    title, content = office.docx(path)
    return text.heading(content) or _said(title), [(None, content)]


def _epub(path: Path) -> tuple[str | None, Pages]:
    title, content = office.epub(path)
    return title or text.heading(content), [(None, content)]


def _hwp(path: Path) -> tuple[str | None, Pages]:
    return _hancom(*hwp5.read(path))


def _hwpx(path: Path) -> tuple[str | None, Pages]:
    return _hancom(*hwpx.read(path))


def _hancom(title: str | None, content: str) -> tuple[str | None, Pages]:
    """Keep the title only if the text has it too: mostly it is that of the document this one was copied from."""
    own = title is not None and len(title.strip()) >= MIN_OWN_TITLE and _squeezed(title) in _squeezed(content)
    return title if own and not (title or "").strip().isdigit() else None, [(None, content)]


def _pptx(path: Path) -> tuple[str | None, Pages]:
    slides = pptx.read(path)
    titles = (SLIDE_TITLE.match(slide) for slide in slides)
    return next((found.group(1) for found in titles if found), None), _numbered(slides)


def _pdf(path: Path) -> tuple[str | None, Pages]:
    title, pages = pdf.read(path)
    return _said(title), _numbered(pages)


def _xlsx(path: Path) -> tuple[str | None, Pages]:
    title, sheets = office.xlsx(path)
    return _said(title), sheets


def _mail(path: Path) -> tuple[str | None, Pages]:
    title, content = mail.read(path)
    return title, [(None, content)]


def _said(title: str | None) -> str | None:
    return title if title and not NO_TITLE.fullmatch(title.strip()) else None


def _numbered(texts: Sequence[str]) -> Pages:
    return list(enumerate(texts, start=1))


def _squeezed(text: str) -> str:
    return re.sub(r"\s", "", clean_text(text))


READERS: dict[str, Callable[[Path], tuple[str | None, Pages]]] = {
    PDF: _pdf,
    DOCX: _docx,
    XLSX: _xlsx,
    EPUB: _epub,
    PPTX: _pptx,
    HWP: _hwp,
    HWPX: _hwpx,
    EML: _mail,
}
