"""Finds the footnotes of a page: a sentence that goes on on the next page is not to end at them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from statistics import median

from app.language.sentences import goes_on
from ingest.loading.parsers.pdf.pieces import BLANK_LINE, Piece, Written, cut, joined_blocks
from ingest.loading.parsers.pdf.words import Word

# Of the height of the page's text.
SMALLER = 0.9
MARK = re.compile(r"(?:\[?\d{1,3}[\]).]?|\(\d{1,3}\)|주\d{0,3}\)|[①-⑳]|[*†‡§]{1,3})(?!\d)")


def first_note(blocks: Sequence[Sequence[Piece]]) -> int:
    """Return where the footnotes begin among the blocks of a page: small text below the others that has a mark."""
    heights = [[piece.height for piece in block if isinstance(piece, Word)] for block in blocks]
    usual = median([height for each in heights for height in each] or [0.0])
    first = found = len(blocks)
    while first > 1 and heights[first - 1] and median(heights[first - 1]) < SMALLER * usual:
        first -= 1
        word = next(piece for piece in blocks[first] if isinstance(piece, Word))
        found = first if MARK.match(word.text) else found
    return found


def in_order(body: Written, below: Written, following: str) -> Written:
    """Put what stands below the text of a page before its last paragraph, if that goes on in the `following` page."""
    place = body.text.rfind(BLANK_LINE.text)
    says_something = any(map(str.isalpha, below.text)) and not goes_on(below.text, following)
    if not says_something or place < 0 or not goes_on(body.text, following):
        return joined_blocks([body, below])
    after = place + len(BLANK_LINE.text)
    return joined_blocks([cut(body, 0, place), below, cut(body, after, len(body.text))])
