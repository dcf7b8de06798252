from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app import pipeline
from app.api.deps import QueryTenant, ServicesDep
from app.api.events import Event, event_stream, while_connected
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
from app.metrics import Metrics
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


@router.post("/query", response_model=AnswerOut | DryRunOut, responses={200: {"content": {"text/event-stream": {}}}})
async def query(
    request: Request, body: QueryBody, tenant: QueryTenant, services: ServicesDep
) -> AnswerOut | DryRunOut | StreamingResponse:
    """An answer that rests on the tenant's documents, with its citations; or `no_answer`, with the reason.

    With `stream`, server-sent events: `retrieval`, `delta`, `citation`, and `done` with the whole answer, or `error`.
    """
    question = _question(body)
    if body.dry_run:
        prompt = await pipeline.dry_run(services, tenant, question)
        return DryRunOut(
            messages=[{"role": each["role"], "content": each["content"]} for each in prompt.messages],
            prompt=PromptOut(tokens=prompt.tokens, dropped_contexts=prompt.dropped_contexts),
            contexts=_contexts(prompt.contexts),
        )
    if body.stream:
        return await event_stream(
            request, _events(services.metrics, pipeline.answer_in_steps(services, tenant, question))
        )
    answer = await while_connected(request, pipeline.answer(services, tenant, question))
    _count(services.metrics, answer)
    return _answer(answer)


async def _events(metrics: Metrics, steps: AsyncGenerator[pipeline.Step]) -> AsyncGenerator[Event]:
    async with aclosing(steps):
        async for step in steps:
            match step:
                case pipeline.Retrieved():
                    yield "retrieval", {"contexts": [each.model_dump(mode="json") for each in _contexts(step.contexts)]}
                case pipeline.Delta():
                    yield "delta", {"text": step.text}
                case Citation():
                    yield "citation", _citation(step).model_dump(mode="json")
                case pipeline.Answer():
                    _count(metrics, step)
                    yield "done", _answer(step).model_dump(mode="json")


def _count(metrics: Metrics, answer: pipeline.Answer) -> None:
    metrics.answers.labels(answer.verdict.mode, answer.verdict.no_answer_reason or "answered").inc()
    for step, milliseconds in answer.timings_ms.items():
        metrics.stage_seconds.labels(step).observe(milliseconds / 1000)


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
