from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response

from app.api.deps import AnyTenant, IngestTenant, KeyFirst, PageDep, ServicesDep, page_of
from app.api.prompt_schemas import ActivateBody, PromptBody, PromptSummaryOut, StoredPromptOut
from app.api.query_mapping import overrides_of
from app.api.schemas import Page
from app.prompting import stored_prompts
from app.prompting.stored_prompts import StoredPrompt

router = APIRouter(route_class=KeyFirst, prefix="/prompts", tags=["Prompts"])

Name = Annotated[str, Path(pattern=f"^{stored_prompts.NAME.pattern}$")]
Version = Annotated[int | None, Query(ge=1, lt=2**31)]


@router.put("/{name}", status_code=201, responses={200: {"model": StoredPromptOut}})
async def put_prompt(
    name: Name, body: PromptBody, tenant: IngestTenant, services: ServicesDep, response: Response
) -> StoredPromptOut:
    """Store a new version of a prompt. It changes no answer until it is activated or named; the newest one again is
    200."""
    elements = overrides_of(body, body.sampling.model_dump(exclude_none=True))
    stored, new = await stored_prompts.put(services.database, tenant.number, name, elements)
    response.status_code = 201 if new else 200
    return _stored(stored)


@router.get("", response_model=Page[PromptSummaryOut])
async def list_prompts(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List the stored prompts."""
    after = page.after(str)
    rows = await stored_prompts.summaries(
        services.database, tenant.number, limit=page.limit + 1, after=after[0] if after else None
    )
    data = [
        PromptSummaryOut(name=row.name, versions=list(row.versions), active=row.active, default=row.is_default)
        for row in rows
    ]
    return page_of(data, page.limit, lambda row: [row.name])


@router.post("/deactivate", status_code=204)
async def deactivate_prompts(tenant: IngestTenant, services: ServicesDep) -> None:
    """Return to the built-in prompt, for questions that name none."""
    await stored_prompts.deactivate(services.database, tenant.number)


@router.get("/{name}")
async def get_prompt(name: Name, tenant: AnyTenant, services: ServicesDep, version: Version = None) -> StoredPromptOut:
    """Show what the name means, the active version or else the newest; or one version, with `?version=`."""
    return _stored(await stored_prompts.get(services.database, tenant.number, name, version))


@router.post("/{name}/activate")
async def activate_prompt(
    name: Name, body: ActivateBody, tenant: IngestTenant, services: ServicesDep
) -> StoredPromptOut:
    """Make a version the tenant's default from the next question on. An earlier version rolls back."""
    return _stored(await stored_prompts.activate(services.database, tenant.number, name, body.version))


@router.delete("/{name}", status_code=204)
async def delete_prompt(name: Name, tenant: IngestTenant, services: ServicesDep) -> None:
    """Delete all versions of a prompt. Their numbers are not used again."""
    await stored_prompts.delete(services.database, tenant.number, name)


def _stored(prompt: StoredPrompt) -> StoredPromptOut:
    return StoredPromptOut(
        name=prompt.name,
        version=prompt.version,
        active=prompt.active,
        default=prompt.is_default,
        created_at=prompt.created_at,
        **asdict(prompt.elements),
    )
