"""The codes of notices: what a document holds that its text does not."""

from __future__ import annotations

from typing import Literal

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
