"""Recognise the rows and headers of tables: Markdown's, with pipes, and CSV's. Pure."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

Span = tuple[int, int]

LINE = re.compile(r"[^\n]*\n|[^\n]+")
BLANK_LINES = re.compile(r"\n{2,}")
SEPARATOR = re.compile(r"\|(?:[ \t]*:?-+:?[ \t]*\|)+")
CELL_END = re.compile(r"(?<!\\)\|")
NUMERIC = re.compile(r"\s*[-+(₩$€]*\d[\d.,]*[%)]*\s*")
NUMBER = re.compile(r"\s*[\"']?[+-]?\d[\d.,]*%?[\"']?\s*(?:[,;\t|]|$)")
DELIMITERS = ",;\t|"
# Lines of one record, and how many of them it is seen whether it ends there.
MAX_LINES, MAX_TRIED = 200, 4
# Records by which a CSV's header is found.
SAMPLE = 50


def headers_of(text: str, sentences: Sequence[Span]) -> list[Span | None]:
    """Return for each sentence the header of the table that it is a row of: the span of its header row and of the line
    below that, up to the first row."""
    headers: list[Span | None] = []
    header: Span | None = None
    top = last = -1
    for at, (start, _) in enumerate(sentences):
        if not _is_next_row(text, sentences, at):
            header, top = None, -1
        elif header is None and top < 0 and SEPARATOR.fullmatch(text, *sentences[at - 1]):
            top = last = at - 2 if _is_next_row(text, sentences, at - 1) else -1
        if top >= 0 and header is None:
            if _is_next_row(text, sentences, at + 1) and _goes_on(text, sentences[last], sentences[at]):
                last = at
            else:
                header = sentences[top][0], start
        headers.append(header)
    return headers


def _goes_on(text: str, header: Span, row: Span) -> bool:
    """Tell whether a row is of the header: below names that stand over several columns it has those of each."""
    one, two = (CELL_END.split(text[slice(*each)]) for each in (header, row))
    wide = [at for at in range(1, len(one)) if one[at].strip() and one[at] == one[at - 1]]
    if len(one) != len(two) or any(map(NUMERIC.fullmatch, two)):
        return False
    return any(two[at] != two[at - 1] for at in wide)


def _is_next_row(text: str, sentences: Sequence[Span], at: int) -> bool:
    if not 0 < at < len(sentences) or text[sentences[at][0]] != "|" or text[sentences[at - 1][0]] != "|":
        return False
    return text.count("\n", sentences[at - 1][1], sentences[at][0]) == 1


def records(text: str) -> list[Span]:
    """Return the span of each record of a CSV: a quoted value may hold line breaks. A blank line is none."""
    lines = LINE.findall(text)
    delimiter, quotes = _delimiter(lines), [line.count('"') for line in lines]
    ends = [0, *accumulate(map(len, lines))]
    spans, first = list[Span](), 0
    while first < len(lines):
        last = _last_line(lines, quotes, first, delimiter)
        if span := _trimmed(text, ends[first], ends[last + 1]):
            spans.append(span)
        first = last + 1
    return spans


def _last_line(lines: Sequence[str], quotes: Sequence[int], first: int, delimiter: str) -> int:
    """Return the line on which a record ends: its first if a quote in it is never closed."""
    if not quotes[first] % 2 or _values(lines[first], delimiter):
        return first
    odd = [at for at in range(first + 1, min(first + MAX_LINES, len(lines))) if quotes[at] % 2]
    tried = (at for at in odd[::2][:MAX_TRIED] if _values("".join(lines[first : at + 1]), delimiter))
    return next(tried, first)


def _values(record: str, delimiter: str) -> list[str]:
    """Return a record's values, none if it is not a whole record."""
    try:
        read = list(csv.reader(record.splitlines(keepends=True), delimiter=delimiter, strict=True))
    except csv.Error:
        return []
    return read[0] if len(read) == 1 else []


def _delimiter(lines: Sequence[str]) -> str:
    """Return what parts the most lines into as many values; a title may stand above them."""

    def alike(delimiter: str) -> tuple[int, int]:
        counts = Counter(count for line in lines[:SAMPLE] if (count := line.count(delimiter)))
        return max(counts.values(), default=0), lines[0].count(delimiter)

    return max(DELIMITERS, key=alike) if lines else DELIMITERS[0]


def paragraphs(text: str) -> list[Span]:
    """Return the span of each part between blank lines."""
    between = [found.span() for found in BLANK_LINES.finditer(text)]
    begins, ends = [0, *(stop for _, stop in between)], [*(start for start, _ in between), len(text)]
    return [span for start, stop in zip(begins, ends, strict=True) if (span := _trimmed(text, start, stop))]


def _trimmed(text: str, start: int, stop: int) -> Span | None:
    content = text[start:stop]
    start += len(content) - len(content.lstrip())
    return (start, start + len(content.strip())) if content.strip() else None


def header_record(text: str, rows: Sequence[Span]) -> Span | None:
    """Return the span of a CSV's header, up to the first row: the first record that names most of the columns, unless
    it begins with a number and so does the next. A title and notes may stand above it."""
    sample = rows[:SAMPLE]
    delimiter = _delimiter([text[slice(*row)] for row in sample])
    named = [
        [at for at, value in enumerate(_values(text[slice(*row)], delimiter), 1) if value.strip()] for row in sample
    ]
    widths = Counter(each[-1] for each in named if len(each) > 1)
    width = max(widths, key=lambda each: (widths[each], each), default=1)
    found = [at for at, each in enumerate(named) if each and each[-1] >= width and 2 * len(each) > width]
    gaps = [not named[at] or text.count("\n", sample[at - 1][1], sample[at][0]) > 1 for at in range(1, len(sample))]
    # What a blank line parts from rows that follow each other is a note.
    at = next((at for at in found if gaps[at : at + 2] != [True, False]), 0)
    if at + 1 >= len(rows) or all(NUMBER.match(text, *row) for row in rows[at : at + 2]):
        return None
    return rows[at][0], rows[at + 1][0]
