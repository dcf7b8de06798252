"""Bodies and answers about the keys of tenants."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from app.api.filters import Filters
from app.api.limit_schemas import KeyLimits
from app.api.schemas import Body
from app.api.times import parse_time
from app.storage.keys import LATEST_EXPIRY
from app.storage.tenant_records import Scope


def _future(time: datetime) -> datetime:
    if not datetime.now(UTC) < time <= LATEST_EXPIRY:
        raise ValueError(f"must lie between now and {LATEST_EXPIRY.date()}; leave it out for never")
    return time


class KeyBody(Body):
    scopes: list[Scope] = Field(["query", "read", "ingest"], min_length=1, max_length=4)
    expires_at: Annotated[datetime, BeforeValidator(parse_time), AfterValidator(_future)] | None = None
    limits: KeyLimits | None = None
    only: Filters | None = Field(None, description="The key sees, and writes, the documents that match this alone")


class ChangedKeyBody(Body):
    limits: KeyLimits | None = None
    only: Filters | None = Field(None, description="null: it sees all documents")


class KeyOut(BaseModel):
    id: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    limits: dict[str, int]
    only: dict[str, Any] | None = None


class NewKeyOut(KeyOut):
    """`key` is shown this once."""

    key: str
