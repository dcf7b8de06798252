from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from app import jobs
from app.api.deps import AnyTenant, IngestTenant, PageDep, ServicesDep, page_of
from app.api.events import Event, event_stream
from app.api.schemas import JobOut, JobSummary, Page
from app.database import Database
from app.errors import InvalidInput, NotFound

router = APIRouter(prefix="/jobs", tags=["Documents"])

WATCH_S = 0.3


def job_id(id: str) -> str:
    if not id.isascii() or not id.isprintable():
        raise NotFound
    return id


JobId = Annotated[str, Depends(job_id)]


@router.get("", response_model=Page[JobSummary])
async def list_jobs(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """Newest first."""
    rows = await jobs.list_jobs(
        services.database, tenant.number, limit=page.limit + 1, before=_before(page.after(str, str))
    )
    summaries = [JobSummary.model_validate(row, from_attributes=True) for row in rows]
    return page_of(summaries, page.limit, lambda row: [row.created_at.isoformat(), row.id])


@router.get("/{id}")
async def get_job(id: JobId, tenant: AnyTenant, services: ServicesDep) -> JobOut:
    job = await jobs.get_job(services.database, tenant.number, id)
    return JobOut.model_validate(job, from_attributes=True)


@router.get("/{id}/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def job_events(request: Request, id: JobId, tenant: AnyTenant, services: ServicesDep) -> StreamingResponse:
    """`progress` events with the counts and the documents that have changed, then `done` with the whole job."""
    job = await jobs.get_job(services.database, tenant.number, id)
    return await event_stream(request, _progress(services.database, tenant.number, job))


async def _progress(database: Database, tenant: int, job: jobs.Job) -> AsyncGenerator[Event]:
    known: list[jobs.Item | None] = [None] * len(job.documents)
    while True:
        if job.finished_at is not None:
            yield "done", _body(job)
            return
        if changed := [item for item, before in zip(job.documents, known, strict=True) if item != before]:
            yield "progress", _body(replace(job, documents=changed))
        known = list(job.documents)
        await asyncio.sleep(WATCH_S)
        job = await jobs.get_job(database, tenant, job.id)


def _body(job: jobs.Job) -> dict[str, Any]:
    return JobOut.model_validate(job, from_attributes=True).model_dump(mode="json")


@router.delete("/{id}")
async def cancel_job(id: JobId, tenant: IngestTenant, services: ServicesDep) -> JobOut:
    """What is not done yet is cancelled; what is done stays."""
    job, blobs = await jobs.cancel_job(services.database, tenant.number, id)
    await services.blobs.remove(blobs)
    return JobOut.model_validate(job, from_attributes=True)


def _before(values: list[str] | None) -> tuple[datetime, str] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), values[1]
    except ValueError:
        raise InvalidInput("This cursor is not one that this service gave out.", pointer="/cursor") from None
