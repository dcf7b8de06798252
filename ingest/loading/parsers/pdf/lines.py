"""Lines of words, and how they join: exponents, hyphens, words broken between lines."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import attrgetter
from statistics import median

from ingest.loading.parsers.pdf.habits import HANGUL, Habits
from ingest.loading.parsers.pdf.pieces import Piece
from ingest.loading.parsers.pdf.words import OVERLAP, Word, is_exponent, without_hyphen

LEFT, TOP, RIGHT, BOTTOM = map(attrgetter, ("x0", "top", "x1", "bottom"))
# Of the height of a line.
CORE = 0.25
TOUCHING = 0.15

IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
LEADER = re.compile(r"(?:[.·…]\s?){4,}")


@dataclass
class Line:
    """`alone`: it is not joined to its neighbours."""

    words: list[Word]
    x0: float
    top: float
    x1: float
    bottom: float
    alone: bool = False

    @cached_property
    def height(self) -> float:
        return median([word.height for word in self.words])


def line_of(words: Iterable[Word], *, alone: bool = False) -> Line:
    ordered = sorted(words, key=LEFT)
    return Line(
        ordered,
        ordered[0].x0,
        min(map(TOP, ordered)),
        max(map(RIGHT, ordered)),
        max(map(BOTTOM, ordered)),
        alone,
    )


def has_leader(words: Iterable[Word]) -> bool:
    """Whether dots lead from one word to another, as in a table of contents."""
    return LEADER.search(" ".join(word.text for word in words)) is not None


def lines_of(words: Sequence[Word]) -> list[Line]:
    """Return the words of one column as lines."""
    lines: list[list[Word]] = []
    middle = 0.0
    for word in sorted(words, key=lambda word: word.top + word.bottom):
        core = CORE * word.height
        if lines and word.top + core < middle < word.bottom - core:
            lines[-1].append(word)
            continue
        lines.append([word])
        middle = (word.top + word.bottom) / 2
    return [line_of(line) for line in lines]


def pieces_of(line: Line) -> list[Piece]:
    pieces: list[Piece] = []
    before: Word | None = None
    for word in line.words:
        if before is not None:
            pieces += _between(before, word)
        pieces.append(word)
        before = word
    return pieces


def _between(before: Word, after: Word) -> tuple[str, ...]:
    height = before.height if before.height > after.height else after.height
    gap = after.x0 - before.x1
    follows = after.sources[0] - before.sources[-1]
    if is_exponent(before, after) and -OVERLAP * height < gap < TOUCHING * height:
        return ("^",)
    if follows in (2, 3) or not -OVERLAP * height < gap < (2 if follows == 1 else 1) * TOUCHING * height:
        return (" ",)
    return ()


def joined(lines: Sequence[Line], habits: Habits) -> list[Piece]:
    """Join lines of running text."""
    pieces: list[Piece] = []
    for line in lines:
        pieces = continued(pieces, pieces_of(line), habits)
    return pieces


def continued(pieces: list[Piece], more: Sequence[Piece], habits: Habits) -> list[Piece]:
    """Join what follows, which begins with a word, to a text that ends with one."""
    if pieces and isinstance(more[0], Word):
        pieces.extend(_joint(pieces, more[0], habits))
    pieces.extend(more)
    return pieces


def _joint(pieces: list[Piece], after: Word, habits: Habits) -> Iterator[str]:
    before = pieces[-1]
    assert isinstance(before, Word)
    if habits.breaks(before.text, after.text):
        pieces[-1] = without_hyphen(before)
    elif not _one_word(before, after, habits):
        yield " "


def _one_word(before: Word, after: Word, habits: Habits) -> bool:
    if before.spaced:
        return False
    last, first = before.text[-1], after.text[0]
    if habits.parts_syllables(before, after):
        return True
    if habits.spaced and (HANGUL.match(last) or HANGUL.match(first)) and (last.isalnum() and first.isalnum()):
        return True
    parted = len(before.text) > 1 and last in "-\u2010/" and first.isalnum()
    return parted or (IDEOGRAPH.match(last) is not None and IDEOGRAPH.match(first) is not None)
