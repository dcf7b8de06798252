"""Cuts a text into chunks that the embedding model sees whole, at the ends of sentences, with exact offsets.

LangChain's splitter is the other choice (ingest/langchain_split.py).
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from app.errors import DocumentError, NotConfigured
from app.language.sentences import split_sentences
from ingest.loading.load import Loaded

CountTokens = Callable[[Sequence[str]], list[int]]
Span = tuple[int, int]

WORD_END = re.compile(r"\s+")
HEADING = re.compile(r"#{1,6}\s")
# Where a text is cut first; no chunk has more than the second: white space makes no token.
CHARACTERS_A_TOKEN = 6
MAX_CHARACTERS_A_TOKEN = 16
MAX_CLUSTER_LENGTH = 32
COUNTED_AT_ONCE = 100


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


def within(count_tokens: CountTokens, seconds: float) -> CountTokens:
    """Return a counter that ends the splitting after `seconds` of the calling thread's processor time.

    Raises DocumentError: a thread cannot be stopped from outside.
    """
    end = time.thread_time() + seconds

    def count(texts: Sequence[str]) -> list[int]:
        if time.thread_time() > end:
            detail = (
                f"Cutting the text took more than {seconds:g} s of processor time (KYUJANG_LOAD_TIMEOUT_S). Split it."
            )
            raise DocumentError("timeout", detail)
        return count_tokens(texts)

    return count


def split_text(loaded: Loaded, *, count_tokens: CountTokens, max_tokens: int, overlap_tokens: int) -> list[Chunk]:
    """Return chunks that have at most `max_tokens` by `count_tokens`, and none crosses a page."""
    text, chunks = loaded.text, list[Chunk]()
    for page, start in zip(loaded.pages, loaded.page_starts(), strict=True):
        spans = [(start + first, start + last) for first, last in split_sentences(page.text)]
        units = list(_units(text, spans, count_tokens, max_tokens))
        for first, last, tokens in _pack(text, units, count_tokens, max_tokens, overlap_tokens):
            chunks.append(Chunk(len(chunks), page.number, first, last, text[first:last], tokens))
    return chunks


def _units(text: str, spans: Sequence[Span], count_tokens: CountTokens, max_tokens: int) -> Iterator[Unit]:
    longest = MAX_CHARACTERS_A_TOKEN * max_tokens
    for at in range(0, len(spans), COUNTED_AT_ONCE):
        some = spans[at : at + COUNTED_AT_ONCE]
        # A text that is too long anyway is not counted as a whole.
        counted = count_tokens([text[start : min(stop, start + longest)] for start, stop in some])
        for (start, stop), tokens in zip(some, counted, strict=True):
            if tokens <= max_tokens and stop - start <= longest:
                yield Unit(start, stop, tokens)
            else:
                yield from _cut(text, start, stop, count_tokens, max_tokens)


def _cut(text: str, start: int, stop: int, count_tokens: CountTokens, max_tokens: int) -> list[Unit]:
    """Cut a sentence that is longer than a chunk between words, or between characters where there are none."""
    units: list[Unit] = []
    while start < stop:
        window = start + CHARACTERS_A_TOKEN * max_tokens
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
) -> Iterator[tuple[int, int, int]]:
    """Yield (start, stop, tokens) of each chunk: as many whole units as fit, the last few again in the next one."""
    # Every count includes prefix and special tokens; a chunk has them once.
    frame = count_tokens(["a"])[0] - 1
    own = [unit.tokens - frame for unit in units]
    before, headings = [0, *accumulate(own)], _Headings(text, units)

    def count(first: int, last: int) -> int:
        content = text[units[first].start : units[last].stop]
        return count_tokens([content])[0] if len(content) <= MAX_CHARACTERS_A_TOKEN * max_tokens else max_tokens + 1

    first, done = 0, -1
    while done + 1 < len(units):
        last = max(_fill(own, first, max_tokens - frame), done + 1)
        last = headings.keep_with_text(max(first, done + 1), last)
        while (tokens := count(first, last)) > max_tokens:
            # The white space between units counts too: drop the overlap first, then the last unit.
            if first <= done:
                first = done + 1
            else:
                last = headings.keep_with_text(first, last - 1)
        yield units[first].start, units[last].stop, tokens
        begun, done = first, last
        if done + 1 < len(units):
            room = max_tokens - frame - (before[headings.text_below[done + 1] + 1] - before[done + 1])
            first = _overlap(own, begun, done, min(overlap_tokens, room))


def _fill(own: Sequence[int], first: int, room: int) -> int:
    """Return the last unit that fits after `first`."""
    last, total = first, own[first]
    while last + 1 < len(own) and total + own[last + 1] <= room:
        last += 1
        total += own[last]
    return last


class _Headings:
    """Where runs of headings begin and what they stand above, found once: a text may be headings alone."""

    def __init__(self, text: str, units: Sequence[Unit]) -> None:
        self._last = len(units) - 1
        self._run_begins: list[int] = []
        """For each unit where the headings that end with it begin; the next one's place if it is none."""
        begin = 0
        for at, unit in enumerate(units):
            if not HEADING.match(text, unit.start):
                begin = at + 1
            self._run_begins.append(begin)
        self.text_below = list(range(len(units)))
        """For each unit the one below the headings that begin with it; itself if it is none."""
        for at in range(self._last - 1, -1, -1):
            if self._run_begins[at] <= at:
                self.text_below[at] = self.text_below[at + 1]

    def keep_with_text(self, first: int, last: int) -> int:
        """Return the unit before the headings that would end a chunk, unless they are all of it."""
        begin = self._run_begins[last]
        return begin - 1 if first < begin <= last < self._last else last


def _overlap(own: Sequence[int], before: int, done: int, room: int) -> int:
    """Return where the next chunk begins: some whole units back, but never at the whole chunk again."""
    first, total = done + 1, 0
    while first > before + 1 and total + own[first - 1] <= room:
        first -= 1
        total += own[first]
    return first
