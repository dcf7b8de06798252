"""Recognise the rows and headers of tables: Markdown's, with pipes, and CSV's. Pure."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate

Span = tuple[int, int]

LINE = re.compile(r"[^\n]*\n|[^\n]+")
BLANK_LINES = re.compile(r"\n{2,}")
SEPARATOR = re.compile(r"\|(?:[ \t]*:?-+:?[ \t]*\|)+")
NUMBER = re.compile(r"\s*[\"']?[+-]?\d[\d.,]*%?[\"']?\s*(?:[,;\t]|$)")
DELIMITERS = ",;\t"


def headers_of(text: str, sentences: Sequence[Span]) -> list[Span | None]:
    """Return for each sentence the header of the table that it is a row of: the span of its header row and of the line
    below that, up to the first row."""
    headers: list[Span | None] = []
    header = None
    for at, (start, _) in enumerate(sentences):
        if not _is_next_row(text, sentences, at):
            header = None
        elif SEPARATOR.fullmatch(text, *sentences[at - 1]) and _is_next_row(text, sentences, at - 1):
            header = header or (sentences[at - 2][0], start)
        headers.append(header)
    return headers


def _is_next_row(text: str, sentences: Sequence[Span], at: int) -> bool:
    if at < 1 or text[sentences[at][0]] != "|" or text[sentences[at - 1][0]] != "|":
        return False
    return text.count("\n", sentences[at - 1][1], sentences[at][0]) == 1


def records(text: str) -> list[Span]:
    """Return the span of each record of a CSV: a quoted value may hold line breaks. A blank line is none."""
    lines = LINE.findall(text)
    try:
        last_lines = list(_last_lines(lines))
    except csv.Error:
        last_lines = list(range(1, len(lines) + 1))
    ends = [0, *accumulate(map(len, lines))]
    begins = [0, *last_lines]
    spans = ((ends[one], ends[other]) for one, other in zip(begins, last_lines, strict=False))
    return [span for start, stop in spans if (span := _trimmed(text, start, stop))]


def _last_lines(lines: Sequence[str]) -> Iterator[int]:
    first = lines[0] if lines else ""
    reader = csv.reader(lines, delimiter=max(DELIMITERS, key=first.count))
    for _ in reader:
        yield reader.line_num


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
    """Return the span of a CSV's header, up to the first row: its first record, unless that begins with a number."""
    if len(rows) < 2 or NUMBER.match(text, *rows[0]):
        return None
    return rows[0][0], rows[1][0]
