from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.api.deps import AnyTenant, KeyFirst, ServicesDep
from app.api.limit_schemas import Used
from app.storage import limits, parts
from app.storage.tenancy import groups

router = APIRouter(route_class=KeyFirst, tags=["Operations"])


class GroupsOut(BaseModel):
    """Whom the request acts for, and which metadata list of a document says who sees it."""

    listed_in: str
    names: list[str]


class WhoamiOut(BaseModel):
    """`key` is the key's id, or `sub:` and the subject of a token; null where no keys are asked for."""

    tenant: str
    key: str | None
    scopes: list[str]
    only: dict[str, Any] | None = Field(description="The key sees the documents that match this alone; null: all")
    groups: GroupsOut | None = Field(description="Of these alone those whose list names one of the groups")
    limits: Used = Field(description="The key's own, beside its tenant's, which are in `GET /limits`")


@router.get("/whoami")
async def whoami(tenant: AnyTenant, services: ServicesDep) -> WhoamiOut:
    """Show what the key that is sent opens: the tenant, its scopes, the part that it is bound to, its limits."""
    database = services.database
    own, used = await limits.used_by_key(database, tenant.number, tenant.key_id or "")
    acts_for = tenant.delegation
    only = None if tenant.part is None else await parts.filter_of(database, tenant.number, tenant.part)
    return WhoamiOut(
        tenant=tenant.slug,
        key=tenant.key_id,
        scopes=sorted(tenant.scopes),
        only=only,
        groups=GroupsOut(listed_in=acts_for.listed_in, names=list(groups.get())) if acts_for else None,
        limits=Used(limits=dict(own), used=used),
    )
