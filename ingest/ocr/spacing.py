"""Finds the spaces of a page's lines in their ink.

Tesseract's Korean model puts a space between any two syllables; and its boxes of characters are rough, but the blank
between two words can be seen. How wide it is depends on the font, so that all lines of the page are looked at together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.language.hangul import HAS_HANGUL
from ingest.ocr.tesseract import Symbol

Ink = NDArray[np.bool_]
# Of a syllable's height: by how much the blank between words is wider than the usual one inside words, at the least and
# at the most, and how far apart it is from any other.
WIDER = (0.06, 0.24)
STEP, APART = 0.005, 0.05
USUAL_GAP = 0.15
MIN_PAIRS = 4
# So many of a hundred gaps between syllables are surely inside words.
INSIDE_WORDS = 40


@dataclass(frozen=True, slots=True)
class MeasuredLine:
    """`gaps`: the blank after each symbol but the last, `height` that of a syllable, all in pixels; 0 without one."""

    symbols: Sequence[Symbol]
    gaps: Sequence[int]
    height: float

    def between_syllables(self) -> list[float]:
        """Return the gaps as shares of the height."""
        pairs = zip(self.gaps, pairwise(self.symbols), strict=True)
        return [gap / self.height for gap, pair in pairs if all(map(_is_hangul, pair))]


@dataclass(frozen=True, slots=True)
class Word:
    """In pixels, the origin at the top left."""

    text: str
    left: int
    top: int
    right: int
    bottom: int


def measured(symbols: Sequence[Symbol], ink: Ink) -> MeasuredLine:
    """Measure a line; `ink` is the picture's dark pixels."""
    heights = [each.bottom - each.top for each in symbols if _is_hangul(each)]
    return MeasuredLine(symbols, _gaps(symbols, ink), float(np.median(heights)) if heights else 0.0)


def widest_inside(lines: Iterable[MeasuredLine]) -> float:
    """Return how wide a blank inside a word may be, as a share of a syllable's height: the middle of the widths that
    are rarest on the page."""
    gaps = np.sort([gap for line in lines if line.height for gap in line.between_syllables()])
    usual = float(np.percentile(gaps, INSIDE_WORDS)) if len(gaps) >= MIN_PAIRS else USUAL_GAP
    widths = usual + np.arange(WIDER[0], WIDER[1], STEP)
    near = np.searchsorted(gaps, widths + APART / 2, "right") - np.searchsorted(gaps, widths - APART / 2)
    rarest = np.flatnonzero(near == near.min())
    longest = max(np.split(rarest, np.flatnonzero(np.diff(rarest) > 1) + 1), key=len)
    return float(widths[longest].mean())


def words_of(line: MeasuredLine, widest: float) -> list[Word]:
    words, word = [], [line.symbols[0]]
    for symbol, parted in zip(line.symbols[1:], _parted(line, widest * line.height), strict=True):
        if parted:
            words.append(_word(word))
            word = []
        word.append(symbol)
    return [*words, _word(word)]


def _is_hangul(symbol: Symbol) -> bool:
    return HAS_HANGUL.match(symbol.text) is not None


def _word(symbols: Sequence[Symbol]) -> Word:
    sides = zip(*((each.left, each.top, each.right, each.bottom) for each in symbols), strict=True)
    left, top, right, bottom = sides
    return Word("".join(each.text for each in symbols), min(left), min(top), max(right), max(bottom))


def _parted(line: MeasuredLine, widest: float) -> Iterator[bool]:
    """Say of each symbol after the first whether a space precedes it. In Latin words Tesseract's spaces are right, and
    a line of nothing else has no height."""
    for gap, (before, after) in zip(line.gaps, pairwise(line.symbols), strict=True):
        if _is_hangul(before) or _is_hangul(after):
            yield gap > widest
        else:
            yield after.begins_word and gap >= widest / 2


def _gaps(symbols: Sequence[Symbol], ink: Ink) -> list[int]:
    """Return the widest blank between the centres of each two neighbours."""
    # The boxes of some symbols reach into the next line.
    top = int(np.median([each.top for each in symbols]))
    bottom = int(np.median([each.bottom for each in symbols])) + 1
    blank = ~ink[max(0, top - 1) : bottom].any(axis=0)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], blank, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    centres = [_centre(each, after) for each, after in pairwise(symbols)]
    centres.append((symbols[-1].left + symbols[-1].right) / 2)
    gaps = []
    for before, after in pairwise(centres):
        widths = np.minimum(ends, after) - np.maximum(starts, before)
        gaps.append(max(0, int(widths.max(initial=0))))
    return gaps


def _centre(symbol: Symbol, after: Symbol) -> float:
    right = min(symbol.right, after.left) if after.left > symbol.left else symbol.right
    return (symbol.left + right) / 2
