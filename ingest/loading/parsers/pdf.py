"""Reads PDF page by page with PDFium."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.refusals import CORRUPT, ENCRYPTED


def read(path: Path) -> tuple[str | None, list[str]]:
    import pypdfium2

    try:
        # By a path it would look for the name of the file, which a sandboxed process may not reach.
        document = pypdfium2.PdfDocument(path.read_bytes())
        pages = [page.get_textpage().get_text_bounded() for page in document]
        return document.get_metadata_dict().get("Title"), pages
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ENCRYPTED from None
        raise CORRUPT from None
