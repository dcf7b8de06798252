"""Map what was recorded of a search and of a prompt to a body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.api.explanation_schemas import CandidateOut, ElementOut, ExplanationOut, PlaceOut, PromptSentOut
from app.prompting.token_budget import Prompt
from app.retrieval.match import Match
from app.retrieval.trace import Candidate, Place, Trace

SHOWN_CHARACTERS = 300
SHOWN_TERMS = 200
NO_PROMPT = Prompt()


def explanation_out(
    trace: Trace, contexts: Sequence[Match], prompt: Prompt = NO_PROMPT, elements: Mapping[str, str] | None = None
) -> ExplanationOut:
    """`contexts` are those that the answer stands on."""
    used = {each.chunk_id for each in contexts}
    return ExplanationOut(
        terms=list(dict.fromkeys(trace.terms))[:SHOWN_TERMS],
        translated=trace.translated,
        candidates=[_candidate(each, used) for each in trace.candidates()],
        prompt=_prompt(prompt, elements) if elements else None,
    )


def _candidate(candidate: Candidate, used: set[str]) -> CandidateOut:
    match = candidate.match
    return CandidateOut(
        chunk_id=match.chunk_id,
        document_id=match.document_id,
        title=match.title,
        page=match.page,
        headings=match.path,
        text=match.text[:SHOWN_CHARACTERS],
        dense=_place(candidate.dense),
        lexical=_place(candidate.lexical),
        fused=_place(candidate.fused),
        rerank=_place(candidate.reranked),
        fate="token_budget" if candidate.fate == "used" and match.chunk_id not in used else candidate.fate,
    )


def _place(place: Place | None) -> PlaceOut | None:
    return PlaceOut(rank=place.rank, score=round(place.score, 4)) if place else None


def _prompt(prompt: Prompt, elements: Mapping[str, str]) -> PromptSentOut:
    return PromptSentOut(
        messages=[{"role": each["role"], "content": each["content"]} for each in prompt.messages],
        elements=[
            ElementOut(name=name, text=text, tokens=prompt.tokens.get(name)) for name, text in elements.items() if text
        ],
    )
