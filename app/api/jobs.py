"""Jobs: documents on their way, and tasks such as a training (app/storage/jobs.py)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from app.api.deps import JobsTenant, KeyFirst, PageDep, ServicesDep, TenantKey, WorkTenant, page_of
from app.api.job_streams import JobStreams
from app.api.refusals import noted
from app.api.schemas import JobOut, JobSummary, Page
from app.api.sse import event_stream, unchanged
from app.errors import InvalidInput, NotFound
from app.services import Services
from app.storage import cancellation, jobs
from app.storage.jobs import Job, JobKind, JobStatus
from app.storage.tenants import Tenant

router = APIRouter(route_class=KeyFirst, prefix="/jobs", tags=["Documents"])


def job_id(id: str) -> str:
    if not id.isascii() or not id.isprintable():
        raise NotFound
    return id


JobId = Annotated[str, Depends(job_id)]
# Which keys see a job of a kind. An evaluation's report holds answers from the documents.
SEEN_WITH: dict[JobKind, TenantKey] = {
    "ingest": TenantKey("read", "ingest"),
    "rechunk": TenantKey("read", "ingest"),
    "tune": TenantKey("adapters"),
    "evaluate": TenantKey("query", "adapters", both=True),
}
CANCELLED_WITH = {**SEEN_WITH, "ingest": TenantKey("ingest"), "rechunk": TenantKey("ingest")}


@router.get("", response_model=Page[JobSummary])
async def list_jobs(
    tenant: JobsTenant, services: ServicesDep, page: PageDep, status: JobStatus | None = None
) -> dict[str, Any]:
    """List the jobs that the key may see, newest first, or those of one `?status=`."""
    rows = await jobs.list_jobs(
        services.database,
        tenant.number,
        limit=page.limit + 1,
        before=before(page.after(str, str)),
        kinds=[kind for kind, key in SEEN_WITH.items() if key.admits(tenant)],
        status=status,
    )
    return page_of([job_out(row) for row in rows], page.limit, lambda row: [row.created_at.isoformat(), row.id])


@router.get("/{id}")
async def get_job(id: JobId, tenant: JobsTenant, services: ServicesDep) -> JobOut:
    """Show a job with the state of each document, or with the progress and result of an adapter's work.

    The first takes the scope `read` or `ingest`, a training `adapters`, an evaluation `query` and `adapters`.
    """
    return job_out(await _job(services, tenant, id, SEEN_WITH))


@router.get("/{id}/events", response_class=StreamingResponse, responses={200: {"content": {"text/event-stream": {}}}})
async def job_events(request: Request, id: JobId, tenant: JobsTenant, services: ServicesDep) -> StreamingResponse:
    """Stream a job's progress as server-sent events: `progress` with the counts and the documents that have changed,
    at the end `done` with the whole job."""
    streams: JobStreams = request.app.state.job_streams
    with noted(request):
        streams.refuse_if_full(tenant.number)
    job = await _job(services, tenant, id, SEEN_WITH)
    return event_stream(request, streams.events(services.database, tenant.number, job), unchanged)


@router.delete("/{id}")
async def cancel_job(id: JobId, tenant: WorkTenant, services: ServicesDep) -> JobOut:
    """Cancel what is not done yet. What is done stays."""
    await _job(services, tenant, id, CANCELLED_WITH)
    return job_out(await cancellation.cancel_job(services.database, tenant.number, id))


def job_out(job: Job) -> JobOut:
    return JobOut.model_validate(job, from_attributes=True)


def before(values: list[str] | None) -> tuple[datetime, str] | None:
    if values is None:
        return None
    try:
        return datetime.fromisoformat(values[0]), values[1]
    except ValueError:
        raise InvalidInput("This cursor is not one that this service gave out.", pointer="/cursor") from None


async def _job(services: Services, tenant: Tenant, job_id: str, keys: Mapping[JobKind, TenantKey]) -> Job:
    """Raises NotFound, or Forbidden if the key may not do this with a job of its kind."""
    job = await jobs.get_job(services.database, tenant.number, job_id)
    keys[job.kind].check(tenant)
    return job
