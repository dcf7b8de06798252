"""Marks what stands beside a text, in the language of what it says: `[Comment: …]`, `[메모: …]`."""

from __future__ import annotations

import re

# What is left of a line where a page number stood.
PAGE_WORDS = re.compile(r"(?:page|pages|p|of|쪽|페이지|면|전체|총|중|[\W_])*", re.IGNORECASE)
HANGUL = re.compile("[\uac00-\ud7a3]")
KOREAN = {
    "Comment": "메모",
    "Footnote": "각주",
    "Endnote": "미주",
    "Hidden comment": "숨은 설명",
    "Notes": "슬라이드 노트",
    "Hidden": "숨김",
    "Picture": "그림",
    "Header": "머리글",
    "Footer": "바닥글",
}


def mark_of(kind: str, text: str) -> str:
    return f"[{KOREAN[kind] if HANGUL.search(text) else kind}]"


def marked(kind: str, text: str, number: str = "") -> str:
    return f"{mark_of(kind, text)[:-1]}{f' {number}' if number else ''}: {text.strip()}]"
