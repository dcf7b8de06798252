"""Joins the lines of a column to paragraphs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from statistics import median

from ingest.loading.parsers.pdf.habits import HYPHENATED, Habits
from ingest.loading.parsers.pdf.layout import MARKER
from ingest.loading.parsers.pdf.lines import Line, has_leader, joined
from ingest.loading.parsers.pdf.pieces import Piece

# Of the height of a line.
SPACE = 0.3
WIDER = 1.35
APART = 0.25
FAR = 1.0
INDENT = 0.8
MANY = 0.3
FEW = 4
SAME_SIZE = 0.87

# What the pieces of a paragraph begin with.
PARAGRAPH = ""

NUMBERS = re.compile(r"\d+")
ITEM_STARTS = frozenset("①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳※•▪●■◆○□")


def paragraphs(lines: Sequence[Line], full: float) -> Iterator[list[list[Line]]]:
    """Yield paragraphs, each as lines of text that are parted by line ends. A few lines do not show where lines are
    full."""
    right = _right_edge(lines) if len(lines) >= FEW else max(full, _right_edge(lines))
    pitches = [after.top - before.top for before, after in pairwise(lines)]
    usual = median(pitches) if len(pitches) > 2 else 0.0
    paragraph = [[lines[0]]]
    for before, after in pairwise(lines):
        if _parted(before, after, usual):
            yield paragraph
            paragraph = [[after]]
        elif before.alone or after.alone or _ends(before, after, right):
            paragraph.append([after])
        else:
            paragraph[-1].append(after)
    yield paragraph


def _right_edge(lines: Sequence[Line]) -> float:
    """Return where lines are full: the place at which many end, if there is one."""
    edges = Counter(round(2 * line.x1 / max(line.height, 1)) for line in lines)
    edge, count = edges.most_common(1)[0]
    ends = [line.x1 for line in lines if count < MANY * len(lines) or round(2 * line.x1 / max(line.height, 1)) == edge]
    return max(ends)


def pieces_of(paragraph: Sequence[Sequence[Line]], habits: Habits) -> list[Piece]:
    pieces: list[Piece] = []
    for lines in paragraph:
        pieces.append("\n" if pieces else PARAGRAPH)
        pieces.extend(joined(lines, habits))
    return pieces


def _parted(before: Line, after: Line, usual: float) -> bool:
    height = min(before.height, after.height)
    gap, pitch = after.top - before.bottom, after.top - before.top
    if height < SAME_SIZE * max(before.height, after.height) or pitch < 0:
        return True
    return pitch > WIDER * usual and gap > APART * height if usual else gap > FAR * height


def _is_indented(before: Line, after: Line) -> bool:
    """Whether the line begins further right, but not under the text of an item of a list."""
    indent = INDENT * before.height
    hanging = len(before.words) > 1 and MARKER.fullmatch(before.words[0].text) is not None
    return after.x0 - before.x0 > indent and not (hanging and abs(after.x0 - before.words[1].x0) < indent)


def _ends(before: Line, after: Line, right: float) -> bool:
    """Whether the line ends by itself: the next word would have fitted, or an item of a list begins."""
    first = after.words[0]
    if HYPHENATED.fullmatch(before.words[-1].text) and first.text[0].islower():
        return False
    room = right - before.x1
    return (
        room > first.x1 - first.x0 + SPACE * before.height
        or _is_indented(before, after)
        or MARKER.fullmatch(first.text) is not None
        or first.text[0] in ITEM_STARTS
        or has_leader(before.words)
        or _is_alike(before, after)
    )


def is_full(column: Sequence[Line], after: Sequence[Line]) -> bool:
    """Whether the last line of a column is full, so that its text may go on at the top of the column beside it."""
    last, first = column[-1], after[0].words[0]
    right = _right_edge(column) if len(column) >= FEW else max(line.x1 for line in column)
    beside = min(line.x0 for line in after) > max(line.x1 for line in column) and after[0].top < last.top
    fits = right - last.x1 > first.x1 - first.x0 + SPACE * last.height
    marked = MARKER.fullmatch(first.text) is not None or first.text[0] in ITEM_STARTS
    return beside and not (fits or marked or last.alone or after[0].alone or has_leader(last.words))


def _is_alike(before: Line, after: Line) -> bool:
    """Whether the lines differ in nothing but numbers, as those of a list do."""
    return len(before.words) == len(after.words) and all(
        NUMBERS.sub("0", one.text) == NUMBERS.sub("0", other.text)
        for one, other in zip(before.words, after.words, strict=True)
    )
