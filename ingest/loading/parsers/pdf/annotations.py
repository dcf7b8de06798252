"""Reads what is written into form fields and annotations, which are drawn on a page but are no part of its text."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from app.storage.origins import MADE
from ingest.loading.parsers.pdf.appearances import drawn_texts
from ingest.loading.parsers.pdf.rulings import Box
from ingest.loading.parsers.pdf.words import Style, Word

MAX_ANNOTATIONS = 5_000
MAX_OPTIONS = 1_000
MAX_UNITS = 1 << 20
LINE_HEIGHT = 14.0
PASSWORD = 1 << 13


@dataclass(slots=True)
class Annotations:
    words: list[Word] = field(default_factory=list)
    """Values of form fields and texts drawn on the page, each line as one word at its place."""
    comments: list[str] = field(default_factory=list)
    files: int = 0


def read_annotations(page: Any, index: int, forms: Any, turn: Callable[[Box], Box], angle: int) -> Annotations:
    import pypdfium2.raw as pdfium

    found = Annotations()
    unsaid: dict[int, Box] = {}
    style = Style(angle, 0, invisible=False, white=False)
    unseen = pdfium.FPDF_ANNOT_FLAG_HIDDEN | pdfium.FPDF_ANNOT_FLAG_NOVIEW
    for number in range(min(pdfium.FPDFPage_GetAnnotCount(page), MAX_ANNOTATIONS)):
        annotation = pdfium.FPDFPage_GetAnnot(page, number)
        if not annotation:
            continue
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        is_seen = not pdfium.FPDFAnnot_GetFlags(annotation) & unseen
        if not is_seen:
            text = ""
        elif kind == pdfium.FPDF_ANNOT_WIDGET:
            text = _value(annotation, forms)
        else:
            text = _string(partial(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
        if kind in (pdfium.FPDF_ANNOT_WIDGET, pdfium.FPDF_ANNOT_FREETEXT):
            found.words.extend(_placed(text, turn(_rect(annotation)), style))
            if is_seen and not text.strip() and kind == pdfium.FPDF_ANNOT_FREETEXT:
                unsaid[number] = _rect(annotation)
        elif kind == pdfium.FPDF_ANNOT_FILEATTACHMENT:
            found.files += 1
        elif kind not in (pdfium.FPDF_ANNOT_LINK, pdfium.FPDF_ANNOT_POPUP) and text.strip():
            found.comments.append(" ".join(text.split()))
        pdfium.FPDFPage_CloseAnnot(annotation)
    drawn = drawn_texts(page.pdf, index, unsaid) if unsaid else {}
    for number, text in drawn.items():
        found.words.extend(_placed(text, turn(unsaid[number]), style))
    return found


def _value(annotation: Any, forms: Any) -> str:
    import pypdfium2.raw as pdfium

    if forms is None:
        return _string(partial(pdfium.FPDFAnnot_GetStringValue, annotation, b"V"))
    kind = pdfium.FPDFAnnot_GetFormFieldType(forms, annotation)
    if kind in (pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON):
        return "☑" if pdfium.FPDFAnnot_IsChecked(forms, annotation) else "☐"
    read = (pdfium.FPDF_FORMFIELD_TEXTFIELD, pdfium.FPDF_FORMFIELD_COMBOBOX, pdfium.FPDF_FORMFIELD_LISTBOX)
    secret = (
        kind == pdfium.FPDF_FORMFIELD_TEXTFIELD and pdfium.FPDFAnnot_GetFormFieldFlags(forms, annotation) & PASSWORD
    )
    if kind not in read or secret:
        return ""
    shown = _chosen(annotation, forms) if kind != pdfium.FPDF_FORMFIELD_TEXTFIELD else ""
    return shown or _string(partial(pdfium.FPDFAnnot_GetFormFieldValue, forms, annotation))


def _chosen(annotation: Any, forms: Any) -> str:
    """Return what a list shows of the options chosen, whose values may be codes."""
    import pypdfium2.raw as pdfium

    options = range(min(pdfium.FPDFAnnot_GetOptionCount(forms, annotation), MAX_OPTIONS))
    chosen = [index for index in options if pdfium.FPDFAnnot_IsOptionSelected(forms, annotation, index)]
    return ", ".join(_string(partial(pdfium.FPDFAnnot_GetOptionLabel, forms, annotation, index)) for index in chosen)


def _string(read: Callable[[Any, int], int]) -> str:
    size = read(None, 0)
    if not 2 < size <= 2 * MAX_UNITS:
        return ""
    buffer = (ctypes.c_ushort * (size // 2))()
    read(buffer, size)
    return bytes(buffer)[: size - 2].decode("utf-16-le", "replace")


def _rect(annotation: Any) -> Box:
    import pypdfium2.raw as pdfium

    rect = pdfium.FS_RECTF()
    pdfium.FPDFAnnot_GetRect(annotation, rect)
    return (
        min(rect.left, rect.right),
        min(rect.bottom, rect.top),
        max(rect.left, rect.right),
        max(rect.bottom, rect.top),
    )


def _placed(text: str, box: Box, style: Style) -> Iterator[Word]:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    x0, top, x1, bottom = box
    pitch = min((bottom - top) / max(len(lines), 1), LINE_HEIGHT)
    first = (top + bottom - pitch) / 2 if len(lines) == 1 else top
    for number, line in enumerate(lines):
        start = first + number * pitch
        yield Word(line, [MADE] * len(line), x0, start, x1, start + pitch, style)
