"""Answer a question of several parts without a language model: each part by the sentences that bear on it. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from app.grounding.citations import Citation, Support
from app.grounding.extractive import extract
from app.grounding.markers import Span
from app.retrieval.match import Match


def extract_each(parts: Sequence[str], matches: Sequence[Match]) -> Support | None:
    """Return what extract() says to each part, in their order, no sentence twice; None if nothing bears on any."""
    answer, citations = "", list[Citation]()
    for part in parts:
        support = extract(part, matches)
        if support is None or all(_quoted(cited, citations) for cited in support.citations):
            continue
        start = len(answer) + 2 if answer else 0
        answer = f"{answer}\n\n{support.answer}" if answer else support.answer
        citations += [replace(each, answer_span=_moved(each.answer_span, start)) for each in support.citations]
    return Support(answer, citations, []) if citations else None


def _quoted(cited: Citation, citations: Sequence[Citation]) -> bool:
    return any((each.marker, each.chunk_span) == (cited.marker, cited.chunk_span) for each in citations)


def _moved(span: Span, by: int) -> Span:
    return Span(span.start + by, span.end + by)
