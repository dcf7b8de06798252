"""Evaluations of answers: tasks, as an adapter's are (app/api/adapters.py)."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from app.adapters import activation
from app.api.adapters import refuse_without_engine
from app.api.async_work import IdempotencyKey, Wait, accepted, ended_job, idempotency
from app.api.deps import EvaluateTenant, EvaluatingTenant, KeyFirst, PageDep, ServicesDep, page_of
from app.api.evaluation_schemas import EvaluationBody
from app.api.jobs import JobId, before, job_out
from app.api.schemas import JobOut, JobSummary, Page
from app.errors import InvalidInput, NotFound
from app.prompting import stored_prompts
from app.services import Services
from app.storage import job_creation, jobs
from app.storage.job_removal import delete_task
from app.storage.tenancy import TenantNumber

router = APIRouter(route_class=KeyFirst, prefix="/evaluations", tags=["Evaluations"])


@router.post("", status_code=202, responses={200: {"model": JobOut}})
async def evaluate(
    body: EvaluationBody,
    response: Response,
    tenant: EvaluatingTenant,
    services: ServicesDep,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Measure the answers to your own questions, or compare up to four prompts, adapters or settings on them: 202 and
    a job, whose `result` is the report.

    What is measured without a model comes first: refusals, expected answers and exact values contained, documents
    cited. With `judge` the engine judges too, with its own error where `samples` are sent.
    """
    if body.judge is not None:
        refuse_without_engine(services)
    spec = await asyncio.to_thread(_spec, body)
    await _refuse_unknown(services, tenant.number, spec["compare"])
    repeated = await asyncio.to_thread(idempotency, idempotency_key, "POST /evaluations", [spec])
    task, most = jobs.Task("evaluate", "", spec=spec), services.settings.tenant_tasks
    job, new = await job_creation.create_job(services.database, tenant.number, task, repeated, most=most)
    job = await ended_job(services, tenant, job, wait)
    accepted(response, f"/evaluations/{job.id}", new=new, ended=wait > 0 and job.finished_at is not None)
    return job_out(job)


@router.get("", response_model=Page[JobSummary])
async def list_evaluations(tenant: EvaluateTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List the evaluations, those of adapters too, newest first. They stay until they are deleted."""
    rows = await jobs.list_jobs(
        services.database,
        tenant.number,
        limit=page.limit + 1,
        before=before(page.after(str, str)),
        kinds=["evaluate"],
    )
    return page_of([job_out(row) for row in rows], page.limit, lambda row: [row.created_at.isoformat(), row.id])


@router.get("/{id}")
async def get_evaluation(id: JobId, tenant: EvaluateTenant, services: ServicesDep) -> JobOut:
    """Show an evaluation: its `progress`, and its `result` once it has ended."""
    job = await jobs.get_job(services.database, tenant.number, id)
    if job.kind != "evaluate":
        raise NotFound
    return job_out(job)


@router.delete("/{id}", status_code=204)
async def delete_evaluation(id: JobId, tenant: EvaluateTenant, services: ServicesDep) -> None:
    """Delete an ended evaluation: its cases and its report."""
    await delete_task(services.database, tenant.number, id, "evaluate")


def _spec(body: EvaluationBody) -> dict[str, Any]:
    ways = [way.model_dump(mode="json", exclude_none=True) for way in body.compare]
    return {**body.model_dump(mode="json", exclude={"compare"}), "compare": ways}


async def _refuse_unknown(services: Services, tenant: TenantNumber, ways: list[dict[str, Any]]) -> None:
    """Raise InvalidInput for a prompt or an adapter that cannot answer, before the cases are asked in vain."""
    async with services.database.snapshot(tenant) as snapshot:
        for number, way in enumerate(ways):
            try:
                await stored_prompts.resolve(snapshot.connection, tenant, way.get("prompt"))
                adapter = await activation.resolve(snapshot.connection, tenant, way.get("adapter"))
            except InvalidInput as error:
                name = error.errors[0]["pointer"]
                raise InvalidInput(error.detail, pointer=f"/compare/{number}{name}") from None
            except NotFound:
                raise InvalidInput("There is no such adapter.", pointer=f"/compare/{number}/adapter") from None
            if adapter is not None and services.engine is None and "adapter" in way:
                detail = "Only an engine can use an adapter, and there is none."
                raise InvalidInput(detail, pointer=f"/compare/{number}/adapter")
