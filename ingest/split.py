"""Text to chunks that the embedding model sees whole, cut at sentence ends, exact in their offsets.

langchain-text-splitters is not used here: its token mode gave a wrong start_index for 56 of 281 chunks (the overlap in
tokens is subtracted from a position in characters), and citations stand on these offsets.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.sentences import split_sentences
from ingest.load import Loaded

CountTokens = Callable[[Sequence[str]], list[int]]
Span = tuple[int, int]

WORD_END = re.compile(r"\s+")
HEADING = re.compile(r"#{1,6}\s")


@dataclass(frozen=True, slots=True)
class Piece:
    """`start` and `stop` count code points in the document's text: text[start:stop] is `text`."""

    ord: int
    page: int | None
    start: int
    stop: int
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, or a part of one that is too long alone."""

    start: int
    stop: int
    tokens: int


def split(loaded: Loaded, *, count_tokens: CountTokens, max_tokens: int, overlap_tokens: int) -> list[Piece]:
    """No chunk has more than `max_tokens` by `count_tokens`, and none crosses a page."""
    text, pieces = loaded.text, list[Piece]()
    for page, start in zip(loaded.pages, loaded.page_starts(), strict=True):
        spans = [(start + first, start + last) for first, last in split_sentences(page.text)]
        units = _units(text, spans, count_tokens, max_tokens)
        for first, last, tokens in _pack(text, units, count_tokens, max_tokens, overlap_tokens):
            pieces.append(Piece(len(pieces), page.number, first, last, text[first:last], tokens))
    return pieces


def _units(text: str, spans: Sequence[Span], count_tokens: CountTokens, max_tokens: int) -> list[Unit]:
    units: list[Unit] = []
    counted = count_tokens([text[start:stop] for start, stop in spans])
    for (start, stop), tokens in zip(spans, counted, strict=True):
        if tokens <= max_tokens:
            units.append(Unit(start, stop, tokens))
        else:
            units.extend(_cut(text, start, stop, count_tokens, max_tokens))
    return units


def _cut(text: str, start: int, stop: int, count_tokens: CountTokens, max_tokens: int) -> list[Unit]:
    """A sentence longer than a chunk: at words, and where there are none, between characters."""
    units: list[Unit] = []
    while start < stop:
        # A token is rarely longer than 12 characters, so that one count looks at little more than one chunk.
        low, high = start + 1, min(stop, start + 12 * max_tokens)
        while low < high:
            middle = (low + high + 1) // 2
            if count_tokens([text[start:middle]])[0] <= max_tokens:
                low = middle
            else:
                high = middle - 1
        end = low if low == stop else _soft_end(text, start, low)
        units.append(Unit(start, end, count_tokens([text[start:end]])[0]))
        start = end
        while start < stop and text[start].isspace():
            start += 1
    return units


def _soft_end(text: str, start: int, end: int) -> int:
    """The last word's end before `end`, if it is not too far back; never before a combining mark."""
    breaks = [found.start() for found in WORD_END.finditer(text, start + 1, end + 1)]
    if breaks and breaks[-1] > start + (end - start) // 2:
        return breaks[-1]
    while end > start + 1 and (unicodedata.combining(text[end]) or text[end] in "\u200d\ufe0f"):
        end -= 1
    return end


def _pack(
    text: str, units: Sequence[Unit], count_tokens: CountTokens, max_tokens: int, overlap_tokens: int
) -> list[tuple[int, int, int]]:
    """(start, stop, tokens) of each chunk: as many whole units as fit, the last few of them again in the next one."""
    chunks: list[tuple[int, int, int]] = []
    # Prefix and special tokens are in every count, and once in a chunk.
    frame = count_tokens(["a"])[0] - 1
    own = [unit.tokens - frame for unit in units]
    first, done = 0, -1
    while done + 1 < len(units):
        last = max(_fill(own, first, max_tokens - frame), done + 1)
        last = _keep_heading_with_text(text, units, max(first, done + 1), last)
        tokens = count_tokens([text[units[first].start : units[last].stop]])[0]
        while tokens > max_tokens:
            # The white space between units counts too: let go of the overlap first, then of the last unit.
            first, last = (done + 1, last) if first <= done else (first, last - 1)
            tokens = count_tokens([text[units[first].start : units[last].stop]])[0]
        chunks.append((units[first].start, units[last].stop, tokens))
        done = last
        first = _overlap(own, done, overlap_tokens, max_tokens - frame)
    return chunks


def _fill(own: Sequence[int], first: int, room: int) -> int:
    """The last unit that fits after `first`."""
    last, total = first, own[first]
    while last + 1 < len(own) and total + own[last + 1] <= room:
        last += 1
        total += own[last]
    return last


def _keep_heading_with_text(text: str, units: Sequence[Unit], first: int, last: int) -> int:
    while first < last < len(units) - 1 and HEADING.match(text, units[last].start):
        last -= 1
    return last


def _overlap(own: Sequence[int], done: int, overlap_tokens: int, room: int) -> int:
    """Where the next chunk begins: some whole units back, if what follows still fits."""
    if done + 1 == len(own):
        return done + 1
    first, total = done + 1, 0
    while first > 1 and total + own[first - 1] <= min(overlap_tokens, room - own[done + 1]):
        first -= 1
        total += own[first]
    return first
