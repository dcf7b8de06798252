"""What is shown of tenants and their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Scope = Literal["query", "read", "ingest", "adapters", "delegate"]


@dataclass(frozen=True, slots=True)
class TenantRecord:
    id: str
    name: str
    chunks: int
    limits: dict[str, int]
    created_at: datetime
    query_log_days: int | None = None


@dataclass(frozen=True, slots=True)
class KeyRecord:
    id: str
    scopes: Sequence[Scope]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    limits: dict[str, int]
    only: dict[str, Any] | None = None
    """The filter of the part that the key is bound to."""
    groups: str | None = None
    """The metadata list that says which groups see a document, of a key that acts for them."""


@dataclass(frozen=True, slots=True)
class NewKey:
    record: KeyRecord
    secret: str
