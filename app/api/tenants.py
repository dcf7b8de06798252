from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Response

from app.api.async_work import IdempotencyKey, idempotency
from app.api.deps import KeyFirst, OperatorKey, PageDep, ServicesDep, page_of
from app.api.filters import filter_as_sent
from app.api.key_schemas import ChangedKeyBody, KeyBody, KeyOut, NewKeyOut
from app.api.limit_schemas import TenantChangesBody
from app.api.schemas import DeletionOut, Page, TenantBody, TenantOut
from app.errors import NotFound
from app.storage import keys, limits, query_log, tenant_deletions, tenants

router = APIRouter(route_class=KeyFirst, prefix="/tenants", tags=["Operator"], dependencies=[Depends(OperatorKey())])


@router.post("", status_code=201)
async def create_tenant(
    body: TenantBody, services: ServicesDep, response: Response, idempotency_key: IdempotencyKey = None
) -> TenantOut:
    """Create a tenant."""
    request = idempotency(idempotency_key, "POST /tenants", [body.id, body.name])
    own = {str(name): most for name, most in services.settings.limits_of_new_tenants.items()}
    record, new = await tenants.create_tenant(services.database, body.id, body.name, request, limits=own)
    if not new:
        response.headers["Idempotency-Replayed"] = "true"
    return TenantOut.model_validate(record, from_attributes=True)


@router.get("", response_model=Page[TenantOut])
async def list_tenants(services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List tenants."""
    after = page.after(str)
    rows = await tenants.list_tenants(services.database, limit=page.limit + 1, after=after[0] if after else None)
    return page_of(
        [TenantOut.model_validate(row, from_attributes=True) for row in rows], page.limit, lambda row: [row.id]
    )


@router.patch("/{tenant_id}")
async def change_tenant(tenant_id: str, body: TenantChangesBody, services: ServicesDep) -> TenantOut:
    """Change what is given: a tenant's limits, where null takes one away, and for how many days its questions are
    logged, where null logs none. It holds from the next request on."""
    changes = body.limits.model_dump(exclude_unset=True)
    await limits.set_limits(services.database, _slug(tenant_id), changes)
    if "query_log_days" in body.model_fields_set:
        await query_log.set_days(services.database, tenant_id, body.query_log_days)
    return TenantOut.model_validate(await tenants.get_tenant(services.database, tenant_id), from_attributes=True)


@router.delete("/{tenant_id}", status_code=202)
async def delete_tenant(tenant_id: str, services: ServicesDep, response: Response) -> DeletionOut:
    """Delete a tenant with all it has. Its keys open nothing from now on; `GET /tenants/{id}/deletion` shows when the
    rest is gone, and the same request gives the same deletion until then."""
    deletion = await tenant_deletions.accept(services.database, _slug(tenant_id))
    response.headers["Location"] = f"/tenants/{deletion.tenant}/deletion"
    return DeletionOut.model_validate(deletion, from_attributes=True)


@router.get("/{tenant_id}/deletion")
async def get_deletion(tenant_id: str, services: ServicesDep) -> DeletionOut:
    """Show how far the deletion of a tenant is, and what was deleted; for `KYUJANG_JOBS_KEPT_DAYS` after its end."""
    deletion = await tenant_deletions.newest(services.database, _slug(tenant_id))
    return DeletionOut.model_validate(deletion, from_attributes=True)


@router.post("/{tenant_id}/keys", status_code=201)
async def create_key(
    tenant_id: str, body: KeyBody, services: ServicesDep, idempotency_key: IdempotencyKey = None
) -> NewKeyOut:
    """Create a key. It is in this answer and never shown again: the same `Idempotency-Key` again is 409."""
    # As before for a request that names nothing new: it may have been sent before there was that.
    unnamed = {name for name in ("limits", "only", "groups") if getattr(body, name) is None}
    sent = body.model_dump(mode="json", by_alias=True, exclude=unnamed)
    request = idempotency(idempotency_key, "POST /tenants/{id}/keys", [tenant_id, sent])
    own = body.limits.model_dump(exclude_none=True) if body.limits else None
    only = filter_as_sent(body.only) if body.only else None
    new = await keys.create_key(
        services.database, tenant_id, body.scopes, body.expires_at, request, limits=own, only=only, groups=body.groups
    )
    record = KeyOut.model_validate(new.record, from_attributes=True)
    return NewKeyOut(**record.model_dump(), key=new.secret)


@router.get("/{tenant_id}/keys", response_model=Page[KeyOut])
async def list_keys(tenant_id: str, services: ServicesDep, page: PageDep) -> dict[str, Any]:
    """List a tenant's keys, without their secrets."""
    after = page.after(str)
    rows = await keys.list_keys(services.database, tenant_id, limit=page.limit + 1, after=after[0] if after else None)
    return page_of([KeyOut.model_validate(row, from_attributes=True) for row in rows], page.limit, lambda row: [row.id])


@router.patch("/{tenant_id}/keys/{key_id}")
async def change_key(tenant_id: str, key_id: str, body: ChangedKeyBody, services: ServicesDep) -> KeyOut:
    """Change a key's limits, those that are given, where null takes one away, which documents it sees (`only`, where
    null is all), and the list of groups that it goes by. It holds from the next request on, and the key's secret
    stays."""
    if not key_id.isalnum():
        raise NotFound
    changes: dict[str, Any] = {"limits": body.limits.model_dump(exclude_unset=True) if body.limits else {}}
    if "only" in body.model_fields_set:
        changes["only"] = filter_as_sent(body.only) if body.only else None
    if body.groups is not None:
        changes["groups"] = body.groups
    changed = await keys.change_key(services.database, tenant_id, key_id, changes)
    return KeyOut.model_validate(changed, from_attributes=True)


@router.delete("/{tenant_id}/keys/{key_id}", status_code=204)
async def revoke_key(tenant_id: str, key_id: str, services: ServicesDep) -> None:
    """Revoke a key. It is refused from the very next request."""
    await keys.revoke_key(services.database, tenant_id, key_id)


def _slug(tenant_id: str) -> str:
    if not tenants.SLUG.fullmatch(tenant_id):
        raise NotFound
    return tenant_id
