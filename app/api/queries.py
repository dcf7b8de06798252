"""The query log, and what users say of answers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, BeforeValidator, Field, StringConstraints

from app.api.deps import KeyFirst, PageDep, QueryTenant, ReadTenant, ServicesDep, page_of
from app.api.jobs import JobId, before
from app.api.schemas import Body, Page
from app.api.times import parse_time
from app.language.unicode import CLEAN
from app.storage import query_log
from app.storage.query_log import Sought, Verdict, Vote

router = APIRouter(route_class=KeyFirst, prefix="/queries", tags=["Query log"])

Time = Annotated[datetime, BeforeValidator(parse_time)]
Words = Annotated[str, StringConstraints(min_length=1, max_length=20_000), CLEAN]


class FeedbackBody(Body):
    vote: Vote
    comment: Words | None = None
    right_answer: Words | None = None


class FeedbackOut(BaseModel):
    vote: Vote
    comment: str | None
    right_answer: str | None
    at: datetime
    by: str | None


class LoggedContextOut(BaseModel):
    chunk_id: str
    document_id: str
    score: float


class LoggedQueryOut(BaseModel):
    """`verdict`: every sentence is supported by a source, some are not, that is not known, or there is no answer."""

    id: str
    at: datetime
    by: str | None
    question: str
    search_query: str
    contexts: list[LoggedContextOut]
    answer: str
    answer_mode: Literal["generated", "extracted"]
    citations: Annotated[list[dict[str, Any]], Field(description="As in the answer")]
    unsupported: list[dict[str, Any]]
    verdict: Verdict
    no_answer_reason: str | None
    prompt: str | None
    model: str | None
    adapter: str | None
    timings_ms: dict[str, float]
    feedback: FeedbackOut | None


@router.get("", response_model=Page[LoggedQueryOut])
async def list_queries(
    request: Request,
    tenant: ReadTenant,
    services: ServicesDep,
    page: PageDep,
    since: Annotated[Time | None, Query(alias="from", description="Queries of this time (RFC 3339) or later")] = None,
    until: Annotated[Time | None, Query(alias="to", description="Queries before this time")] = None,
    vote: Annotated[
        Literal["up", "down", "none", "any"] | None, Query(description="What users have said of the answer")
    ] = None,
    verdict: Verdict | None = None,
) -> dict[str, Any]:
    """List what was asked and answered, newest first, where the tenant's query log is on: the question, what was
    searched for and found, the answer with its citations and verdict, timings, and what users say of it."""
    await request.app.state.query_log.flush()
    sought = Sought(page.limit + 1, before(page.after(str, str)), since, until, vote, verdict)
    found = await query_log.list_queries(services.database, tenant.number, sought)
    rows = [LoggedQueryOut.model_validate(each, from_attributes=True) for each in found]
    return page_of(rows, page.limit, lambda row: [row.at.isoformat(), row.id])


@router.post("/{id}/feedback")
async def give_feedback(
    request: Request, id: JobId, body: FeedbackBody, tenant: QueryTenant, services: ServicesDep
) -> FeedbackOut:
    """Say whether an answer was good, by the `id` that came with it, why, and what would have been right. It takes the
    place of what was said before; 409 `query_log_off` where the tenant's questions are not logged."""
    await query_log.refuse_if_off(services.database, tenant.number)
    await request.app.state.query_log.flush()
    given = await query_log.give_feedback(
        services.database, tenant.number, id, body.vote, body.comment, body.right_answer, tenant.key_id
    )
    return FeedbackOut.model_validate(given, from_attributes=True)
