from __future__ import annotations

import pytest

from app.grounding.citations import cite
from app.grounding.extractive import extract
from app.grounding.passages import passages_of
from app.retrieval.match import Match

HEADERS = {
    "pipes": "| plot | litres of water |\n| --- | --- |\n",
    "csv": "plot,litres of water\n",
    "pipes-ko": "| 밭 | 물의 양 |\n| --- | --- |\n",
    "csv-ko": "밭,물의 양\n",
}
ROWS = {
    "pipes": [f"| P{n} | {3 * n} |" for n in range(7, 40)],
    "csv": [f"P{n},{3 * n}" for n in range(7, 40)],
    "pipes-ko": [f"| 밭{n} | {3 * n} |" for n in range(7, 40)],
    "csv-ko": [f"밭{n},{3 * n}" for n in range(7, 40)],
}
each_table = pytest.mark.parametrize("kind", HEADERS)
repeated = pytest.mark.parametrize("header", [None, True], ids=["first", "continued"])


def table(kind: str, header: bool | None) -> Match:
    text = HEADERS[kind] + "\n".join(ROWS[kind])
    place = (0, len(HEADERS[kind])) if header else None
    start = 500 if header else 0
    media_type = "text/csv" if kind.startswith("csv") else "text/plain"
    return Match(
        "chk", "doc", None, None, None, text, 0.9, {}, start, start + len(text), header=place, media_type=media_type
    )


def quote(match: Match, start: int, end: int) -> str:
    return match.text[start:end]


@each_table
@repeated
def test_each_row_is_a_passage_below_its_header(kind, header):
    match = table(kind, header)
    passages = passages_of(match)
    rows = [each for each in passages if not each.is_header]
    assert [quote(match, each.span.start, each.span.end) for each in rows] == ROWS[kind]
    assert {each.header for each in rows} == {HEADERS[kind]}
    assert not any(each.joins for each in rows)


@each_table
@repeated
def test_what_a_row_says_of_its_columns_is_supported_and_quoted(kind, header):
    match = table(kind, header)
    answer = "P8 gets 24 litres of water." if not kind.endswith("ko") else "밭8의 물의 양은 24이다."
    (citation,) = cite(answer, [match]).citations
    assert citation.quote == ROWS[kind][1]
    assert cite(answer.replace("24", "27"), [match]).citations == []


@each_table
@repeated
def test_a_row_answers_and_never_the_header(kind, header):
    question = "How many litres of water does P8 get?" if not kind.endswith("ko") else "밭8의 물의 양은 얼마인가요?"
    found = extract(question, [table(kind, header)])
    assert found is not None
    quotes = [citation.quote for citation in found.citations]
    assert quotes[0] == ROWS[kind][1]
    assert set(quotes) <= set(ROWS[kind])
