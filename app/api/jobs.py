"""Jobs: documents on their way, and tasks such as a training (app/storage/jobs.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from app.api.deps import AnyTenant, KeyFirst, PageDep, ServicesDep, WorkTenant, page_of
from app.api.schemas import JobOut, JobSummary, Page
from app.api.sse import Event, event_stream, unchanged
from app.errors import Forbidden, InvalidInput, NotFound
from app.storage import jobs
from app.storage.database import Database
from app.storage.jobs import Job
from app.storage.tenancy import TenantNumber

router = APIRouter(route_class=KeyFirst, prefix="/jobs", tags=["Documents"])

WATCH_S = 0.3


def job_id(id: str) -> str:
    if not id.isascii() or not id.isprintable():
        raise NotFound
    return id


JobId = Annotated[str, Depends(job_id)]


@router.get("", response_model=Page[JobSummary])
async def list_jobs(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List jobs, newest first."""
    rows = await jobs.list_jobs(
        services.database, tenant.number, limit=page.limit + 1, before=before(page.after(str, str))
    )
    return page_of([job_out(row) for row in rows], page.limit, lambda row: [row.created_at.isoformat(), row.id])


@router.get("/{id}")
async def get_job(id: JobId, tenant: AnyTenant, services: ServicesDep) -> JobOut:
    """Show a job with the state of each document, or with the progress and result of an adapter's work."""
    return job_out(await jobs.get_job(services.database, tenant.number, id))


@router.get("/{id}/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def job_events(request: Request, id: JobId, tenant: AnyTenant, services: ServicesDep) -> StreamingResponse:
    """Stream a job's progress as server-sent events: `progress` with the counts and the documents that have changed,
    at the end `done` with the whole job."""
    job = await jobs.get_job(services.database, tenant.number, id)
    return event_stream(request, _progress(services.database, tenant.number, job), unchanged)


@router.delete("/{id}")
async def cancel_job(id: JobId, tenant: WorkTenant, services: ServicesDep) -> JobOut:
    """Cancel what is not done yet. What is done stays."""
    job = await jobs.get_job(services.database, tenant.number, id)
    scope = "ingest" if job.kind == "ingest" else "adapters"
    if scope not in tenant.scopes:
        raise Forbidden(f"This key lacks the scope {scope!r}.")
    job, blobs = await jobs.cancel_job(services.database, tenant.number, id)
    await services.blobs.remove(blobs)
    return job_out(job)


def job_out(job: Job) -> JobOut:
    return JobOut.model_validate(job, from_attributes=True)


def before(values: list[str] | None) -> tuple[datetime, str] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), values[1]
    except ValueError:
        raise InvalidInput("This cursor is not one that this service gave out.", pointer="/cursor") from None


async def _progress(database: Database, tenant: TenantNumber, job: Job) -> AsyncGenerator[Event]:
    known: Job | None = None
    while job.finished_at is None:
        if known is None:
            yield "progress", _body(job)
        elif job != known:
            changed = [item for item, old in zip(job.documents, known.documents, strict=True) if item != old]
            yield "progress", _body(replace(job, documents=changed))
        known = job
        await asyncio.sleep(WATCH_S)
        job = await jobs.get_job(database, tenant, job.id)
    yield "done", _body(job)


def _body(job: Job) -> dict[str, Any]:
    return job_out(job).model_dump(mode="json")
