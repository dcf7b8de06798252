"""A question to the service, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
from pydantic import BaseModel

from app.cli.client import call
from app.evaluation.overlap import contains, f1
from app.evaluation.service import in_parallel
from app.grounding.extractive import bearing, extract
from app.retrieval.match import Match
from bench.answer.data import Question

# The way without an engine; the others are values of `grounding`.
NONE = "none"
WAYS = (NONE, "extract", "mark", "refuse")


class Outcome(BaseModel):
    """`cited` counts the citations, `cited_gold` those of a gold passage. `bearing` is what the extractive answerer
    decides by, and `extract_contains` what it would say if it always answered; `cosine` and `fused` are what min_score
    is compared with."""

    question: str
    language: str
    kind: str | None
    answer: str
    refused: bool
    generated: bool
    f1: float
    contains: bool
    found: bool
    cited: int
    cited_gold: int
    unsupported: int
    bearing: float
    extract_contains: bool
    cosine: float
    fused: float
    seconds: float


def ask_all(
    client: httpx.Client, questions: Sequence[Question], way: str, *, top_k: int, max_tokens: int, clients: int
) -> list[Outcome]:
    fields = {"top_k": top_k, "max_tokens": max_tokens, "mode": "hybrid"}
    if way != NONE:
        fields["grounding"] = way
    return list(in_parallel(lambda question: _ask(client, question, fields), questions, clients, f"question, {way}"))


def _ask(client: httpx.Client, question: Question, fields: Mapping[str, object]) -> Outcome:
    dense = call(client, "POST", "/search", json={"input": question.text, "mode": "dense", "top_k": 1})["contexts"]
    started = time.perf_counter()
    answer = call(client, "POST", "/query", json={"input": question.text, **fields})
    seconds = time.perf_counter() - started
    refused = answer["finish_reason"] == "no_answer"
    text = "" if refused else answer["answer"]
    cited = [citation["document_id"] for citation in answer["citations"]]
    matches = [_match(context) for context in answer["contexts"]]
    extracted = extract(question.text, matches, min_share=0)
    return Outcome(
        question=question.id,
        language=question.language,
        kind=question.kind,
        answer=text,
        refused=refused,
        generated=answer["answer_mode"] == "generated",
        f1=f1(text, question.answers, question.language),
        contains=contains(text, question.answers, question.language),
        found=any(match.document_id in question.gold for match in matches),
        cited=len(cited),
        cited_gold=sum(document in question.gold for document in cited),
        unsupported=len(answer["unsupported"]),
        bearing=bearing(question.text, matches),
        extract_contains=extracted is not None and contains(extracted.answer, question.answers, question.language),
        cosine=dense[0]["score"] if dense else -1.0,
        fused=matches[0].score if matches else -1.0,
        seconds=round(seconds, 3),
    )


def _match(context: Mapping[str, Any]) -> Match:
    fields = {name: context[name] for name in ("chunk_id", "document_id", "source", "title", "page", "text", "score")}
    return Match(**fields, metadata={}, start=context["span"]["start"], stop=context["span"]["end"])
