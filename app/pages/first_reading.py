"""Where the text that version 0.1 read from a page of a PDF stands on it. Runs only in the child.

Version 0.1 kept chunks and no places. It took the text as PDFium gives it, so that is read again here, and counts only
if it is the same: all chunks of the page lie in it at one distance, and it has the page's characters and no others.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

Chunk = tuple[int, str]
"""(where it begins in the document's text, what it says)"""
Run = tuple[int, str]


class FirstReading(NamedTuple):
    """The document's text[start:end] on a page of these chunks."""

    chunks: Sequence[Chunk]
    start: int
    end: int


LINE_ENDS = ("\r\n", "\r", "\v", "\f", "\u2028")
UNWANTED = re.compile("[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff\ufeff\ufffe\uffff]")


def characters(said: str, codes: Sequence[int], chunks: Sequence[Chunk], start: int, end: int) -> list[Run] | None:
    """Return which of the page's characters the document's text[start:end] is, as runs of (number of the first, text).

    `said` is the page's text by PDFium, `codes` are those of its characters. None if it is not what the chunks say.
    """
    text = _cleaned(said)
    begins = _beginning(text, chunks)
    numbers = None if begins is None else _numbers(codes, text)
    if begins is None or numbers is None:
        return None
    found = [(at, numbers[at]) for at in range(max(0, start - begins), min(len(text), end - begins)) if at in numbers]
    # What follows one another in both.
    runs = [list(run) for _, run in groupby(found, key=lambda each: each[1] - each[0])]
    return [(run[0][1], text[run[0][0] : run[-1][0] + 1]) for run in runs]


def _cleaned(text: str) -> str:
    """Clean it as version 0.1 did."""
    for line_end in LINE_ENDS:
        text = text.replace(line_end, "\n")
    return unicodedata.normalize("NFC", UNWANTED.sub("", text.replace("\u2029", "\n\n")))


def _beginning(text: str, chunks: Sequence[Chunk]) -> int | None:
    """Return where the page begins in the document's text; None if no place fits all chunks, or several do."""
    if not chunks:
        return None
    (start, content), fitting = chunks[0], list[int]()
    at = text.find(content)
    while at >= 0 and len(fitting) < 2:
        begins = start - at
        if all(place >= begins and text.startswith(said, place - begins) for place, said in chunks):
            fitting.append(begins)
        at = text.find(content, at + 1)
    return fitting[0] if len(fitting) == 1 else None


def _numbers(codes: Sequence[int], text: str) -> dict[int, int] | None:
    """Return the number on the page of each character of the text that is not white; None if the page has others."""
    drawn = [(number, chr(code)) for number, code in enumerate(codes) if code]
    drawn = [(number, each) for number, each in drawn if not each.isspace() and not UNWANTED.match(each)]
    said = [(at, each) for at, each in enumerate(text) if not each.isspace()]
    if [each for _, each in drawn] != [each for _, each in said]:
        return None
    return {at: number for (at, _), (number, _) in zip(said, drawn, strict=True)}
