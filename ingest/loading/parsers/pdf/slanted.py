"""Text aslant, such as a watermark: a line of it is one word, and has no place among the lines of the page."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from app.storage.origins import MADE
from ingest.loading.parsers.pdf.rulings import Box
from ingest.loading.parsers.pdf.words import Word

# Of the height of a character, about: from its middle to that of the next one.
SAME_LINE, NEXT_CHARACTER, NEXT_WORD = 0.5, 1.25, 3.0
# Of a character's box, its width and height together, if it were upright.
BOX = 1.8


def lines_of_slanted(words: Sequence[Word], text: str, box_of: Callable[[int], Box]) -> Iterator[Word]:
    """Yield the words, those of one slanted line as one. `text` is that of the page, `box_of` tells where one of its
    characters stands."""
    line: list[tuple[str, Word]] = []
    for word in words:
        between = _between(line[-1][1], word, text, box_of) if line else None
        if line and between is None:
            yield _joined(line)
            line = []
        line.append((between or "", word))
    if line:
        yield _joined(line)


def _between(before: Word, word: Word, text: str, box_of: Callable[[int], Box]) -> str | None:
    """Return what stands between the two, None if they are not on one slanted line."""
    slant = word.style.slant
    if not slant or before.style.slant != slant:
        return None
    end, start = before.sources[-1], word.sources[0]
    gap = text[end + 1 : start]
    distance = _distance(box_of(end), box_of(start), slant)
    if distance is None:
        return None
    if gap.strip(" "):
        return "" if distance < NEXT_CHARACTER else " "
    return gap[:1]


def _distance(before: Box, after: Box, slant: int) -> float | None:
    """Return how far the second character stands from the first, in heights, None if it is not the next on the line."""
    along, across = math.cos(math.radians(slant)), math.sin(math.radians(slant))
    x, y = (after[0] + after[2] - before[0] - before[2]) / 2, (before[1] + before[3] - after[1] - after[3]) / 2
    size = before[2] - before[0] + before[3] - before[1]
    height = max(size / (BOX * (abs(along) + abs(across))), 0.1)
    distance = (x * along + y * across) / height
    return distance if abs(y * along - x * across) < SAME_LINE * height and 0 < distance < NEXT_WORD else None


def _joined(line: Sequence[tuple[str, Word]]) -> Word:
    """Return a word of those of the line, each with what stands before it."""
    words = [word for _, word in line]
    return replace(
        words[0],
        text="".join(f"{before}{word.text}" for before, word in line),
        sources=[at for before, word in line for at in (*[MADE] * len(before), *word.sources)],
        x0=min(each.x0 for each in words),
        top=min(each.top for each in words),
        x1=max(each.x1 for each in words),
        bottom=max(each.bottom for each in words),
        last=words[-1].last,
        wrong=any(each.wrong for each in words),
    )
