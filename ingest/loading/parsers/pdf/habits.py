"""What the program that made a page does at the ends of lines."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.loading.parsers.pdf.words import Word

HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]")
# Programs that break words by themselves write the last two.
HYPHENATED = re.compile(r".*[a-zà-ÿ][-\u00ad\u2010]")
AROUND = re.compile(r"^\W+|\W+$")
# A hyphen or two at the ends of lines are those of words like `well-known`.
MIN_HYPHENS = 3
MIN_LETTERS = 4
# Of the lines that end in Hangul.
MANY_SPACES = 0.2


@dataclass(frozen=True, slots=True)
class Habits:
    """`spaced`: lines end with a space where a word ends; `hyphenates`: words are broken with a hyphen; `words` are
    those of the page."""

    spaced: bool
    hyphenates: bool
    words: frozenset[str]

    def breaks(self, before: Word, after: Word) -> bool:
        """Whether the hyphen that ends the first word is there only because the line ends."""
        if not HYPHENATED.fullmatch(before.text) or not after.text[:1].islower():
            return False
        if before.text.endswith(("\u00ad", "\u2010")) or _plain(before.text[:-1] + after.text) in self.words:
            return True
        rest = _plain(after.text)
        return self.hyphenates and not (len(rest) >= MIN_LETTERS and rest in self.words)


def habits_of(words: Sequence[Word]) -> Habits:
    last = [word for word in words if word.last]
    hangul = [word for word in last if HANGUL.match(word.text[-1])]
    spaced = sum(word.spaced for word in hangul) >= MANY_SPACES * len(hangul) > 0
    # After a hyphen PDFium ends no line. What follows one may be no word of its own.
    hyphens = [HYPHENATED.fullmatch(word.text) is not None for word in words]
    whole = (word for word, broken in zip(words, [False, *hyphens], strict=False) if not broken)
    usual = sum(broken and word.text[-1] == "-" for word, broken in zip(words, hyphens, strict=True))
    return Habits(spaced, usual >= MIN_HYPHENS, frozenset(_plain(word.text) for word in whole))


def _plain(text: str) -> str:
    return AROUND.sub("", text).lower()
