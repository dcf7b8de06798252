"""Find what a text is made of: sentences, headings, the rows of its tables, each with what it stands under."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from app.language.headings import Outline
from app.language.sentences import split_sentences
from app.language.tables import Span, header_record, headers_of, paragraphs, records
from ingest.loading.formats import CSV, JSON, JSONL
from ingest.loading.load import Loaded

PageNumbers = tuple[int, int] | None
"""The first and the last; None where the format has no pages."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a text that is cut only if it is longer than a chunk. One that `leads` is nothing without what comes
    below it: a heading, or the header of a table, which stands with each of its rows as `header`."""

    start: int
    stop: int
    leads: bool = False
    header: Span | None = None


class Structure:
    """The pages and headings of a text."""

    def __init__(self, loaded: Loaded) -> None:
        self._numbers = [page.number for page in loaded.pages]
        self._starts = loaded.page_starts()
        # What stands on a slide or a sheet is not under the headings of the one before.
        text = "" if loaded.media_type in (CSV, JSONL) else loaded.text
        self.outline = Outline(text, fresh=() if loaded.flows else self._starts)

    def pages(self, start: int, stop: int) -> PageNumbers:
        """Return the first and the last page of a part."""
        first, last = self._numbers[self.page_index(start)], self._numbers[self.page_index(stop - 1)]
        return None if first is None or last is None else (first, last)

    def page_index(self, place: int) -> int:
        return bisect_right(self._starts, place) - 1


def blocks_of(loaded: Loaded, structure: Structure) -> Iterator[list[Block]]:
    """Yield the blocks of each page, since a new one begins a chunk. A sentence is of the page that it begins on."""
    blocks = BY_FORMAT.get(loaded.media_type, _of_prose)(loaded.text, structure.outline)
    for _, those in groupby(blocks, key=lambda block: structure.page_index(block.start)):
        yield list(those)


def _of_prose(text: str, outline: Outline) -> list[Block]:
    sentences = split_sentences(text)
    headers = headers_of(text, sentences)
    first_rows = ((at, header) for at, header in enumerate(headers) if header and headers[at - 1] is None)
    starts = [start for start, _ in sentences]
    leading = {each for at, header in first_rows for each in range(bisect_left(starts, header[0]), at)}
    return [
        Block(start, stop, at in leading or outline.is_heading(start, stop), header)
        for at, ((start, stop), header) in enumerate(zip(sentences, headers, strict=True))
    ]


def _of_csv(text: str, _: Outline) -> list[Block]:
    rows = records(text)
    header = header_record(text, rows)
    if header is None:
        return [Block(*row) for row in rows]
    return [Block(*row, leads=True) if row[0] <= header[0] else Block(*row, header=header) for row in rows]


def _of_json(text: str, _: Outline) -> list[Block]:
    return [Block(*record) for record in paragraphs(text)]


BY_FORMAT = {CSV: _of_csv, JSON: _of_json, JSONL: _of_json}
