"""Detects a file's format by its content; its name only decides between kinds of text."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app.errors import DocumentError
from ingest.loading.charset import Decoded, decode
from ingest.loading.mail_formats import EML as EML
from ingest.loading.mail_formats import MBOX as MBOX
from ingest.loading.mail_formats import kind_of_mail
from ingest.loading.parsed import Notice
from ingest.loading.refusals import CORRUPT, ENCRYPTED, UNKNOWN_CHARSET, UNSUPPORTED, save_as
from ingest.loading.tar_formats import TAR as TAR
from ingest.loading.tar_formats import is_tar

OFFICE = "application/vnd.openxmlformats-officedocument"
PDF = "application/pdf"
DOCX = f"{OFFICE}.wordprocessingml.document"
PPTX = f"{OFFICE}.presentationml.presentation"
XLSX = f"{OFFICE}.spreadsheetml.sheet"
EPUB = "application/epub+zip"
HWP = "application/x-hwp"
HWPX = "application/hwp+zip"
DOC = "application/msword"
XLS = "application/vnd.ms-excel"
PPT = "application/vnd.ms-powerpoint"
# Converted before they are read: ingest/loading/conversion.py.
OLD_OFFICE = (DOC, XLS, PPT)
ODF = "application/vnd.oasis.opendocument"
RTF = "application/rtf"
ODT = f"{ODF}.text"
ODS = f"{ODF}.spreadsheet"
ODP = f"{ODF}.presentation"
HWPML = "application/x-hwpml"
HWP3 = "application/x-hwp-v3"
MSG = "application/vnd.ms-outlook"
ZIP = "application/zip"
HTML = "text/html"
MARKDOWN = "text/markdown"
CSV = "text/csv"
TSV = "text/tab-separated-values"
JSON = "application/json"
JSONL = "application/jsonl"
PLAIN = "text/plain"
NOTEBOOK = "application/x-ipynb+json"
XML = "application/xml"
# As Pillow calls them.
PICTURES = {"image/png": "PNG", "image/jpeg": "JPEG", "image/tiff": "TIFF", "image/webp": "WEBP", "image/bmp": "BMP"}
PICTURE_MARKS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"BM", "image/bmp"),
)

Kinds = tuple[tuple[str, str | DocumentError], ...]

# The first pattern that a member or stream matches decides; a format that is not read is told what to save it as.
ZIPS: Kinds = (
    (r"word/document\d*\.xml", DOCX),
    (r"xl/workbook\d*\.xml", XLSX),
    (r"ppt/presentation\.xml", PPTX),
    (r"Contents/(?:section\d+\.xml|content\.hpf)", HWPX),
    (r"xl/workbook\.bin", save_as("a binary Excel workbook (.xlsb)", ".xlsx")),
    (r"META-INF/container\.xml", EPUB),
    (r"content\.xml", save_as("an OpenDocument file other than .odt, .ods and .odp", ".docx or .pdf")),
    # Packages of other kinds, whose parts are no documents.
    (r"\[Content_Types\]\.xml|mimetype|META-INF/MANIFEST\.MF|AndroidManifest\.xml", UNSUPPORTED),
    (r".*", ZIP),
)
COMPOUNDS: Kinds = (
    ("EncryptedPackage", ENCRYPTED),
    ("FileHeader", HWP),
    ("WordDocument", DOC),
    ("Workbook|Book", XLS),
    ("PowerPoint Document", PPT),
    (r"__properties_version1\.0", MSG),
)
PDF_MARK = b"%PDF-"
OLE_MARK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
OLD_HWP_MARK, HWP3_MARK = b"HWP Document File V", b"HWP Document File V3."
RTF_MARK = b"{\\rtf"
HWP_SIGNATURE = b"HWP Document File"
# Each comment can match in one way only: many at the top of a file must not take exponential time.
HTML_START = re.compile(
    r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--(?:(?!-->).)*-->\s*)*<(?:!doctype html|html|head|body)\b",
    re.IGNORECASE | re.DOTALL,
)
HWPML_START = re.compile(r"\s*(?:<\?xml[^>]*\?>\s*)?(?:<!DOCTYPE\s+HWPML\b(?:[^>\[]|\[[^\]]*\])*>\s*)?<HWPML\b")
HTML_TAG = re.compile(
    r"<(?:/(?:p|div|table|ul|ol|h[1-6]|body|html|span|a|b|i|u|em|strong|font|center|pre)\s*|(?:br|p|hr)(?:\s[^<>]*)?/?)>",
    re.IGNORECASE,
)
XML_START = re.compile(r"\s*<\?xml\s")
CELLS = {"cells", "worksheets"}
HEAD_BYTES = 1 << 16
# No text has them, in any charset of bytes.
CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is decoded already, since only decoding shows that it is text."""

    media_type: str
    content: str
    warnings: tuple[Notice, ...] = ()


