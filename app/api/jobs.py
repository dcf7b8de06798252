"""Jobs: documents on their way (app/storage/jobs.py), and tasks, which take no document (app/storage/tasks.py)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from app.api.deps import AnyTenant, KeyFirst, PageDep, ServicesDep, WorkTenant, page_of
from app.api.schemas import JobOut, JobSummary, Page
from app.api.sse import Event, event_stream, unchanged
from app.errors import Forbidden, InvalidInput, NotFound
from app.storage import jobs, tasks
from app.storage.database import Database
from app.storage.tenants import Tenant
from app.tenancy import TenantNumber

router = APIRouter(route_class=KeyFirst, prefix="/jobs", tags=["Documents"])

WATCH_S = 0.3
COUNTS = (*jobs.ITEM_STATUSES, "total")

Work: TypeAlias = jobs.Job | tasks.Task


def job_id(id: str) -> str:
    if not id.isascii() or not id.isprintable():
        raise NotFound
    return id


JobId = Annotated[str, Depends(job_id)]


@router.get("", response_model=Page[JobSummary])
async def list_jobs(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List jobs, newest first."""
    which: dict[str, Any] = {"limit": page.limit + 1, "before": before(page.after(str, str))}
    rows: list[Work] = [
        *await jobs.list_jobs(services.database, tenant.number, **which),
        *await tasks.list_tasks(services.database, tenant.number, **which),
    ]
    rows.sort(key=lambda row: (row.created_at, row.id), reverse=True)
    summaries = [job_out(row) for row in rows[: page.limit + 1]]
    return page_of(summaries, page.limit, lambda row: [row.created_at.isoformat(), row.id])


@router.get("/{id}")
async def get_job(id: JobId, tenant: AnyTenant, services: ServicesDep) -> JobOut:
    """Show a job with the state of each document, or with the progress and result of an adapter's work."""
    return job_out(await _find(services.database, tenant.number, id))


@router.get("/{id}/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def job_events(request: Request, id: JobId, tenant: AnyTenant, services: ServicesDep) -> StreamingResponse:
    """Stream a job's progress as server-sent events: `progress` with the counts and the documents that have changed,
    at the end `done` with the whole job."""
    work = await _find(services.database, tenant.number, id)
    if isinstance(work, tasks.Task):
        return event_stream(request, _task_progress(services.database, tenant.number, work), unchanged)
    return event_stream(request, _progress(services.database, tenant.number, work), unchanged)


@router.delete("/{id}")
async def cancel_job(id: JobId, tenant: WorkTenant, services: ServicesDep) -> JobOut:
    """Cancel what is not done yet. What is done stays."""
    work = await _find(services.database, tenant.number, id)
    if isinstance(work, tasks.Task):
        _require(tenant, "adapters")
        return job_out(await tasks.cancel_task(services.database, tenant.number, id))
    _require(tenant, "ingest")
    job, blobs = await jobs.cancel_job(services.database, tenant.number, id)
    await services.blobs.remove(blobs)
    return job_out(job)


def job_out(work: Work) -> JobOut:
    if isinstance(work, jobs.Job):
        return JobOut.model_validate(work, from_attributes=True)
    counts = {name: int(name in (work.status, "total")) for name in COUNTS}
    fields = ("id", "kind", "status", "created_at", "finished_at", "adapter", "progress", "result", "error")
    body = {name: getattr(work, name) for name in fields}
    return JobOut.model_validate({**body, "counts": counts, "documents": []}, from_attributes=True)


def before(values: list[str] | None) -> tuple[datetime, str] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), values[1]
    except ValueError:
        raise InvalidInput("This cursor is not one that this service gave out.", pointer="/cursor") from None


async def _find(database: Database, tenant: TenantNumber, job_id: str) -> Work:
    try:
        return await jobs.get_job(database, tenant, job_id)
    except NotFound:
        return await tasks.get_task(database, tenant, job_id)


def _require(tenant: Tenant, scope: str) -> None:
    if scope not in tenant.scopes:
        raise Forbidden(f"This key lacks the scope {scope!r}.")


async def _progress(database: Database, tenant: TenantNumber, job: jobs.Job) -> AsyncGenerator[Event]:
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


async def _task_progress(database: Database, tenant: TenantNumber, task: tasks.Task) -> AsyncGenerator[Event]:
    known: tasks.Task | None = None
    while task.finished_at is None:
        if task != known:
            yield "progress", _body(task)
        known = task
        await asyncio.sleep(WATCH_S)
        task = await tasks.get_task(database, tenant, task.id)
    yield "done", _body(task)


def _body(work: Work) -> dict[str, Any]:
    return job_out(work).model_dump(mode="json")
