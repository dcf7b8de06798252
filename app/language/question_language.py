"""Tell in which language a question is asked, whatever words of the other it holds. Pure.

A foreign name or term changes nothing: English shows by its function words, Korean by its particles and endings, the
last word's above all.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from app.language.content_words import ENGLISH_FUNCTION_WORDS, without_ending
from app.language.hangul import HAS_HANGUL, SYLLABLES

Language = Literal["ko", "en"]
OTHER: Mapping[Language, Language] = {"ko": "en", "en": "ko"}

WORD = re.compile(rf"(?P<hangul>[{SYLLABLES}]+)|[A-Za-z][A-Za-z'’]*")
ENGLISH_WORD = re.compile(ENGLISH_FUNCTION_WORDS + "|please|tell|me", re.IGNORECASE)
# A Korean question ends in its verb or particle.
LAST = 2
MAX_CHARACTERS = 2000


def language_of(text: str) -> Language:
    """Return English where its grammar shows more; else Korean as soon as there is Hangul."""
    if not HAS_HANGUL.search(text):
        return "en"
    words = list(WORD.finditer(text[:MAX_CHARACTERS]))
    english = sum(ENGLISH_WORD.fullmatch(word[0]) is not None for word in words)
    korean = sum(_is_inflected(word) for word in words)
    if words and words[-1]["hangul"] and _is_inflected(words[-1]):
        korean += LAST
    return "en" if english > korean else "ko"


def _is_inflected(word: re.Match[str]) -> bool:
    hangul = word["hangul"]
    glued = word.string[word.start() - 1 : word.start()].isalnum()
    return bool(hangul) and (glued or without_ending(hangul, glued=False) != hangul)
