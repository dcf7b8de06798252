from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from starlette.datastructures import FormData, UploadFile

from app.adapters import activation, registry
from app.adapters.version import MAX_NAME, NAME, AdapterVersion
from app.api.adapter_schemas import (
    ActivateAdapterBody,
    ActivationOut,
    AdapterOut,
    EvaluateBody,
    RollbackOut,
)
from app.api.async_work import IdempotencyKey, Wait, accepted, ended_job, idempotency, waited_for
from app.api.deps import (
    AdaptersTenant,
    AnyTenant,
    EvaluateTenant,
    EvaluatingTenant,
    KeyFirst,
    PageDep,
    ServicesDep,
    page_of,
)
from app.api.jobs import before, job_out
from app.api.schemas import JobOut, JobSummary, Page
from app.api.uploads import FORM, content_type, received_form
from app.errors import Conflict, InvalidInput, NotFound, TooLarge, TooManyRequests, UnsupportedMediaType
from app.services import Services
from app.storage import job_creation, jobs
from app.storage.tenancy import TenantNumber

router = APIRouter(route_class=KeyFirst, prefix="/adapters", tags=["Adapters"])

FIELDS = ("name", "file")
ENDED = frozenset({"ready", "rejected", "failed"})
BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["name", "file"],
                "properties": {
                    "name": {"type": "string", "pattern": f"^{NAME.pattern}$", "maxLength": MAX_NAME},
                    "file": {
                        "type": "string",
                        "format": "binary",
                        "description": "A .tar.gz or .zip of the folder that PEFT saved",
                    },
                },
            }
        }
    },
}

Name = Annotated[str, Path(pattern=f"^{NAME.pattern}$", max_length=MAX_NAME)]
Version = Annotated[int | None, Query(ge=1, lt=2**31)]


