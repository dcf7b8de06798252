from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import AfterValidator

from app.api.async_work import IdempotencyKey, idempotency
from app.api.collection_schemas import (
    ChangedCollectionBody,
    CollectionBody,
    CollectionOut,
    DefaultsBody,
    MoveBody,
    MovedOut,
)
from app.api.deps import AnyTenant, IngestTenant, KeyFirst, PageDep, ServicesDep, page_of
from app.api.filters import filter_of
from app.api.schemas import Page
from app.errors import InvalidInput
from app.prompting import stored_prompts
from app.services import Services
from app.storage import collection_moves, collections
from app.storage.collections import collection_id
from app.storage.tenancy import TenantNumber

router = APIRouter(route_class=KeyFirst, prefix="/collections", tags=["Collections"])

IdInPath = Annotated[str, AfterValidator(collection_id), Path(alias="id", max_length=200)]


@router.post("", status_code=201)
async def create_collection(
    body: CollectionBody,
    tenant: IngestTenant,
    services: ServicesDep,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> CollectionOut:
    """Create a collection, a named set of documents. `default` is there already: what names no collection is in it."""
    request = idempotency(idempotency_key, "POST /collections", [body.model_dump(mode="json")])
    defaults = await _checked(services, tenant.number, body.defaults)
    made, new = await collections.create_collection(
        services.database, tenant.number, body.id, body.name, defaults, request
    )
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return CollectionOut.model_validate(made, from_attributes=True)


@router.get("", response_model=Page[CollectionOut])
async def list_collections(tenant: AnyTenant, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List the collections, each with how many documents it has."""
    after = page.after(str)
    rows = await collections.list_collections(
        services.database, tenant.number, limit=page.limit + 1, after=after[0] if after else None
    )
    shown = [CollectionOut.model_validate(row, from_attributes=True) for row in rows]
    return page_of(shown, page.limit, lambda row: [row.id])


@router.get("/{id}")
async def get_collection(collection: IdInPath, tenant: AnyTenant, services: ServicesDep) -> CollectionOut:
    """Show a collection."""
    found = await collections.get_collection(services.database, tenant.number, collection)
    return CollectionOut.model_validate(found, from_attributes=True)


@router.patch("/{id}")
async def change_collection(
    collection: IdInPath, body: ChangedCollectionBody, tenant: IngestTenant, services: ServicesDep
) -> CollectionOut:
    """Change a collection's name or defaults. The next question in it is asked with them."""
    changes: dict[str, Any] = {"name": body.name} if "name" in body.model_fields_set else {}
    if body.defaults is not None:
        changes["defaults"] = await _checked(services, tenant.number, body.defaults)
    changed = await collections.change_collection(services.database, tenant.number, collection, changes)
    return CollectionOut.model_validate(changed, from_attributes=True)


@router.post("/{id}/documents")
async def move_documents(collection: IdInPath, body: MoveBody, tenant: IngestTenant, services: ServicesDep) -> MovedOut:
    """Move the documents that `filters` let through into this collection, each with what it holds: all at once, or
    none."""
    where = filter_of(body.filters)
    return MovedOut(moved=await collection_moves.move_documents(services.database, tenant.number, collection, where))


@router.delete("/{id}", status_code=204)
async def delete_collection(
    collection: IdInPath,
    tenant: IngestTenant,
    services: ServicesDep,
    documents: Annotated[
        Literal["delete"] | None, Query(description="`delete`: its documents too; without it, it has to be empty")
    ] = None,
) -> None:
    """Delete a collection: an empty one, or with `?documents=delete` all that is in it."""
    await collection_moves.delete_collection(
        services.database, tenant.number, collection, with_documents=documents is not None
    )


async def _checked(services: Services, tenant: TenantNumber, defaults: DefaultsBody) -> dict[str, Any]:
    """Return them as they are stored. Raises InvalidInput for a prompt that is not there."""
    if defaults.prompt is not None:
        async with services.database.transaction(tenant) as connection:
            try:
                await stored_prompts.resolve(connection, tenant, defaults.prompt)
            except InvalidInput as error:
                raise InvalidInput(error.detail, pointer="/defaults/prompt") from None
    return defaults.model_dump(mode="json", exclude_none=True)
