"""Reads PDF page by page with PDFium."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.errors import DocumentError
from app.storage.origins import pack
from ingest.loading.clean_text import clean_text
from ingest.loading.parsed import Notice, Options, Page, PageSource, Parsed, Picture
from ingest.loading.parsers import office_notices
from ingest.loading.parsers.marks import marked
from ingest.loading.parsers.pdf.bookmarks import titles_by_page
from ingest.loading.parsers.pdf.characters import Reader
from ingest.loading.parsers.pdf.continued import Continuations, outer_tables
from ingest.loading.parsers.pdf.footnotes import in_order
from ingest.loading.parsers.pdf.over_pages import with_whole_words
from ingest.loading.parsers.pdf.page_state import PageState, page_state, unreadable_fonts
from ingest.loading.parsers.pdf.page_text import Figure, PageText, read_page
from ingest.loading.parsers.pdf.pieces import Written, joined_blocks, written
from ingest.loading.parsers.pdf.running_heads import Edges, running
from ingest.loading.parsers.titles import meant
from ingest.loading.picture_marks import MAX_SAID, in_points
from ingest.loading.refusals import CORRUPT, ENCRYPTED

FONTS_WITHOUT_UNICODE = DocumentError(
    "empty",
    "The fonts of the PDF do not say which characters they draw, so it has no text that can be read. Run OCR on it, or"
    " export it again with Unicode text, and send the result.",
)
WHY_UNREAD = {
    PageState.MISSING: "The page is drawn without text: it is probably scanned. Run OCR on it and send the result.",
    PageState.GARBAGE: "The fonts of the page do not say which characters they draw. Run OCR on it, and send that.",
    PageState.IMAGE: "A picture covers the page, and what it shows was not read. Run OCR on it and send the result.",
}
WITHOUT_TEXT = (PageState.MISSING, PageState.GARBAGE, PageState.DAMAGED)
DAMAGED = "The page is damaged, and nothing of it was read. Open the PDF, save it again and send that."
BLANK = Written("", ())
PART_UNREAD = "A font of the page does not say which characters it draws; its text was left out. Run OCR on the page."
HIDDEN = "{} characters that the page does not show (white, tiny, invisible or beyond its edge)"
FILES = "What {} may say was not read. Save what is attached to the PDF, and send it by itself."


def read(path: Path, options: Options) -> Parsed:
    import pypdfium2

    try:
        # By a path it would look for the name of the file, which a sandboxed process may not reach.
        document = pypdfium2.PdfDocument(path.read_bytes())
        document.init_forms()
        return _Document(document, options).read()
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ENCRYPTED from None
        raise CORRUPT from None


class _Document:
    def __init__(self, document: Any, options: Options) -> None:
        self._document = document
        self._options = options
        self._count = len(document)
        self._continuations = Continuations()
        self._edges = Edges() if self._count > 1 else None
        self._known: set[str] = set()
        self._titles = titles_by_page(document)
        self._warnings: list[Notice] = []

    def read(self) -> Parsed:
        pages: list[PageText] = []
        states: list[PageState] = []
        for index in range(self._count):
            state, text = self._page_or_none(index)
            states.append(state)
            pages.append(text)
        if set(states) == {PageState.DAMAGED}:
            raise CORRUPT
        left_out = _running_heads(pages)
        texts = _without_running_heads(pages, left_out)
        texts = with_whole_words(texts, [page.hyphenates for page in pages], self._known)
        if (
            PageState.GARBAGE in states
            and not self._options.ocr_follows
            and not any(text.text.strip() for text in texts)
        ):
            raise FONTS_WITHOUT_UNICODE
        self._tell_of_files(sum(page.files for page in pages))
        numbered = enumerate(zip(pages, texts, states, strict=True), 1)
        read = [
            Page(
                number, text.text, _source(state), pack(text.runs), state.needs_ocr, *_left_out(page, left_out),
                _pictures(number, page.figures, len(text.text)),
            )
            for number, (page, text, state) in numbered
        ]  # fmt: skip
        return Parsed(meant(self._title()), read, self._warnings)

    def _title(self) -> str:
        try:
            return str(self._document.get_metadata_value("Title"))
        except UnicodeDecodeError:
            return ""

    def _page_or_none(self, index: int) -> tuple[PageState, PageText]:
        import pypdfium2

        try:
            return self._page(index)
        except pypdfium2.PdfiumError:
            self._warn("unreadable_page", DAMAGED, index)
            return PageState.DAMAGED, PageText([], BLANK, BLANK, BLANK, BLANK, "", 0, outer_tables([]), False, [])

    def _page(self, index: int) -> tuple[PageState, PageText]:
        page = self._document[index]
        text_page = page.get_textpage()
        words = Reader(text_page).words()
        unreadable = unreadable_fonts(words)
        state = page_state(page, words, unreadable)
        if state.needs_ocr:
            self._warn("unreadable_page", WHY_UNREAD[state], index)
        if unreadable:
            words = [word for word in words if word.style.font not in unreadable]
            if not state.needs_ocr:
                self._warn("unreadable_page", PART_UNREAD, index)
        titles = self._titles.get(index, {})
        text = read_page(page, index, words, titles, self._document.formenv, self._edges, self._known)
        text.body = self._continuations.with_header(text.body, text.tables)
        if text.hidden and self._options.hidden_parts == "mark":
            text.body = joined_blocks([text.body, written([marked("Hidden", text.hidden)])])
        elif text.hidden:
            self._warnings.append(office_notices.hidden(HIDDEN.format(len(text.hidden)), page=index + 1))
        if state.needs_ocr:
            text.figures.clear()
        if text.figures and not self._options.describes_pictures:
            self._warnings.append(office_notices.pictures(len(text.figures), page=index + 1))
        text_page.close()
        page.close()
        return state, text

    def _warn(self, code: Any, detail: str, index: int) -> None:
        self._warnings.append(Notice(code, detail, page=index + 1))

    def _tell_of_files(self, on_pages: int) -> None:
        if count := on_pages + self._document.count_attachments():
            self._warnings.append(
                Notice("attachment_skipped", FILES.format(office_notices.counted(count, "attached file")))
            )


def _pictures(number: int, figures: Sequence[Figure], at: int) -> tuple[Picture, ...]:
    """Return the pictures, which stand after the text of the page."""
    found = []
    for figure in figures:
        x0, y0, x1, y1 = figure.box
        name = f"{number} {x0:.1f} {y0:.1f} {x1:.1f} {y1:.1f}"
        width, height, unit = in_points(x1 - x0, y1 - y0, 1) or (None, None, None)
        caption = " ".join(clean_text(figure.caption).split())[:MAX_SAID]
        found.append(Picture(at, at, width=width, height=height, unit=unit, caption=caption, name=name))
    return tuple(found)


def _source(state: PageState) -> PageSource:
    return "unreadable" if state in WITHOUT_TEXT else "text"


def _running_heads(pages: Sequence[PageText]) -> set[int]:
    """Return the ids of the edges that are left out: none if nothing else were left."""
    found = running([page.edges for page in pages])
    stays = any(page.body.text or any(id(edge) not in found for edge in page.edges) for page in pages)
    return found if stays else set()


def _without_running_heads(pages: Sequence[PageText], left_out: set[int]) -> list[Written]:
    texts: list[Written] = []
    for page in reversed(pages):
        head, foot = _kept(page, "head", page.head, left_out), _kept(page, "foot", page.foot, left_out)
        aslant = [edge.written for edge in page.edges if edge.side == "aslant" and id(edge) not in left_out]
        below = joined_blocks([page.below, *aslant, *foot])
        texts.append(in_order(joined_blocks([*head, page.body]), below, texts[-1].text if texts else ""))
    return texts[::-1]


def _left_out(page: PageText, left_out: set[int]) -> tuple[str, str]:
    """Return what is left out at the top of the page or over it, and at its bottom."""
    edges = [edge for edge in page.edges if id(edge) in left_out]
    feet = [edge.text for edge in edges if edge.side == "foot"]
    return "\n".join(edge.text for edge in edges if edge.side != "foot"), "\n".join(feet)


def _kept(page: PageText, side: str, whole: Written, left_out: set[int]) -> list[Written]:
    edges = [edge for edge in page.edges if edge.side == side]
    kept = [edge.written for edge in edges if id(edge) not in left_out]
    return [whole] if len(kept) == len(edges) else kept
