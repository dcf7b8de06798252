"""Reads PDF page by page with PDFium."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.refusals import CORRUPT, ENCRYPTED


def read(path: Path) -> tuple[str | None, list[str]]:
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
        pages = [page.get_textpage().get_text_bounded() for page in document]
        return document.get_metadata_dict().get("Title"), pages
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ENCRYPTED from None
        raise CORRUPT from None