def detect(path: Path, filename: str, media_type: str) -> str | Text:
    """Return a media type, or the text itself. Raises DocumentError: unsupported_type, encrypted, corrupt, empty."""
    with path.open("rb") as file:
        return detect_in(file, filename, media_type)


def detect_in(file: BinaryIO, filename: str, media_type: str) -> str | Text:
    """As detect(), for an open file."""
    head = file.read(HEAD_BYTES)
    if not head:
        raise DocumentError("empty", "The file is empty.")
    if kind := _by_mark(file, head) or kind_of_mail(head, filename.lower(), media_type):
        return kind
    file.seek(0)
    decoded = decode(file.read())
    if decoded is None:
        # PDF readers accept something before the mark; but a text may mention the mark.
        if PDF_MARK in head[:1024]:
            return PDF
        raise UNSUPPORTED if CONTROLS.search(head) else UNKNOWN_CHARSET
    kind = _kind_of_text(decoded.text, filename.lower(), media_type)
    return Text(kind, decoded.text, notices_of(decoded))


def notices_of(decoded: Decoded) -> tuple[Notice, ...]:
    """Return what is to be told of how a text was decoded."""
    gaps = " Bytes that are none of its characters became \N{REPLACEMENT CHARACTER}." if decoded.has_gaps else ""
    if decoded.guessed is None and not gaps:
        return ()
    charset = (decoded.guessed or "utf-8").upper()
    said = f"The file was read as {charset}, which it does not say.{gaps} Save it as UTF-8 if it does not read well."
    return (Notice("charset_guessed", said),)


def _by_mark(file: BinaryIO, head: bytes) -> str | None:
    if head[:1024].lstrip().startswith(PDF_MARK):
        return PDF
    if head.startswith(b"PK\x03\x04"):
        return _zip(file)
    if head.startswith(OLE_MARK):
        return _compound(file)
    if head.startswith(HWP3_MARK):
        return HWP3
    if head.startswith(OLD_HWP_MARK):
        raise save_as("a HWP 2 document", "HWP 5 (.hwp) or .hwpx")
    if head.startswith(RTF_MARK):
        return RTF
    return TAR if is_tar(head) else _picture(head)


def _picture(head: bytes) -> str | None:
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return "image/webp"
    # Text may begin with BM; in a picture four zero bytes follow the size.
    if head.startswith(b"BM") and head[6:10] != bytes(4):
        return None
    return next((kind for mark, kind in PICTURE_MARKS if head.startswith(mark)), None)


def _zip(file: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(file) as archive:
            names = set(archive.namelist())
            kind = _said(archive) if "mimetype" in names else ""
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError):
        why = "The file begins as an archive or an Office document and is damaged or cut off."
        raise DocumentError("corrupt", why) from None
    return kind if kind in (ODT, ODS, ODP) else _decided(ZIPS, names)


def _said(archive: zipfile.ZipFile) -> str:
    """Return the media type that the package says it has; templates are read like what is made of them."""
    with archive.open("mimetype") as member:
        return member.read(100).decode("ascii", "replace").strip().removesuffix("-template")


def _compound(file: BinaryIO) -> str:
    import olefile

    try:
        with olefile.OleFileIO(file) as ole:
            names = {entry[0] for entry in ole.listdir()}
            kind = _decided(COMPOUNDS, names)
            if kind == HWP and not ole.openstream("FileHeader").read().startswith(HWP_SIGNATURE):
                raise UNSUPPORTED
            return kind
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise CORRUPT from None


def _decided(kinds: Kinds, names: set[str]) -> str:
    for pattern, kind in kinds:
        if any(re.fullmatch(pattern, name, re.DOTALL) for name in names):
            if isinstance(kind, DocumentError):
                raise kind
            return kind
    raise UNSUPPORTED


def _kind_of_text(content: str, filename: str, media_type: str) -> str:
    head = content[:4096]
    if HTML_START.match(head):
        return HTML
    if HWPML_START.match(head):
        return HWPML
    if head.lstrip()[:1] in ("{", "[") and (kind := _kind_of_json(content)):
        return kind
    if filename.endswith((".md", ".markdown")) or media_type == MARKDOWN:
        return MARKDOWN
    if (filename.endswith((".html", ".htm", ".xhtml")) or media_type == HTML) and HTML_TAG.search(content):
        return HTML
    if filename.endswith((".csv", ".tsv", ".tab")) or media_type in (CSV, TSV):
        return CSV
    named_xml = filename.endswith(".xml") or media_type in (XML, "text/xml")
    return XML if XML_START.match(head) or (named_xml and head.lstrip().startswith("<")) else PLAIN


def _kind_of_json(content: str) -> str | None:
    """Return JSON or JSONL, or None for what only begins like JSON: as text, nothing of it is lost."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        lines = [line for line in content.splitlines() if line.strip()]
        return JSONL if len(lines) > 1 and all(map(_is_record, lines)) else None
    return NOTEBOOK if isinstance(value, dict) and "nbformat" in value and CELLS & value.keys() else JSON


def _is_record(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False
