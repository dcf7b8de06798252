"""What of a document was read: how many pages, and notices of what its text lacks."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

NoticeCode = Literal[
    "unreadable_page",
    "picture_without_text",
    "attachment_skipped",
    "embedded_object_skipped",
    "hidden_part_skipped",
    "charset_guessed",
    "formula_without_value",
    "macro_skipped",
    "truncated",
]
NOTICES: dict[NoticeCode, str] = {
    "unreadable_page": "A page holds no text that can be read: it is a scan, or its font does not say which letters.",
    "picture_without_text": "Words in a picture were not read.",
    "attachment_skipped": "An attachment or a member of an archive was not read.",
    "embedded_object_skipped": "An object of another program inside the document was not read.",
    "hidden_part_skipped": "Hidden text, rows, sheets or slides were left out: `KYUJANG_HIDDEN_PARTS=mark` reads them.",
    "charset_guessed": "The file does not say how its characters are encoded, so Kyujang guessed.",
    "formula_without_value": "A cell's formula has no stored result, so the cell is empty.",
    "macro_skipped": "Macros were not read.",
    "truncated": "Something was longer, deeper or more than is read, and was cut.",
}


# Which pages OCR reads: those without text of their own, none, or every one.
OcrMode = Literal["auto", "never", "force"]


class PageCounts(TypedDict):
    """Pages, sheets or slides, by what their text was read from."""

    text: int
    ocr: int
    unreadable: int


# Of a document `d`; the first part is what the index holds.
HAS_NOTICE = "d.warnings <> '[]' and d.warnings @> jsonb_build_array(jsonb_build_object('code', %(warning)s::text))"


def codes(warnings: list[dict[str, Any]]) -> frozenset[str]:
    return frozenset(each["code"] for each in warnings)
