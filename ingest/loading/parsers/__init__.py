"""Parses documents, one module a family of formats. Runs only in the child of ingest/loading/load.py."""

from __future__ import annotations

import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from xml.parsers.expat import ExpatError

from ingest.loading.clean_text import clean_text, notice_of_cut_marks
from ingest.loading.formats import (
    CSV,
    DOCX,
    EML,
    EPUB,
    HTML,
    HWP,
    HWP3,
    HWPML,
    HWPX,
    JSON,
    JSONL,
    MARKDOWN,
    MBOX,
    MSG,
    NOTEBOOK,
    ODP,
    ODS,
    ODT,
    OLD_OFFICE,
    PDF,
    PICTURES,
    PLAIN,
    PPTX,
    RTF,
    TAR,
    XLSX,
    XML,
    ZIP,
    Text,
)
from ingest.loading.notices import bounded
from ingest.loading.parsed import Member, NotedPicture, Notice, Options, Page, Parsed
from ingest.loading.parsers import (
    archive,
    epub,
    html,
    mail,
    mailbox,
    markdown,
    notebook,
    odp,
    ods,
    old_office,
    outlook,
    pdf,
    picture,
    pptx,
    tar_archive,
    text,
    xlsx,
    xml_text,
)
from ingest.loading.parsers.hancom import hwp3, hwp5, hwpml, hwpx
from ingest.loading.parsers.odt import document as odt
from ingest.loading.parsers.rtf import document as rtf
from ingest.loading.parsers.word import document as word
from ingest.loading.picture_marks import without_marks
from ingest.loading.picture_places import taken_out
from ingest.loading.refusals import CORRUPT

MAX_TITLE = 300
# Of what is left out at the top of a page, and at its bottom.
MAX_LEFT_OUT = 300
# Of a document: more are ornaments, or were made by a program.
MAX_PICTURES = 2000
# Formats that say where their pictures stand. Mail has pages of HTML, too, of which nothing is kept.
WITH_PLACES = (DOCX, PPTX, XLSX, HWP, HWPX, ODT, ODP, ODS, EPUB, PDF, HTML, MARKDOWN)
# Errors of reading damaged bytes. Any other is a bug and goes to the log.
DAMAGE = (
    ValueError, LookupError, EOFError, OSError, OverflowError, RecursionError, NotImplementedError,
    struct.error, zlib.error, zipfile.BadZipFile, tarfile.TarError, ExpatError,
)  # fmt: skip

TEXTS: dict[str, Callable[[str, Options], Parsed]] = {
    PLAIN: text.as_it_stands,
    CSV: text.rows,
    MARKDOWN: markdown.read,
    HTML: html.read,
    HWPML: hwpml.read,
    JSON: text.from_json,
    JSONL: text.from_jsonl,
    NOTEBOOK: notebook.read,
    XML: xml_text.read,
}
READERS: dict[str, Callable[[Path, Options], Parsed]] = {
    PDF: pdf.read,
    DOCX: word.read,
    XLSX: xlsx.read,
    EPUB: epub.read,
    PPTX: pptx.read,
    HWP: hwp5.read,
    HWP3: hwp3.read,
    HWPX: hwpx.read,
    ODS: ods.read,
    ODT: odt.read,
    RTF: rtf.read,
    ODP: odp.read,
    EML: mail.read,
    MBOX: mailbox.read,
    MSG: outlook.read,
    ZIP: archive.read,
    TAR: tar_archive.read,
    **dict.fromkeys(OLD_OFFICE, old_office.read),
    **dict.fromkeys(PICTURES, picture.read),
}
MEMBERS: dict[str, Callable[[Path, Options], Iterator[Member | Notice]]] = {
    EML: mail.members,
    MBOX: mailbox.members,
    MSG: outlook.members,
    ZIP: archive.members,
    TAR: tar_archive.members,
}


def parse(path: Path, found: str | Text, options: Options) -> Parsed:
    """Read the file with the reader of its format, and clean what it gives. Raises DocumentError."""
    media_type = found.media_type if isinstance(found, Text) else found
    options = replace(options, picture_places=media_type in WITH_PLACES, noted=[])
    try:
        if isinstance(found, Text):
            parsed = TEXTS[found.media_type](found.content, options)
            parsed.warnings += found.warnings
        else:
            parsed = READERS[found](path, options)
    except DAMAGE:
        raise CORRUPT from None
    title = " ".join(clean_text(without_marks(parsed.title or "")).split())[:MAX_TITLE]
    cut = notice_of_cut_marks([page.text for page in parsed.pages])
    pages, more = _with_fewer_pictures([_cleaned(page, options.noted) for page in parsed.pages])
    return Parsed(title or None, pages, bounded(parsed.warnings + cut + more), parsed.has_members)


def _cleaned(page: Page, noted: Sequence[NotedPicture]) -> Page:
    text = clean_text(page.text)
    if page.head or page.foot:
        page = replace(page, head=clean_text(page.head)[:MAX_LEFT_OUT], foot=clean_text(page.foot)[:MAX_LEFT_OUT])
    return taken_out(page if text == page.text else replace(page, text=text, origins=b""), noted)


def _with_fewer_pictures(pages: list[Page]) -> tuple[list[Page], list[Notice]]:
    count = sum(len(page.pictures) for page in pages)
    if count <= MAX_PICTURES:
        return pages, []
    left, kept = MAX_PICTURES, list[Page]()
    for page in pages:
        kept.append(replace(page, pictures=page.pictures[:left]))
        left -= len(kept[-1].pictures)
    detail = f"Of its {count:,} pictures the first {MAX_PICTURES:,} are listed with the document."
    return kept, [Notice("truncated", detail)]
