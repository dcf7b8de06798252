"""Tells hidden text from what a reader of the page sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ingest.loading.parsers.pdf.rulings import Box, Rulings
from ingest.loading.parsers.pdf.words import Word

TINY = 2.0
# Invisible text over a picture of this share of the page is what OCR read in it.
SCANNED = 0.3
MAX_PAINTED = 1000


def parted(
    words: Sequence[Word], drawn: Rulings, page: Box, is_plain: Callable[[Word], bool]
) -> tuple[list[Word], list[Word]]:
    """Return (the words that are seen, those that are hidden). `is_plain`: whether nothing is seen where a word is."""
    painted = sorted(drawn.painted, key=_area)[-MAX_PAINTED:]
    scanned = sum(map(_area, drawn.pictures)) > SCANNED * _area(page)
    left, above, right, below = page
    seen: list[Word] = []
    hidden: list[Word] = []
    for word in words:
        x, y = (word.x0 + word.x1) / 2, (word.top + word.bottom) / 2
        is_hidden = (
            word.height < TINY
            or not (left <= x <= right and above <= y <= below)
            or (word.style.invisible and not scanned)
            or (word.style.white and not any(_holds(box, x, y) for box in painted) and is_plain(word))
        )
        (hidden if is_hidden else seen).append(word)
    return seen, hidden


def _area(box: Box) -> float:
    x0, top, x1, bottom = box
    return (x1 - x0) * (bottom - top)


def _holds(box: Box, x: float, y: float) -> bool:
    x0, top, x1, bottom = box
    return x0 <= x <= x1 and top <= y <= bottom
