"""Cuts a text into chunks that the embedding model sees whole, at the ends of sentences, with exact offsets.

LangChain's splitter is the other choice (ingest/langchain_split.py).
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from app.errors import DocumentError, NotConfigured
from app.language.headings import Path
from app.language.sentences import split_sentences
from app.language.tables import Span
from ingest.blocks import Block, PageNumbers, Structure, blocks_of
from ingest.loading.load import Loaded
from ingest.packing import CountTokens, Fit, Packing, Unit

WORD_END = re.compile(r"\s+")
# Where a text is cut first.
CHARACTERS_A_TOKEN = 6
MAX_CLUSTER_LENGTH = 32
COUNTED_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Chunk:
    """A part of a document; `start` and `stop` count code points in its text. `text` is text[start:stop] or, where it
    begins among the rows of a table, text[header] + text[start:stop]."""

    ord: int
    start: int
    stop: int
    text: str
    tokens: int
    pages: PageNumbers
    headings: Path
    header: Span | None = None


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
    """Return chunks that have at most `max_tokens` by `count_tokens`. Of two pages none has more than one sentence."""
    text, structure, fit, chunks = loaded.text, Structure(loaded), Fit(count_tokens, max_tokens), list[Chunk]()
    for blocks in blocks_of(loaded, structure):
        for part in Packing(text, list(_units(text, blocks, fit)), fit, overlap_tokens).parts():
            place = part.start, part.stop
            pages, headings = structure.pages(*place), structure.outline.under(*place)
            chunks.append(Chunk(len(chunks), *place, part.text, part.tokens, pages, headings, part.header))
    return chunks


def _units(text: str, blocks: Sequence[Block], fit: Fit) -> Iterator[Unit]:
    for at in range(0, len(blocks), COUNTED_AT_ONCE):
        some = blocks[at : at + COUNTED_AT_ONCE]
        # A text that is too long anyway is not counted as a whole.
        counted = fit.count_tokens([text[block.start : min(block.stop, block.start + fit.longest)] for block in some])
        for block, tokens in zip(some, counted, strict=True):
            if tokens <= fit.max_tokens and block.stop - block.start <= fit.longest:
                yield Unit(block.start, block.stop, block.leads, block.header, tokens)
            else:
                yield from _parts_of(text, block, fit)


def _parts_of(text: str, block: Block, fit: Fit) -> Iterator[Unit]:
    """Cut what is longer than a chunk: a record at its sentences, and a sentence at its words."""
    room = (fit.room_below(text[slice(*block.header)]) if block.header else None) or fit.max_tokens
    for start, stop in split_sentences(text[block.start : block.stop]):
        for part in _cut(text, block.start + start, block.start + stop, fit.count_tokens, room):
            yield replace(part, leads=block.leads, header=block.header)


def _cut(text: str, start: int, stop: int, count_tokens: CountTokens, max_tokens: int) -> Iterator[Unit]:
    """Cut a sentence that is longer than a chunk between words, or between characters where there are none."""
    while start < stop:
        window = start + CHARACTERS_A_TOKEN * max_tokens
        end = stop if window >= stop else _soft_end(text, start, window)
        while (tokens := count_tokens([text[start:end]])[0]) > max_tokens and end > start + 1:
            # By proportion, which lands within a few counts and nearly fills the chunk.
            end = _soft_end(text, start, start + max(1, (end - start) * max_tokens // (tokens + 1)))
        if tokens > max_tokens:
            raise NotConfigured(f"Chunks of {max_tokens} tokens leave no room for text (KYUJANG_CHUNK_TOKENS).")
        yield Unit(start, end, tokens=tokens)
        start = end
        while start < stop and text[start].isspace():
            start += 1


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
