from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import PurePath

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from app.api.adapter_schemas import MAX_CASES
from app.api.deps import KeyFirst, ServicesDep
from app.api.filters import MAX_FILTER_DEPTH, MAX_FILTER_VALUES
from app.api.ingest import MAX_FIELD_BYTES, MAX_FIELDS, MAX_FILES
from app.api.job_streams import MAX_STREAMS
from app.api.middleware import MAX_QUESTION_BYTES
from app.api.problems import problem
from app.api.schemas import MAX_INPUT_CHARACTERS, MAX_TOP_K
from app.errors import KyujangError
from app.language.unicode import MAX_METADATA_BYTES
from app.prompting.schema_limits import (
    MAX_REPETITION,
    MAX_SCHEMA_BYTES,
    MAX_SCHEMA_DEPTH,
    MAX_SCHEMA_PROPERTIES,
)
from app.storage.page import MAX_PAGE_BYTES

router = APIRouter(route_class=KeyFirst, tags=["Operations"])

# Longer than the engine's own check takes at most.
READY_TIMEOUT_S = 10


class Ready(BaseModel):
    status: str
    dependencies: dict[str, str]
    models: dict[str, str]
    sandbox: dict[str, str]
    """What confines the processes that read tenants' files."""


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Ready)
async def readyz(request: Request, services: ServicesDep) -> Ready | Response:
    """Try database, embedder and engine for real: 200 if all are ready, 503 names what is not."""
    checks: dict[str, Awaitable[object]] = {
        "database": services.database.ready(),
        "embedder": services.spaces.current.embedder.embed(["ready?"], "query"),
    }
    if services.engine is not None:
        checks["engine"] = services.engine.ready()
    found = await asyncio.gather(*(_state(check) for check in checks.values()))
    dependencies = dict(zip(checks, found, strict=True))
    if services.engine is None:
        dependencies["engine"] = "none: answers are extractive"
    else:
        dependencies |= services.engine.replicas
    if services.spaces.stale_reason is not None:
        dependencies["embedding_switch"] = (
            f"answers rest on the model before the switch: {services.spaces.stale_reason}"
        )
    late = [name for name in checks if dependencies[name] != "ok"]
    if late:
        return _not_ready(request, dependencies, late)
    return Ready(
        status="ready",
        dependencies=dependencies,
        models={"embedder": _public(services.spaces.current.embedder.encoder.name)},
        sandbox=getattr(request.app.state, "sandbox", {}),
    )


@router.get("/metrics", response_class=Response)
async def metrics(services: ServicesDep) -> Response:
    """Show the metrics, in Prometheus' format."""
    return Response(services.metrics.render(), media_type="text/plain; version=0.0.4")


@router.get("/limits")
async def limits(services: ServicesDep) -> dict[str, int | float]:
    """Say how large a request may be, and how many answers a tenant may have under way and waiting at each API
    process."""
    settings = services.settings
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
        "max_input_characters": MAX_INPUT_CHARACTERS,
        "max_top_k": MAX_TOP_K,
        "max_filter_depth": MAX_FILTER_DEPTH,
        "max_filter_values": MAX_FILTER_VALUES,
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


async def _state(check: Awaitable[object]) -> str:
    try:
        await asyncio.wait_for(check, READY_TIMEOUT_S)
    except KyujangError as error:
        return error.detail
    except TimeoutError:
        return f"no answer within {READY_TIMEOUT_S} s"
    return "ok"


def _not_ready(request: Request, dependencies: dict[str, str], late: list[str]) -> Response:
    return problem(
        request,
        503,
        "not_ready",
        f"Not ready: {'; '.join(f'{name}: {dependencies[name]}' for name in late)}",
        headers={"Retry-After": "5"},
        more={"dependencies": dependencies},
    )
