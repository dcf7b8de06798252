"""Finds the captions of a page's pictures: lines right below them, or right above, that begin as captions do."""

from __future__ import annotations

from collections.abc import Sequence

from ingest.loading.parsers.captions import begins_caption
from ingest.loading.parsers.pdf.habits import Habits
from ingest.loading.parsers.pdf.lines import Line, joined, lines_of
from ingest.loading.parsers.pdf.pieces import written
from ingest.loading.parsers.pdf.rulings import Box
from ingest.loading.parsers.pdf.words import Word

# Of the height of a line: from the picture to its caption, and from one line of that to the next.
NEAR, GOES_ON = 2.5, 0.6
MAX_LINES = 4


def caption_of(picture: Box, words: Sequence[Word], habits: Habits) -> str:
    """Return it, empty if there is none."""
    left, top, right, bottom = picture
    beside = [word for word in words if word.x0 < right and word.x1 > left]
    below = lines_of([word for word in beside if word.top + word.bottom > 2 * bottom])
    above = lines_of([word for word in beside if word.top + word.bottom < 2 * top])[::-1]
    lines = _below(below, bottom) or _above(above, top)
    return written(joined(lines, habits)).text if lines else ""


def _below(lines: Sequence[Line], bottom: float) -> list[Line]:
    first = lines[:1]
    if not first or first[0].top - bottom > NEAR * first[0].height or not _begins(first[0]):
        return []
    return _close(lines)


def _above(lines: Sequence[Line], top: float) -> list[Line]:
    """Return it; `lines` go upwards."""
    if not lines or top - lines[0].bottom > NEAR * lines[0].height:
        return []
    close = _close(lines)
    begins = next((number for number, line in enumerate(close) if _begins(line)), None)
    return [] if begins is None else close[begins::-1]


def _close(lines: Sequence[Line]) -> list[Line]:
    """Return the first of the lines, with those that stand close to the one before."""
    taken = list(lines[:1])
    for line in lines[1:MAX_LINES]:
        gap = max(line.top, taken[-1].top) - min(line.bottom, taken[-1].bottom)
        if gap > GOES_ON * line.height:
            break
        taken.append(line)
    return taken


def _begins(line: Line) -> bool:
    return begins_caption(" ".join(word.text for word in line.words))
