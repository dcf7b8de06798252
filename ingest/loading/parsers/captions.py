"""Knows how the captions of pictures begin: `Figure 1 …`, `[그림 2-1]`, but not a sentence about one (`그림 1은 …`)."""

from __future__ import annotations

import re

BEGINNING = re.compile(
    r"\s*[<\[(〈《【]?\s*(?:fig(?:ure|\.)?|photo(?:graph)?|picture|plate|chart|diagram|그림|사진|도표)\s*"
    r"\d+(?:[-.]\d+)*(?!\w)",
    re.IGNORECASE,
)


def begins_caption(text: str) -> bool:
    return BEGINNING.match(text) is not None