@router.post("", status_code=202, openapi_extra={"requestBody": BODY}, responses={200: {"model": AdapterOut}})
async def add_adapter(
    request: Request,
    response: Response,
    tenant: AdaptersTenant,
    services: ServicesDep,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> AdapterOut:
    """Upload a new version of a LoRA adapter: 202, then it is checked, loaded and proved. It changes no answer until it
    is activated or named.

    It is checked, loaded into every engine and compared with the base model. The newest version's archive again is
    that version.
    """
    refuse_without_engine(services)
    if content_type(request) != FORM:
        raise UnsupportedMediaType("Send multipart/form-data with 'name' and 'file'.")
    adapter, new = await _from_form(request, services, tenant.number, idempotency_key)
    adapter = await waited_for(
        tenant,
        adapter,
        wait,
        ended=lambda each: each.status in ENDED,
        again=lambda each: registry.get(services.database, tenant.number, each.name, each.version),
    )
    location = f"/adapters/{adapter.name}?version={adapter.version}"
    ended = wait > 0 and adapter.status in ENDED
    accepted(response, location, new=new or idempotency_key is None, ended=ended)
    return _shown(adapter)


@router.get("", response_model=Page[AdapterOut])
async def list_adapters(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List every version with its state, by name, the newest of a name first."""
    after = page.after(str, int)
    rows = await registry.versions(
        services.database,
        tenant.number,
        limit=page.limit + 1,
        after=(after[0], min(after[1], 2**31 - 1)) if after else None,
    )
    return page_of([_shown(row) for row in rows], page.limit, lambda row: [row.name, row.version])


@router.get("/activations", response_model=Page[ActivationOut])
async def list_activations(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List what was activated, deactivated and rolled back, when and by which key, newest first."""
    after = page.after(int)
    rows = await activation.trail(
        services.database, tenant.number, limit=page.limit + 1, before=min(after[0], 2**63 - 1) if after else None
    )
    lines = [ActivationOut.model_validate(row, from_attributes=True) for row in rows]
    return page_of(lines, page.limit, lambda row: [row.seq])


@router.post("/deactivate", status_code=204)
async def deactivate_adapters(tenant: AdaptersTenant, services: ServicesDep) -> None:
    """Let the base model answer from the next query on."""
    await activation.deactivate(services.database, tenant.number, tenant.key_id)


@router.post("/rollback")
async def roll_back(tenant: AdaptersTenant, services: ServicesDep) -> RollbackOut:
    """Return to what answered before the last activation or deactivation, from the next query on."""
    active = await activation.rollback(services.database, tenant.number, tenant.key_id)
    return RollbackOut(active=_shown(active) if active else None)


@router.get("/{name}")
async def get_adapter(name: Name, tenant: AnyTenant, services: ServicesDep, version: Version = None) -> AdapterOut:
    """Show the active version, else the newest; or one version, with `?version=`."""
    return _shown(await registry.get(services.database, tenant.number, name, version))


@router.post("/{name}/activate")
async def activate_adapter(
    name: Name, body: ActivateAdapterBody, tenant: AdaptersTenant, services: ServicesDep
) -> AdapterOut:
    """Let a version answer the tenant's queries from the next one on."""
    return _shown(await activation.activate(services.database, tenant.number, name, body.version, tenant.key_id))


@router.post("/{name}/evaluate", status_code=202, responses={200: {"model": JobOut}})
async def evaluate_adapter(
    name: Name,
    body: EvaluateBody,
    response: Response,
    tenant: EvaluatingTenant,
    services: ServicesDep,
    wait: Wait = 0,
    idempotency_key: IdempotencyKey = None,
) -> JobOut:
    """Compare the adapter's answers with the base model's, case by case, as a job; its `result` is the report."""
    adapter = await registry.get(services.database, tenant.number, name, body.version)
    refuse_without_engine(services)
    if adapter.status != "ready":
        raise Conflict(f"This adapter is {adapter.status!r}; only one that is 'ready' can be evaluated.")
    spec = await asyncio.to_thread(body.model_dump, mode="json", by_alias=True, exclude={"version"})
    parts = [name, body.version, spec]
    repeated = await asyncio.to_thread(idempotency, idempotency_key, "POST /adapters/{name}/evaluate", parts)
    task = jobs.Task("evaluate", name, adapter.version, spec)
    most = services.settings.tenant_tasks
    job, new = await job_creation.create_job(services.database, tenant.number, task, repeated, most=most)
    job = await ended_job(services, tenant, job, wait)
    accepted(response, f"/jobs/{job.id}", new=new, ended=wait > 0 and job.finished_at is not None)
    return job_out(job)


@router.get("/{name}/evaluations", response_model=Page[JobSummary])
async def list_evaluations(name: Name, tenant: EvaluateTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List these jobs, newest first. `GET /jobs/{id}` has the report."""
    await registry.get(services.database, tenant.number, name)
    rows = await jobs.list_jobs(
        services.database,
        tenant.number,
        limit=page.limit + 1,
        before=before(page.after(str, str)),
        kinds=["evaluate"],
        name=name,
    )
    return page_of([job_out(row) for row in rows], page.limit, lambda row: [row.created_at.isoformat(), row.id])


@router.delete("/{name}", status_code=204)
async def delete_adapter(name: Name, tenant: AdaptersTenant, services: ServicesDep, version: Version = None) -> None:
    """Delete all versions, or one, with `?version=`. Their numbers are not used again; an active one is refused."""
    await registry.delete(services.database, tenant.number, name, version)


def refuse_without_engine(services: Services) -> None:
    if services.settings.engine == "none":
        raise Conflict(
            "This service runs without a language model (KYUJANG_ENGINE=none), which adapters belong to. Its operator "
            "can start one: leave KYUJANG_ENGINE out."
        )


async def _from_form(
    request: Request, services: Services, tenant: TenantNumber, idempotency_key: str | None
) -> tuple[AdapterVersion, bool]:
    async with received_form(request, FIELDS, max_files=1, max_fields=1, max_part_bytes=1 << 10) as form:
        name, file = _checked(form)
        blob = await services.blobs.save(tenant, file.file)
    repeated = idempotency(idempotency_key, "POST /adapters", [name, blob.sha256.hex()])
    try:
        adapter, new = await registry.create_version(
            services.database, tenant, name, blob, request=repeated, most=services.settings.tenant_tasks
        )
    except (InvalidInput, NotFound, TooLarge, TooManyRequests):
        await services.blobs.discard([blob.path])
        raise
    # On other errors the version may exist: a blob that is not needed is removed later.
    if not new:
        await services.blobs.discard([blob.path])
    return adapter, new


def _checked(form: FormData) -> tuple[str, UploadFile]:
    name, file = form.get("name"), form.get("file")
    if not isinstance(name, str):
        raise InvalidInput("Send the adapter's name, as -F name=NAME.", pointer="/name")
    if not isinstance(file, UploadFile):
        raise InvalidInput("Send the adapter's archive, as -F file=@PATH.", pointer="/file")
    return name, file


def _shown(adapter: AdapterVersion) -> AdapterOut:
    return AdapterOut.model_validate(adapter, from_attributes=True)
