from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field, ValidationError

from app.adapters.loss_plot import plot_loss
from app.adapters.training_request import MAX_ROWS, MIN_ROWS, Hyperparameters, Method, validated_rows
from app.adapters.version import MAX_NAME, NAME, refuse_name
from app.api.adapters import refuse_without_engine
from app.api.async_work import IdempotencyKey, accepted, idempotency
from app.api.deps import AdaptersTenant, KeyFirst, ServicesDep
from app.api.jobs import JobId, job_out
from app.api.json_bodies import refusal
from app.api.schemas import Body, JobOut
from app.errors import Conflict, InvalidInput, MissingExtra, NotFound
from app.storage import job_creation, jobs
from app.storage.job_removal import delete_task

router = APIRouter(route_class=KeyFirst, tags=["Adapters"])


class TuneBody(Body):
    name: Annotated[str, Field(pattern=f"^{NAME.pattern}$", max_length=MAX_NAME)]
    method: Method = "sft"
    rows: Annotated[list[dict[str, Any]], Field(min_length=MIN_ROWS, max_length=MAX_ROWS)] = Field(
        description="{instruction, input?, output} for sft, {instruction, input?, chosen, rejected} for dpo"
    )
    hyperparameters: Hyperparameters = Hyperparameters()


@router.post("/tune", status_code=202)
async def tune(
    body: TuneBody,
    tenant: AdaptersTenant,
    services: ServicesDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Train an adapter on these rows: 202 and a job that ends in its next version, which is checked as an upload is."""
    refuse_without_engine(services)
    refuse_name(body.name)
    spec = await asyncio.to_thread(_spec, body, services.settings.max_lora_rank)
    repeated = await asyncio.to_thread(idempotency, idempotency_key, "POST /tune", [body.name, spec])
    task = jobs.Task("tune", body.name, spec=spec)
    most = services.settings.tenant_tasks
    job, new = await job_creation.create_job(services.database, tenant.number, task, repeated, most=most)
    accepted(response, f"/jobs/{job.id}", new=new, ended=False)
    return job_out(job)


def _spec(body: TuneBody, max_rank: int) -> dict[str, Any]:
    if body.hyperparameters.rank > max_rank:
        raise InvalidInput(
            f"The engine takes a rank of at most {max_rank} (KYUJANG_MAX_LORA_RANK).", pointer="/hyperparameters/rank"
        )
    try:
        rows = validated_rows(body.method, body.rows)
    except ValidationError as error:
        raise refusal(error, "rows") from None
    return {
        "method": body.method,
        "rows": [row.model_dump() for row in rows],
        "hyperparameters": body.hyperparameters.model_dump(),
    }


@router.delete("/tune/{id}", status_code=204)
async def delete_training(id: JobId, tenant: AdaptersTenant, services: ServicesDep) -> None:
    """Delete an ended training: its rows, its progress and its result. The adapter that it made stays."""
    await delete_task(services.database, tenant.number, id, "tune")


@router.get("/jobs/{id}/loss.png", response_class=Response, responses={200: {"content": {"image/png": {}}}})
async def loss_curve(id: JobId, tenant: AdaptersTenant, services: ServicesDep) -> Response:
    """Draw a training's loss so far. The points are the job's `progress.curve`."""
    job = await jobs.get_job(services.database, tenant.number, id)
    curve = (job.progress or {}).get("curve")
    if not curve:
        raise NotFound("This job has no loss to show: it is not a training, or has made no step yet.")
    try:
        picture = await asyncio.to_thread(plot_loss, curve)
    except MissingExtra as error:
        raise Conflict(f"The points are the job's `progress.curve`. {error.detail}") from None
    return Response(picture, media_type="image/png", headers={"Cache-Control": "no-cache"})
