from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from app import pipeline
from app.api.deps import QueryTenant, ServicesDep
from app.api.filters import condition
from app.api.schemas import (
    AnswerOut,
    CitationOut,
    ContextOut,
    DryRunOut,
    PromptOut,
    QueryBody,
    SearchBody,
    SearchOut,
    SpanOut,
)
from app.citations import Citation
from app.clock import Clock
from app.generation import Sampling
from app.retrieval import Retrieval, retrieve
from app.stores import Match

router = APIRouter(tags=["Asking"])


@router.post("/search")
async def search(body: SearchBody, tenant: QueryTenant, services: ServicesDep) -> SearchOut:
    """Retrieval alone, without the engine."""
    clock = Clock()
    found = await retrieve(services, tenant, body.input, _retrieval(body), clock)
    timings = clock.stop()
    return SearchOut(
        contexts=_contexts(found.matches),
        timings_ms={step: timings[step] for step in ("embed", "search", "rerank", "total")},
    )


@router.post("/query")
async def query(body: QueryBody, tenant: QueryTenant, services: ServicesDep) -> AnswerOut | DryRunOut:
    """An answer that rests on the tenant's documents, with its citations; or `no_answer`, with the reason."""
    question = _question(body)
    if body.dry_run:
        prompt = await pipeline.dry_run(services, tenant, question)
        return DryRunOut(
            messages=[{"role": each["role"], "content": each["content"]} for each in prompt.messages],
            prompt=PromptOut(tokens=prompt.tokens, dropped_contexts=prompt.dropped_contexts),
            contexts=_contexts(prompt.contexts),
        )
    answer = await pipeline.answer(services, tenant, question)
    services.metrics.answers.labels(answer.verdict.mode, answer.verdict.no_answer_reason or "answered").inc()
    for step, milliseconds in answer.timings_ms.items():
        services.metrics.stage_seconds.labels(step).observe(milliseconds / 1000)
    return _answer(answer)


def _retrieval(body: SearchBody | QueryBody) -> Retrieval:
    return Retrieval(body.top_k, body.mode, condition(body.filters), body.min_score, body.rerank)


def _question(body: QueryBody) -> pipeline.Question:
    sampling = Sampling(temperature=body.temperature, top_p=body.top_p, max_tokens=body.max_tokens)
    if body.top_k_sampling is not None:
        sampling["top_k"] = body.top_k_sampling
    if body.stop is not None:
        sampling["stop"] = body.stop
    if body.seed is not None:
        sampling["seed"] = body.seed
    return pipeline.Question(
        input=body.input,
        instruction=body.instruction,
        output_indicator=body.output_indicator,
        retrieval=_retrieval(body),
        grounding=body.grounding,
        sampling=sampling,
    )


def _answer(answer: pipeline.Answer) -> AnswerOut:
    support, generation = answer.verdict.support, answer.generation
    return AnswerOut(
        id=answer.id,
        answer=support.answer,
        answer_mode=answer.verdict.mode,
        finish_reason=answer.finish_reason,
        no_answer_reason=answer.verdict.no_answer_reason,
        citations=[_citation(citation) for citation in support.citations],
        unsupported=[SpanOut(start=span.start, end=span.end) for span in support.unsupported],
        contexts=_contexts(answer.contexts),
        prompt=PromptOut(tokens=answer.prompt.tokens, dropped_contexts=answer.prompt.dropped_contexts),
        usage={
            "prompt_tokens": generation.prompt_tokens if generation else 0,
            "completion_tokens": generation.completion_tokens if generation else 0,
        },
        timings_ms=answer.timings_ms,
        model=answer.model,
    )


def _citation(citation: Citation) -> CitationOut:
    match = citation.match
    return CitationOut(
        marker=citation.marker,
        chunk_id=match.chunk_id,
        document_id=match.document_id,
        source=match.source,
        title=match.title,
        page=match.page,
        quote=citation.quote,
        score=match.score,
        answer_span=SpanOut(start=citation.answer_span.start, end=citation.answer_span.end),
        chunk_span=SpanOut(start=citation.chunk_span.start, end=citation.chunk_span.end),
    )


def _contexts(matches: Sequence[Match]) -> list[ContextOut]:
    return [
        ContextOut(
            chunk_id=match.chunk_id,
            document_id=match.document_id,
            source=match.source,
            title=match.title,
            page=match.page,
            text=match.text,
            score=match.score,
            rank=rank,
            metadata=match.metadata,
            span=SpanOut(start=match.start, end=match.stop),
        )
        for rank, match in enumerate(matches, start=1)
    ]
