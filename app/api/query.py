from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from app import pipeline, tracing
from app.api.deps import AskingTenant, KeyFirst, SearchingTenant, ServicesDep
from app.api.explanation import explanation_out
from app.api.query_defaults import with_defaults
from app.api.query_logging import answer, answer_events
from app.api.query_mapping import answer_out, citation_out, contexts_out, dry_run_out, question_of, search_options_of
from app.api.query_schemas import AnswerOut, DryRunOut, QueryBody, SearchBody, SearchOut
from app.api.sse import Event, event_stream, while_connected
from app.grounding.citations import Citation
from app.metrics import Metrics
from app.questions import Answer, AnswerEvent, Delta, Retrieved
from app.timings import StepTimer

router = APIRouter(route_class=KeyFirst, tags=["Asking"])


@router.post("/search")
async def search(request: Request, body: SearchBody, tenant: SearchingTenant, services: ServicesDep) -> SearchOut:
    """Search for chunks, without the language model."""
    timer, options = StepTimer(), search_options_of(await with_defaults(services, tenant, body))
    found = await while_connected(request, services.retriever.search, tenant.number, body.input, options, timer)
    timings = timer.stop()
    return SearchOut(
        contexts=contexts_out(found.matches),
        has_more=found.cut,
        timings_ms={step: timings[step] for step in ("embed", "search", "rerank", "total")},
        explain=explanation_out(found.trace, found.matches) if body.explain else None,
    )


@router.post("/query", response_model=AnswerOut | DryRunOut, responses={200: {"content": {"text/event-stream": {}}}})
async def query(
    request: Request, body: QueryBody, tenant: AskingTenant, services: ServicesDep
) -> AnswerOut | DryRunOut | StreamingResponse:
    """Answer a question from the tenant's documents, with citations, contexts, timings and usage; `no_answer` comes
    with the reason.

    With `stream`, server-sent events: `retrieval`, `delta`, `citation`, and `done` with the whole answer, or `error`.
    """
    question = question_of(await with_defaults(services, tenant, body))
    if body.dry_run:
        return dry_run_out(await while_connected(request, pipeline.dry_run, services, tenant, question))
    if not body.stream:
        given = await answer(request, services, tenant, question)
        count(services.metrics, given)
        return answer_out(given)
    events = partial(_events, services.metrics)
    return event_stream(request, answer_events(request, services, tenant, question), events)


def _events(metrics: Metrics, event: AnswerEvent) -> Iterator[Event]:
    match event:
        case Retrieved():
            yield "retrieval", {"contexts": [each.model_dump(mode="json") for each in contexts_out(event.contexts)]}
        case Delta():
            yield "delta", {"text": event.text}
        case Citation():
            yield "citation", citation_out(event).model_dump(mode="json")
        case Answer():
            count(metrics, event)
            yield "done", answer_out(event).model_dump(mode="json")


def count(metrics: Metrics, answer: Answer) -> None:
    metrics.answers.labels(answer.grounded.mode, answer.grounded.no_answer_reason or "answered").inc()
    for step, milliseconds in answer.timings_ms.items():
        metrics.stage_seconds.labels(step).observe(milliseconds / 1000, tracing.exemplar())
