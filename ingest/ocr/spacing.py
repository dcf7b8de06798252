"""Finds the spaces of a line in its ink.

Tesseract's Korean model puts a space between any two syllables; and its boxes of characters are rough, but the blank
between two words can be seen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.language.hangul import HAS_HANGUL
from ingest.ocr.tesseract import Symbol

Ink = NDArray[np.bool_]
# Of a syllable's height: by how much the widest blank inside words is wider than the usual one; it depends on the font.
INSIDE = (0.06, 0.24)
USUAL_GAP = 0.15
MIN_PAIRS = 4
# So many of a hundred gaps between syllables are surely inside words.
INSIDE_WORDS = 40


@dataclass(frozen=True, slots=True)
class Word:
    """In pixels, the origin at the top left."""

    text: str
    left: int
    top: int
    right: int
    bottom: int


def words_of(symbols: Sequence[Symbol], ink: Ink) -> list[Word]:
    """Return the words of a line; `ink` is the picture's dark pixels."""
    words, word = [], [symbols[0]]
    for symbol, parted in zip(symbols[1:], _parted(symbols, ink), strict=True):
        if parted:
            words.append(_word(word))
            word = []
        word.append(symbol)
    return [*words, _word(word)]


def _word(symbols: Sequence[Symbol]) -> Word:
    sides = zip(*((each.left, each.top, each.right, each.bottom) for each in symbols), strict=True)
    left, top, right, bottom = sides
    return Word("".join(each.text for each in symbols), min(left), min(top), max(right), max(bottom))


def _parted(symbols: Sequence[Symbol], ink: Ink) -> Iterator[bool]:
    """Say of each symbol after the first whether a space precedes it. In Latin words Tesseract's spaces are right."""
    syllables = [each for each in symbols if HAS_HANGUL.match(each.text)]
    if not syllables:
        yield from (each.begins_word for each in symbols[1:])
        return
    gaps = _gaps(symbols, ink)
    height = float(np.median([each.bottom - each.top for each in syllables]))
    pairs = list(pairwise(symbols))
    between = [gap for gap, pair in zip(gaps, pairs, strict=True) if all(HAS_HANGUL.match(each.text) for each in pair)]
    widest = _widest_inside(between, height)
    for gap, (before, after) in zip(gaps, pairs, strict=True):
        if HAS_HANGUL.match(before.text) or HAS_HANGUL.match(after.text):
            yield gap > widest
        else:
            yield after.begins_word and gap > widest / 2


def _widest_inside(between: Sequence[int], height: float) -> float:
    """Return how wide a blank inside a word may be: the middle of the widest step between the line's own blanks."""
    usual = float(np.percentile(between, INSIDE_WORDS)) if len(between) >= MIN_PAIRS else USUAL_GAP * height
    low, high = (usual + share * height for share in INSIDE)
    widths = np.sort([low, high, *(gap for gap in between if low < gap < high)])
    step = int(np.diff(widths).argmax())
    return float(widths[step] + widths[step + 1]) / 2


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
