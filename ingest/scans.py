"""Reads a document's scanned pages by OCR, one by one: each finished page is stored and never read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from app.services import Services
from app.settings import Settings
from app.storage.blobs import Blob
from app.storage.notices import OcrMode, PageCounts
from app.storage.processing import WITHOUT_OCR, processing
from app.tesseract import is_installed
from ingest.jobs.queue import ClaimedDocument
from ingest.loading.formats import PDF, PICTURES
from ingest.loading.load import Loaded
from ingest.loading.notices import bounded
from ingest.loading.parsed import Notice, Page
from ingest.loading.refusals import refuse_empty_or_too_long
from ingest.ocr.endpoint import vision_model
from ingest.ocr.reader import OcrLimits, OcrReader, PageRead
from ingest.staged_pages import stage_page, staged_pages
from ingest.turn import Turn

DRAWN = (PDF, *PICTURES)


def can_read_scans(settings: Settings, mode: OcrMode) -> bool:
    return mode != "never" and (settings.ocr_url is not None or is_installed())


def pages_to_read(settings: Settings, loaded: Loaded, mode: OcrMode) -> list[int]:
    """Return the numbers of the pages that OCR is to read: with `force` all that can be drawn."""
    return _wanted(loaded, mode) if can_read_scans(settings, mode) else []


def recorded_splitter(settings: Settings, max_tokens: int, loaded: Loaded, mode: OcrMode) -> str:
    """Return what makes its chunks, and that pages are left which OCR would have read, if there were one."""
    lacks_ocr = not can_read_scans(settings, mode) and _wanted(loaded, mode)
    return processing(settings, max_tokens).splitter + (WITHOUT_OCR if lacks_ocr else "")


def _wanted(loaded: Loaded, mode: OcrMode) -> list[int]:
    if loaded.media_type not in DRAWN or mode == "never":
        return []
    return [page.number for page in loaded.pages if page.number and (mode == "force" or page.needs_ocr)]


async def read_scans(services: Services, claim: ClaimedDocument, loaded: Loaded, turn: Turn) -> Loaded:
    """Return the text with that of the scanned pages. Raises TurnOver between two pages, DocumentError, and
    Unavailable if the endpoint does not answer: the pages before stay."""
    settings, database = services.settings, services.database
    wanted = pages_to_read(settings, loaded, claim.ocr)
    if not wanted:
        return loaded
    read = await staged_pages(database, claim)
    blob = Blob(claim.blob, claim.size, claim.sha256)
    async with services.blobs.local(blob) as path, _open(path, loaded, settings) as reader:
        for number in [each for each in wanted if each not in read]:
            await turn.give_way(database, claim)
            page = await reader.read(number)
            read[number] = page
            await stage_page(database, claim, number, page, _counts(loaded, read))
            outcome = "read" if page.unreadable is None else "unreadable"
            services.metrics.work.ocr_pages.labels(outcome).inc()
    whole = _with_pages(loaded, read)
    texts = [page.text for page in whole.pages]
    refuse_empty_or_too_long(texts, whole.media_type, settings.load_max_chars)
    return whole


def _open(path: Path, loaded: Loaded, settings: Settings) -> OcrReader:
    limits = OcrLimits(settings.load_memory_mb, settings.ocr_timeout_s)
    return OcrReader(path, loaded.media_type, limits, vision_model(settings))


def _with_pages(loaded: Loaded, read: Mapping[int, PageRead]) -> Loaded:
    pages = [_page(page, read.get(page.number or 0)) for page in loaded.pages]
    others = [each for each in loaded.warnings if each.code != "unreadable_page" or (each.page or 0) not in {0, *read}]
    unread = [
        Notice("unreadable_page", page.unreadable, page=number)
        for number, page in sorted(read.items())
        if page.unreadable is not None
    ]
    return replace(loaded, pages=pages, warnings=bounded([*others, *unread]))


def _page(page: Page, read: PageRead | None) -> Page:
    if read is None:
        return page
    if read.unreadable is not None:
        # Of a page that is mostly a picture the few words that are text stay.
        return replace(page, source="unreadable" if not page.text else page.source)
    # What OCR finds no words in may still have a few that are text.
    text = read.text or page.text
    pictures = tuple(replace(each, start=len(text), stop=len(text)) for each in page.pictures)
    return Page(page.number, text, "ocr", pictures=pictures)


def _counts(loaded: Loaded, read: Mapping[int, PageRead]) -> PageCounts:
    """Count the pages that are read so far; those still to come are unreadable ones."""
    sources = [_page(page, read.get(page.number or 0)).source for page in loaded.pages]
    return PageCounts(text=sources.count("text"), ocr=sources.count("ocr"), unreadable=sources.count("unreadable"))
