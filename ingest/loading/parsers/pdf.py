"""Reads PDF page by page with PDFium."""

from __future__ import annotations

from pathlib import Path

from ingest.loading.parsed import Options, Page, Parsed
from ingest.loading.parsers.titles import meant
from ingest.loading.refusals import CORRUPT, ENCRYPTED


def read(path: Path, _: Options) -> Parsed:
    import pypdfium2

    try:
        # By a path it would look for the name of the file, which a sandboxed process may not reach.
        document = pypdfium2.PdfDocument(path.read_bytes())
        texts = [page.get_textpage().get_text_bounded() for page in document]
        title = meant(document.get_metadata_dict().get("Title"))
        return Parsed(title, [Page(number, text) for number, text in enumerate(texts, start=1)])
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ENCRYPTED from None
        raise CORRUPT from None
