"""One parser a format. Runs in the child of ingest/load.py alone."""

from __future__ import annotations

import asyncio
import html
import re
import unicodedata
from pathlib import Path

from app.errors import DocumentError
from ingest.formats import DOCX, HTML, MARKDOWN, PDF, Text

Pages = list[tuple[int | None, str]]

LINE_ENDS = ("\r\n", "\r", "\v", "\f", "\u2028")
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufeff\ufffe\uffff]")
HEADING = re.compile(r"^#[ \t]+(?:#[ \t]+)*([^\s#][^\n]{0,299})", re.MULTILINE)
HEADING_END = re.compile(r"\s*(?:\{[^{}]*\})?(?:\s#+)?\s*$")
HTML_TITLE = re.compile(r"<title[^>]*>([^<]{1,300})</title>", re.IGNORECASE)
# With something of an address inside the parentheses: `cells[i](j)` is none.
LINK = re.compile(r"""!?\[((?:[^\[\]\\]|\\.)*)\]\((?=[^()\s]{0,500}[/#.:])(?:[^()\s]|\([^()\s]*\))*(?:\s+"[^"]*")?\)""")
BOLD = re.compile(r"\*\*(\S(?:[^*\n]*\S)?)\*\*")
PADDING = re.compile(r"[ \t]{3,}")
ENCRYPTED = DocumentError("encrypted", "The document is protected by a password. Remove it and send it again.")


def parse(path: Path, found: str | Text) -> tuple[str | None, Pages]:
    """(title, pages). Raises DocumentError."""
    if isinstance(found, Text):
        return _text(found)
    if found == PDF:
        return _pdf(path)
    return _office(path.read_bytes(), DOCX)


def sound(text: str) -> str:
    """NFC, line feeds alone, and no character that PostgreSQL or JSON cannot hold."""
    for line_end in LINE_ENDS:
        text = text.replace(line_end, "\n")
    return unicodedata.normalize("NFC", UNWANTED.sub("", text.replace("\u2029", "\n\n")))


def _text(found: Text) -> tuple[str | None, Pages]:
    if found.media_type == HTML:
        named = HTML_TITLE.search(found.content)
        # Without a head around it the title would be read as text.
        title, pages = _office(HTML_TITLE.sub("", found.content, count=1).encode("utf-8", "ignore"), HTML)
        return (" ".join(sound(html.unescape(named.group(1))).split()) if named else "") or title, pages
    text = sound(found.content)
    return (_heading(text) if found.media_type == MARKDOWN else None), [(None, text)]


def _pdf(path: Path) -> tuple[str | None, Pages]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
        pages: Pages = [
            (number, sound(page.get_textpage().get_text_bounded())) for number, page in enumerate(document, start=1)
        ]
        title = document.get_metadata_dict().get("Title", "")
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ENCRYPTED from None
        raise DocumentError("corrupt", "The PDF is damaged. Open it, save it anew and send that.") from None
    return sound(title).strip()[:300] or None, pages


def _office(content: bytes, media_type: str) -> tuple[str | None, Pages]:
    """By xberg, from memory alone: it would fetch addresses, cache texts on disk and look for OCR models otherwise."""
    import xberg

    no_noise = xberg.ConversionOptions(extract_metadata=False, skip_images=True, compact_tables=True)
    config = xberg.ExtractionConfig(use_cache=False, disable_ocr=True, output_format="markdown", html_options=no_noise)
    source = xberg.ExtractInput(kind="bytes", bytes=content, mime_type=media_type)
    try:
        result = asyncio.run(xberg.extract(source, config))
    except Exception as error:  # its errors have no common class that tells these cases apart
        raise _refusal(str(error).lower()) from None
    if not result.results:
        raise _refusal(" ".join(str(error) for error in result.errors).lower())
    # Addresses, emphasis and padding are no prose: they would fill the chunks and match nothing.
    text = PADDING.sub(" ", BOLD.sub(r"\1", LINK.sub(r"\1", sound(result.results[0].content))))
    return _heading(text), [(None, text)]


def _refusal(reason: str) -> DocumentError:
    if "password" in reason or "encrypt" in reason:
        return ENCRYPTED
    if "limit" in reason or "bomb" in reason or "too large" in reason:
        return DocumentError("too_large", "The document unpacks to more than is taken here. Split it.")
    return DocumentError("corrupt", "The document is damaged. Open it, save it anew and send that.")


def _heading(text: str) -> str | None:
    found = HEADING.search(text)
    return HEADING_END.sub("", found.group(1)) if found else None
