from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import AfterValidator, BaseModel, BeforeValidator

from app.api.callers import may_be_operators
from app.api.deps import Credentials, KeyFirst, OperatorKey, PageDep, ServicesDep, TenantKey, page_of
from app.api.schemas import Page
from app.api.times import parse_time
from app.language.unicode import clean_line
from app.storage import audit
from app.storage.audit import Act, Kind, Sought
from app.storage.tenants import Tenant

router = APIRouter(route_class=KeyFirst, tags=["Audit"])

Time = Annotated[datetime, BeforeValidator(parse_time)]
Text = Annotated[Annotated[str, AfterValidator(clean_line)] | None, Query(max_length=600)]


class ReadingKey(TenantKey):
    """Returns the caller's tenant, None for the operator. Raises Unauthorized or Forbidden."""

    async def __call__(  # type: ignore[override]
        self, request: Request, services: ServicesDep, credentials: Credentials
    ) -> Tenant | None:
        if services.settings.auth == "on" and may_be_operators(services.settings, credentials):
            await OperatorKey()(request, services, credentials)
            return None
        return await super().__call__(request, services, credentials)


Reader = Annotated[Tenant | None, Depends(ReadingKey("read"))]


class EntryOut(BaseModel):
    """`actor` is a key's id, a token's subject after `sub:`, `operator`, `command` or `no key`; `before` and `after`
    say what changed."""

    id: int
    at: datetime
    tenant: str | None
    actor: str
    route: str | None
    request_id: str | None
    act: Act
    kind: Kind
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@router.get("/audit", response_model=Page[EntryOut])
async def list_audit(
    reader: Reader,
    services: ServicesDep,
    page: PageDep,
    since: Annotated[Time | None, Query(alias="from", description="Entries of this time (RFC 3339) or later")] = None,
    until: Annotated[Time | None, Query(alias="to", description="Entries before this time")] = None,
    actor: Text = None,
    object: Annotated[Text, Query(description="What was changed: the id of a key, a document …")] = None,
) -> dict[str, Any]:
    """List who changed what, newest first: keys, prompts, adapters, collections, deletions, exports. The operator's key
    shows all tenants', a key that is bound to a part what it did itself."""
    after = page.after(int)
    if reader is not None and reader.is_bound:
        # Entries name documents outside its part, too. A key that asks for another's gets nothing.
        actor = reader.key_id if actor in (None, reader.key_id) else ""
    sought = Sought(page.limit + 1, after[0] if after else None, since, until, actor, object)
    entries = await audit.list_entries(services.database, reader.number if reader else None, sought)
    shown = [
        EntryOut(id=each.seq, **{name: getattr(each, name) for name in EntryOut.model_fields if name != "id"})
        for each in entries
    ]
    return page_of(shown, page.limit, lambda row: [row.id])
