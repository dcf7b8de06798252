"""Reads what annotations draw, where no entry of theirs says it in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ingest.loading.parsers.pdf.rulings import Box


def drawn_texts(document: Any, index: int, boxes: Mapping[int, Box]) -> dict[int, str]:
    """Return what annotations of a page, by their numbers, draw into their boxes: on a copy of the page that has
    nothing else, it becomes text."""
    import pypdfium2

    copy = pypdfium2.PdfDocument.new()
    try:
        copy.import_pages(document, [index])
        _leave(copy[0], boxes)
        text = copy[0].get_textpage()
        return {number: text.get_text_bounded(*box) for number, box in boxes.items()}
    except pypdfium2.PdfiumError:
        # What is damaged there takes no other text with it.
        return {}
    finally:
        copy.close()


def _leave(page: Any, numbers: Mapping[int, Box]) -> None:
    import pypdfium2.raw as pdfium

    for each in list(page.get_objects(max_depth=1)):
        page.remove_obj(each)
    page.gen_content()
    for number in reversed(range(pdfium.FPDFPage_GetAnnotCount(page))):
        if number not in numbers:
            pdfium.FPDFPage_RemoveAnnot(page, number)
    pdfium.FPDFPage_Flatten(page, pdfium.FLAT_NORMALDISPLAY)
    page.close()
