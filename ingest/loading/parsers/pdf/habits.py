"""What the program that made a page does at the ends of lines."""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from dataclasses import dataclass
from itertools import pairwise

from ingest.loading.parsers.pdf.words import Word

HANGUL = re.compile(r"[가-힣ㄱ-ㆎ]")
# Programs that break words by themselves write the last two.
HYPHENS = "-\u00ad\u2010"
HYPHENATED = re.compile(rf".*[a-zà-ÿ][{HYPHENS}]")
AROUND = re.compile(r"^\W+|\W+$")
# A hyphen or two at the ends of lines are those of words like `well-known`.
MIN_HYPHENS = 3
MIN_LETTERS = 4
# Endings of Korean words that hardly ever stand alone. A line that begins with one begins within a word.
ENDING = re.compile(
    "[을를은는의에와과며까니던들]|으로(?:써|서)?|에서는?|에게|에[는도]|까지|부터|처럼|보다|이[다며]|(?:습|입)?니다|[였었았했]다|(?:하였|되었)다"
)
# Words of one syllable.
ALONE = frozenset("그이수것등및때중한두세네더또안못잘뒤후전위곳점데바줄채간내외각총첫몇제약새년월일명개온옛")
# Of the lines that end and go on in Hangul: more begin with endings only where lines break within words.
MANY_ENDINGS = 0.03
# Of the lines that end in Hangul.
MANY_SPACES = 0.2


@dataclass(frozen=True, slots=True)
class Habits:
    """`spaced`: lines end with a space where a word ends; `hyphenates`: words are broken with a hyphen; `words` are
    those of the page."""

    spaced: bool
    hyphenates: bool
    words: Set[str]
    syllables: bool = False
    """Whether lines break within Korean words, as browsers have it, and the file does not say where."""
    inner: Set[str] = frozenset()
    """The words that neither end nor begin a line."""

    def parts_syllables(self, before: Word, after: Word) -> bool:
        """Whether a line ends within a Korean word, as far as the other words tell."""
        if not self.syllables or not (HANGUL.match(before.text[-1]) and HANGUL.match(after.text[0])):
            return False
        one, two = _plain(before.text), _plain(after.text)
        if ENDING.fullmatch(two) or one + two in self.inner:
            return True
        if len(two) == 1:
            return two not in ALONE
        return not any(len(each) > 1 and each in self.inner for each in (one, two))

    def breaks(self, before: str, after: str) -> bool:
        """Whether the hyphen that ends the first word is there only because the line ends."""
        if not HYPHENATED.fullmatch(before) or not after[:1].islower():
            return False
        if before.endswith(("\u00ad", "\u2010")) or _plain(before[:-1] + after) in self.words:
            return True
        rest = _plain(after)
        return self.hyphenates and not (len(rest) >= MIN_LETTERS and rest in self.words)


def habits_of(words: Sequence[Word], known: set[str]) -> Habits:
    """Find them. `known` has the words of earlier pages that neither end nor begin a line, and gets those of this."""
    last = [word for word in words if word.last]
    plain = [_plain(word.text) for word in words]
    hangul = [word for word in last if HANGUL.match(word.text[-1])]
    spaced = sum(word.spaced for word in hangul) >= MANY_SPACES * len(hangul) > 0
    # After a hyphen PDFium ends no line. What follows one may be no word of its own.
    hyphens = [word.text[-1:] in HYPHENS and HYPHENATED.fullmatch(word.text) is not None for word in words]
    whole = (text for text, broken in zip(plain, [False, *hyphens], strict=False) if not broken)
    usual = sum(broken and word.text[-1] == "-" for word, broken in zip(words, hyphens, strict=True))
    first = [True, *(word.last for word in words)]
    inner = (text for text, word, begins in zip(plain, words, first, strict=False) if not (word.last or begins))
    known.update(inner)
    begun = [
        ENDING.fullmatch(text) is not None
        for (one, two), text in zip(pairwise(words), plain[1:], strict=True)
        if one.last and HANGUL.match(one.text[-1]) and HANGUL.match(two.text[0])
    ]
    syllables = not spaced and any(begun) and sum(begun) >= MANY_ENDINGS * len(begun)
    return Habits(spaced, usual >= MIN_HYPHENS, frozenset(whole), syllables, known)


def _plain(text: str) -> str:
    return (text if text.isalnum() else AROUND.sub("", text)).lower()
