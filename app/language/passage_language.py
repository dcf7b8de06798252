"""Tell in which language a passage is written, and mark it among its terms. Pure."""

from __future__ import annotations

import re

from app.language.hangul import SYLLABLES
from app.language.question_language import Language

HANGUL = re.compile(rf"[{SYLLABLES}]+")
LATIN = re.compile(r"[A-Za-z]+")
# A syllable says as much as two to three letters.
LETTERS = 2
# No word has this sign, so that no question asks for the mark.
MARKS: dict[Language, str] = {"ko": "=ko", "en": "=en"}


def language_mark(text: str) -> list[str]:
    """Return the mark of the language of most of the text; none where neither has a letter in it."""
    hangul, latin = (sum(map(len, script.findall(text))) for script in (HANGUL, LATIN))
    if not hangul and not latin:
        return []
    return [MARKS["ko" if LETTERS * hangul >= latin else "en"]]
