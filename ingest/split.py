"""Cuts a text into chunks that the embedding model sees whole, at the ends of sentences, with exact offsets.

LangChain's splitter is the other choice (ingest/langchain_split.py).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.errors import NotConfigured
from app.language.sentences import split_sentences
from ingest.loading.load import Loaded

CountTokens = Callable[[Sequence[str]], list[int]]
Span = tuple[int, int]

WORD_END = re.compile(r"\s+")
HEADING = re.compile(r"#{1,6}\s")
MAX_CHARACTERS_A_TOKEN = 6
MAX_CLUSTER_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document; `start` and `stop` count code points in its text: text[start:stop] is `text`."""

    ord: int
    page: int | None
    start: int
    stop: int
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence, or a part of one that is longer than a chunk."""

    start: int
    stop: int
    tokens: int


def split_text(loaded: Loaded, *, count_tokens: CountTokens, max_tokens: int, overlap_tokens: int) -> list[Chunk]:
    """Return chunks that have at most `max_tokens` by `count_tokens`, and none crosses a page."""
    text, chunks = loaded.text, list[Chunk]()
    for page, start in zip(loaded.pages, loaded.page_starts(), strict=True):
        spans = [(start + first, start + last) for first, last in split_sentences(page.text)]
        units = _units(text, spans, count_tokens, max_tokens)
        for first, last, tokens in _pack(text, units, count_tokens, max_tokens, overlap_tokens):
            chunks.append(Chunk(len(chunks), page.number, first, last, text[first:last], tokens))
    return chunks


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
    """Cut a sentence that is longer than a chunk between words, or between characters where there are none."""
    units: list[Unit] = []
    while start < stop:
        window = start + MAX_CHARACTERS_A_TOKEN * max_tokens
        end = stop if window >= stop else _soft_end(text, start, window)
        while (tokens := count_tokens([text[start:end]])[0]) > max_tokens and end > start + 1:
            # By proportion, which lands within a few counts and nearly fills the chunk.
            end = _soft_end(text, start, start + max(1, (end - start) * max_tokens // (tokens + 1)))
        if tokens > max_tokens:
            raise NotConfigured(f"Chunks of {max_tokens} tokens leave no room for text (KYUJANG_CHUNK_TOKENS).")
        units.append(Unit(start, end, tokens))
        start = end
        while start < stop and text[start].isspace():
            start += 1
    return units


def _soft_end(text: str, start: int, end: int) -> int:
    """Return the last word's end before `end` if it is near, and never a place inside what reads as one character."""
    breaks = [found.start() for found in WORD_END.finditer(text, start + 1, end + 1)]
    if breaks and breaks[-1] > start + (end - start) // 2:
        return breaks[-1]
    boundary = end
    while boundary > max(start, end - MAX_CLUSTER_LENGTH) and _joined(text, boundary):
        boundary -= 1
    if boundary > start and not _joined(text, boundary):
        end = boundary
    return start + len(text[start:end].rstrip())


def _joined(text: str, at: int) -> bool:
    """Tell whether both sides read as one character: marks, joined emoji, old Hangul, which NFC leaves in jamo."""
    after, before = text[at], text[at - 1]
    return (
        unicodedata.category(after).startswith("M")
        or "\u200d" in (after, before)
        or "\u1160" <= after <= "\u11ff"
        or "\ud7b0" <= after <= "\ud7fb"
        or "\U0001f3fb" <= after <= "\U0001f3ff"
    )


def _pack(
    text: str, units: Sequence[Unit], count_tokens: CountTokens, max_tokens: int, overlap_tokens: int
) -> list[tuple[int, int, int]]:
    """Return (start, stop, tokens) of each chunk: as many whole units as fit, the last few again in the next one."""
    chunks: list[tuple[int, int, int]] = []
    # Every count includes prefix and special tokens; a chunk has them once.
    frame = count_tokens(["a"])[0] - 1
    own = [unit.tokens - frame for unit in units]
    first, done = 0, -1
    while done + 1 < len(units):
        last = max(_fill(own, first, max_tokens - frame), done + 1)
        last = _keep_heading_with_text(text, units, max(first, done + 1), last)
        tokens = count_tokens([text[units[first].start : units[last].stop]])[0]
        while tokens > max_tokens:
            # The white space between units counts too: drop the overlap first, then the last unit.
            if first <= done:
                first = done + 1
            else:
                last = _keep_heading_with_text(text, units, first, last - 1)
            tokens = count_tokens([text[units[first].start : units[last].stop]])[0]
        chunks.append((units[first].start, units[last].stop, tokens))
        done, before = last, first
        room = max_tokens - frame - sum(own[done + 1 : _with_headings(text, units, done + 1) + 1])
        first = _overlap(own, before, done, min(overlap_tokens, room))
    return chunks


def _fill(own: Sequence[int], first: int, room: int) -> int:
    """Return the last unit that fits after `first`."""
    last, total = first, own[first]
    while last + 1 < len(own) and total + own[last + 1] <= room:
        last += 1
        total += own[last]
    return last


def _keep_heading_with_text(text: str, units: Sequence[Unit], first: int, last: int) -> int:
    while first < last < len(units) - 1 and HEADING.match(text, units[last].start):
        last -= 1
    return last


def _with_headings(text: str, units: Sequence[Unit], first: int) -> int:
    """Return the unit below the headings that begin at `first`; `first` itself if it is not a heading."""
    last = first
    while last + 1 < len(units) and HEADING.match(text, units[last].start):
        last += 1
    return last


def _overlap(own: Sequence[int], before: int, done: int, room: int) -> int:
    """Return where the next chunk begins: some whole units back, but never at the whole chunk again."""
    first, total = done + 1, 0
    while first > before + 1 and total + own[first - 1] <= room:
        first -= 1
        total += own[first]
    return first
