"""Cut a retrieved chunk into what can be quoted of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.grounding.markers import Span
from app.language import tables
from app.language.sentences import split_sentences
from app.retrieval.match import Match

CSV = "text/csv"
TITLE_WORDS = 5
ENDS_A_SENTENCE = re.compile(
    r"[.?!…。｡．？！][\"'”’)\]）」』】》〉»*_`]{0,8}\Z|(?:[다죠까함됨임것]|(?<!개)요|(?<!다)음|불가|가능|금지)\Z"
)
# A digit, a name with its value, an item of a list or a verb says something.
SAYS_SOMETHING = re.compile(
    r"(?<![A-Za-z])[0-9]|[:：]\s*\S|\A(?:[|·•‣◦–*-]|\(?[가-힣a-zA-Z][.)]\s)|\b(?:is|are|was|were|be|has|have|had|can|cannot|must|will"
    r"|may|should|shall|do|does|did|not|no|never)\b",
    re.IGNORECASE,
)
BLANK_LINE = re.compile(r"\n[ \t]*\n")
# So much around a line shows whether it stands alone.
AROUND = 16


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence of a chunk, or a row of a table, whose values its `header` names."""

    span: Span
    header: str
    is_header: bool
    joins: bool
    """Whether it can be quoted together with the one before: a row says nothing of the next one's values, and a
    repeated header stands elsewhere in the document."""
    is_title: bool


def passages_of(match: Match) -> list[Passage]:
    spans, headers = _rows(match) if match.media_type == CSV else _sentences(match)
    named = {header for header in headers if header}
    return [
        Passage(
            Span(*span),
            match.text[slice(*header)] if header else "",
            is_header=any(start <= span[0] < stop for start, stop in named),
            joins=number > 0 and header is None and not spans[number - 1][0] < match.header_length <= span[0],
            is_title=_is_title(match.text, *span),
        )
        for number, (span, header) in enumerate(zip(spans, headers, strict=True))
    ]


def _is_title(text: str, start: int, stop: int) -> bool:
    """Tell whether it is a few words between blank lines that make no sentence."""
    line = text[start:stop]
    if len(line.split()) > TITLE_WORDS or ENDS_A_SENTENCE.search(line) or SAYS_SOMETHING.search(line):
        return False
    before, after = text[max(0, start - AROUND) : start], text[stop : stop + AROUND]
    begins = start == 0 or BLANK_LINE.search(before) is not None
    ends = not after.strip() or BLANK_LINE.match(after.lstrip(" \t")) or (line[-1] in ":：" and after.startswith("\n"))
    return begins and bool(ends)


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
