"""Cut a retrieved chunk into what can be quoted of it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.grounding.markers import Span
from app.language import tables
from app.language.sentences import split_sentences
from app.retrieval.match import Match

CSV = "text/csv"


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence of a chunk, or a row of a table, whose values its `header` names."""

    span: Span
    header: str
    is_header: bool
    joins: bool
    """Whether it can be quoted together with the one before: a row says nothing of the next one's values, and a
    repeated header stands elsewhere in the document."""


def passages_of(match: Match) -> list[Passage]:
    spans, headers = _rows(match) if match.media_type == CSV else _sentences(match)
    named = {header for header in headers if header}
    return [
        Passage(
            Span(*span),
            match.text[slice(*header)] if header else "",
            is_header=any(start <= span[0] < stop for start, stop in named),
            joins=number > 0 and header is None and not spans[number - 1][0] < match.header_length <= span[0],
        )
        for number, (span, header) in enumerate(zip(spans, headers, strict=True))
    ]


def _sentences(match: Match) -> tuple[list[tables.Span], Sequence[tables.Span | None]]:
    text, length = match.text, match.header_length
    spans = [
        (begin + start, begin + stop)
        for begin, end in ((0, length), (length, len(text)))
        for start, stop in split_sentences(text[begin:end])
    ]
    return spans, tables.headers_of(text, spans)


def _rows(match: Match) -> tuple[list[tables.Span], Sequence[tables.Span | None]]:
    rows = tables.records(match.text)
    header: tables.Span | None = None
    if match.header:
        header = 0, match.header_length
    elif match.start == 0:
        header = tables.header_record(match.text, rows)
    return rows, [header if header and row[0] >= header[1] else None for row in rows]
