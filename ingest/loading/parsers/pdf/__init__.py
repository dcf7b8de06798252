"""Reads PDF page by page with PDFium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.errors import DocumentError
from ingest.loading.parsed import Notice, Options, Page, Parsed
from ingest.loading.parsers.pdf.characters import Reader
from ingest.loading.parsers.pdf.page_state import PageState, page_state
from ingest.loading.parsers.titles import meant
from ingest.loading.refusals import CORRUPT, ENCRYPTED

FONTS_WITHOUT_UNICODE = DocumentError(
    "empty",
    "The fonts of the PDF do not say which characters they draw, so it has no text that can be read. Run OCR on it, or"
    " export it again with Unicode text, and send the result.",
)


def read(path: Path, options: Options) -> Parsed:
    import pypdfium2

    try:
        # By a path it would look for the name of the file, which a sandboxed process may not reach.
        document = pypdfium2.PdfDocument(path.read_bytes())
        return _read(document)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ENCRYPTED from None
        raise CORRUPT from None


def _read(document: Any) -> Parsed:
    parsed = Parsed(meant(document.get_metadata_dict().get("Title")), [])
    states: set[PageState] = set()
    for number, page in enumerate(document, 1):
        text_page = page.get_textpage()
        state = page_state(page, Reader(text_page).words())
        states.add(state)
        if state.needs_ocr:
            parsed.warnings.append(Notice("unreadable_page", WHY[state], page=number))
        unread = state in (PageState.MISSING, PageState.GARBAGE)
        text = "" if state is PageState.GARBAGE else text_page.get_text_bounded()
        parsed.pages.append(Page(number, text, "unreadable" if unread else "text"))
    if PageState.GARBAGE in states and not any(page.text.strip() for page in parsed.pages):
        raise FONTS_WITHOUT_UNICODE
    return parsed


WHY = {
    "missing": "The page is drawn without text: it is probably scanned. Run OCR on it and send the result.",
    "garbage": "The fonts of the page do not say which characters they draw. Run OCR on it and send the result.",
    "image": "A picture covers the page, and what it shows was not read. Run OCR on it and send the result.",
}
