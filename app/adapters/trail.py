"""How a step of the adapters' history is told in the audit trail."""

from __future__ import annotations

from psycopg.rows import DictRow

from app.storage import audit
from app.storage.audit import Act
from app.storage.database import Connection
from app.storage.tenancy import TenantNumber


async def record_step(
    connection: Connection, tenant: TenantNumber, act: Act, was: DictRow | None, name: str | None, version: int | None
) -> None:
    before = _reference(was["name"], was["version"]) if was else None
    after = _reference(name, version)
    changes = {"before": {"active": before}, "after": {"active": after}}
    await audit.record(connection, tenant, act, "adapter", after or before or "", **changes)


def _reference(name: str | None, version: int | None) -> str | None:
    return None if name is None else f"{name}@{version}"
