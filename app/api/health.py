from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from app.api.adapter_schemas import MAX_CASES
from app.api.deps import Credentials, KeyFirst, ServicesDep, TenantKey, operator_asks, operator_only
from app.api.filters import MAX_FILTER_CHARACTERS, MAX_FILTER_DEPTH, MAX_FILTER_VALUES
from app.api.ingest import MAX_FIELD_BYTES, MAX_FIELDS, MAX_FILES
from app.api.job_streams import MAX_STREAMS
from app.api.limit_schemas import Used
from app.api.middleware import MAX_QUESTION_BYTES
from app.api.problems import problem
from app.api.readiness import Readiness
from app.api.schemas import MAX_INPUT_CHARACTERS, MAX_TOP_K
from app.language.unicode import MAX_METADATA_BYTES
from app.prompting.schema_limits import (
    MAX_REPETITION,
    MAX_SCHEMA_BYTES,
    MAX_SCHEMA_DEPTH,
    MAX_SCHEMA_PROPERTIES,
)
from app.settings import Settings
from app.storage import limits as tenant_limits
from app.storage.page import MAX_PAGE_BYTES
from app.storage.tenants import KEY_PREFIX, SCOPES
from app.storage.texts import MAX_TEXT_CHARACTERS, MAX_TEXT_PAGES
from app.tesseract import USUAL_PAGE_S

router = APIRouter(route_class=KeyFirst, tags=["Operations"])

Details = Annotated[bool, Depends(operator_asks)]


class Ready(BaseModel):
    """Only `status` without the operator's key; all of it with `KYUJANG_AUTH=off`, and at `KYUJANG_METRICS_PORT`."""

    status: str
    dependencies: dict[str, str] | None = None
    models: dict[str, str] | None = None
    sandbox: dict[str, str] | None = None
    """What confines the processes that read tenants' files."""


@router.get("/healthz", response_model=dict[str, str])
async def healthz(request: Request) -> dict[str, str] | Response:
    """Say that the process answers and takes requests: 200, or 503 once it has been told to stop."""
    return _stopping(request) or {"status": "ok"}


@router.get("/readyz", response_model=Ready, response_model_exclude_none=True)
async def readyz(request: Request, services: ServicesDep, details: Details) -> Ready | Response:
    """Say whether database, embedder and engine answer, as tried for real in the last 5 seconds: 200, or 503. With
    `KYUJANG_FALLBACK=extract` an engine that is still starting does not make it 503. The operator's key also brings
    what is not ready, and why."""
    if (refusal := _stopping(request)) is not None:
        return refusal
    found: Readiness = await request.app.state.readiness(services)
    if found.late:
        return _not_ready(request, found, details)
    if not details:
        return Ready(status="ready")
    return Ready(
        status="ready",
        dependencies=dict(found.dependencies),
        models={"embedder": _public(services.spaces.current.embedder.encoder.name)},
        sandbox=getattr(request.app.state, "sandbox", {}),
    )


@router.get("/metrics", response_class=Response, dependencies=[Depends(operator_only)])
async def metrics(services: ServicesDep, request: Request) -> Response:
    """Show the metrics, in Prometheus' format, to the operator's key, and without one at `KYUJANG_METRICS_PORT`."""
    accept = request.headers.get("accept", "")
    return Response(services.metrics.render(accept), headers={"Content-Type": services.metrics.media_type(accept)})


async def _own_use(request: Request, services: ServicesDep, credentials: Credentials) -> dict[str, Used]:
    """Return the limits of the tenant whose key is sent, and of the key. Raises Unauthorized if it is not valid."""
    if credentials is None or not credentials.credentials.startswith(f"{KEY_PREFIX}_"):
        return {}
    tenant = await TenantKey(*SCOPES)(request, services, credentials)
    own, used = await tenant_limits.used(services.database, tenant.number)
    found = {"tenant": Used(limits=dict(own), used=used)}
    if tenant.key_id is not None:
        own, used = await tenant_limits.used_by_key(services.database, tenant.number, tenant.key_id)
        found["key"] = Used(limits=dict(own), used=used)
    return found


@router.get("/limits")
async def limits(
    services: ServicesDep, own: Annotated[dict[str, Used], Depends(_own_use)]
) -> dict[str, int | float | Used]:
    """Say how large a request may be, and how many answers a tenant may have under way and waiting at each API
    process; to a key also its tenant's limits, its own, and what is used of them."""
    return {**_of_requests(services.settings), **own}


def _of_requests(settings: Settings) -> dict[str, int | float]:
    return {
        "max_upload_bytes": settings.max_upload_mb << 20,
        "max_json_bytes": settings.max_json_mb << 20,
        "max_question_bytes": MAX_QUESTION_BYTES,
        "max_adapter_bytes": settings.max_adapter_mb << 20,
        "max_lora_rank": settings.max_lora_rank,
        "max_evaluation_cases": MAX_CASES,
        "max_files": MAX_FILES,
        "max_form_fields": MAX_FIELDS,
        "max_form_field_bytes": MAX_FIELD_BYTES,
        "max_metadata_bytes": MAX_METADATA_BYTES,
        "max_page_bytes": MAX_PAGE_BYTES,
        "max_document_characters": settings.load_max_chars,
        "usual_ocr_page_seconds": USUAL_PAGE_S,
        "max_ocr_page_seconds": settings.ocr_timeout_s,
        "max_members": settings.max_members,
        "max_unpacked_bytes": settings.max_unpacked_mb << 20,
        "max_text_characters": MAX_TEXT_CHARACTERS,
        "max_text_pages": MAX_TEXT_PAGES,
        "max_input_characters": MAX_INPUT_CHARACTERS,
        "max_top_k": MAX_TOP_K,
        "max_filter_depth": MAX_FILTER_DEPTH,
        "max_filter_values": MAX_FILTER_VALUES,
        "max_filter_characters": MAX_FILTER_CHARACTERS,
        "max_schema_bytes": MAX_SCHEMA_BYTES,
        "max_schema_depth": MAX_SCHEMA_DEPTH,
        "max_schema_properties": MAX_SCHEMA_PROPERTIES,
        "max_schema_repetition": MAX_REPETITION,
        "max_concurrent_answers": min(settings.tenant_concurrency, settings.engine_concurrency),
        "max_waiting_answers": settings.tenant_queue,
        "max_unfinished_documents": settings.tenant_documents,
        "max_unfinished_tasks": settings.tenant_tasks,
        "max_job_streams": MAX_STREAMS,
        "max_wait_seconds": settings.queue_timeout_s,
    }


def _public(model: str) -> str:
    """Of a model in a folder of this machine only the folder's name."""
    return PurePath(model).name if model.startswith(("/", "./", "../", "~")) else model


def _stopping(request: Request) -> Response | None:
    if not request.app.state.stopping.told:
        return None
    return problem(request, 503, "not_ready", "This process stops: send requests to another one.")


def _not_ready(request: Request, found: Readiness, details: bool) -> Response:
    why = f"Not ready: {'; '.join(f'{name}: {state}' for name, state in found.late.items())}"
    return problem(
        request,
        503,
        "not_ready",
        why if details else "Not ready.",
        headers={"Retry-After": "5"},
        more={"dependencies": dict(found.dependencies)} if details else None,
    )
