"""Decide which of a tenant's adapters answers its queries. Each switch is one transaction, and can be rolled back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.rows import DictRow

from app.adapters.registry import lock, read
from app.adapters.trail import record_step
from app.adapters.version import MAX_NAME, REFERENCE, AdapterVersion, Published
from app.errors import Conflict, InvalidInput
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.removals import NULL_IF_HELD, unless_held
from app.storage.tenancy import TenantNumber, is_kept

Action = Literal["activate", "deactivate", "rollback"]
AUTO, NONE = "auto", "none"


@dataclass(frozen=True, slots=True)
class Activation:
    """An entry of the history; without a name the base model answers from then on. `by` is the key that did it."""

    seq: int
    action: Action
    name: str | None
    version: int | None
    by: str | None
    at: datetime


async def resolve(connection: Connection, tenant: TenantNumber, reference: str | None) -> AdapterVersion | None:
    """Return the adapter that a query means, None for the base model. `connection` is of the tenant.

    None or `auto` is the active one, `name` its active or else its newest ready version. Raises NotFound, or
    InvalidInput if it cannot answer.
    """
    if reference == NONE:
        return None
    if reference is None or reference == AUTO:
        row = await _in_force(connection, tenant)
        return await read(connection, tenant, row["name"], row["version"]) if row and row["name"] else None
    found = REFERENCE.fullmatch(reference)
    if found is None or len(found["name"]) > MAX_NAME:
        raise InvalidInput("An adapter is named 'auto', 'none', 'name' or 'name@version'.", pointer="/adapter")
    return await _ready(connection, tenant, found["name"], int(found["version"]) if found["version"] else None)


async def activate(
    database: Database, tenant: TenantNumber, name: str, version: int, key_id: str | None = None
) -> AdapterVersion:
    """Let it answer from the next query on. Raises NotFound, or Conflict unless it is ready."""
    async with database.transaction(tenant) as connection:
        await lock(connection, tenant)
        adapter = await read(connection, tenant, name, version)
        if adapter.status != "ready":
            raise Conflict(f"This adapter is {adapter.status!r}; only one that is 'ready' can be activated.")
        if not adapter.active:
            current = await _in_force(connection, tenant)
            await _write(connection, tenant, "activate", name, version, current["seq"] if current else None, key_id)
        return await read(connection, tenant, name, version)


async def deactivate(database: Database, tenant: TenantNumber, key_id: str | None = None) -> None:
    """Let the base model answer from the next query on."""
    async with database.transaction(tenant) as connection:
        await lock(connection, tenant)
        current = await _in_force(connection, tenant)
        if current is not None and current["name"] is not None:
            await _write(connection, tenant, "deactivate", None, None, current["seq"], key_id)


async def rollback(database: Database, tenant: TenantNumber, key_id: str | None = None) -> AdapterVersion | None:
    """Undo the last step, and with each call one more. Return what is active then, None for the base model.

    Raises Conflict if there is nothing to undo, or the adapter is deleted.
    """
    async with database.transaction(tenant) as connection:
        await lock(connection, tenant)
        current = await _in_force(connection, tenant)
        if current is None or (current["name"] is None and current["previous"] is None):
            raise Conflict("There is nothing to roll back to: no adapter was active before.")
        before = await _row(connection, tenant, current["previous"])
        name, version, previous = (before["name"], before["version"], before["previous"]) if before else (None,) * 3
        if before is not None and before["deleted"]:
            raise Conflict(
                f"{name}@{version}, which was active before, is deleted: activate another adapter, or "
                "POST /adapters/deactivate."
            )
        await _write(connection, tenant, "rollback", name, version, previous, key_id)
        return await read(connection, tenant, name, version) if name else None


async def trail(database: Database, tenant: TenantNumber, *, limit: int, before: int | None = None) -> list[Activation]:
    """Return a page of the history, newest first. `before` is the last entry of the page before."""
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select seq, action, name, version, key_id as by, at from adapter_activations
            where tenant_id = %(tenant)s and (%(before)s::bigint is null or seq < %(before)s)
            order by seq desc limit %(limit)s
            """,
            {"tenant": tenant, "before": before, "limit": limit},
        )
    return [Activation(**row) for row in rows]


async def desired(database: Database) -> list[Published]:
    """Return the active adapters of all tenants."""
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select v.tenant_id, v.engine_name, encode(v.digest, 'hex') as digest from (
                select distinct on (tenant_id) tenant_id, name, version from adapter_activations
                order by tenant_id, seq desc
            ) f join adapter_versions v using (tenant_id, name, version)
            where v.deleted_at is null and v.status = 'ready' and {is_kept("v.tenant_id")} order by v.tenant_id
            """,  # noqa: S608 - a constant
        )
    return [Published(*row.values()) for row in rows]


async def proved(database: Database, engine_name: str) -> tuple[Published, dict[str, Any]] | None:
    """Return a ready version with its proof."""
    async with database.operator() as connection:
        row = await fetch_one(
            connection,
            f"""
            select tenant_id, encode(digest, 'hex') as digest, proof from adapter_versions
            where engine_name = %(name)s and status = 'ready' and deleted_at is null and proof is not null
              and {is_kept("adapter_versions.tenant_id")}
            """,  # noqa: S608 - a constant
            {"name": engine_name},
        )
    return (Published(row["tenant_id"], engine_name, row["digest"]), row["proof"]) if row else None


async def kept(database: Database, grace: timedelta) -> set[str]:
    """Return the published adapters whose folders must stay, by the engines' names: in use, or deleted recently.

    Raises RemovalsHeld.
    """
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select engine_name from adapter_versions
            where published and digest is null and status not in ('rejected', 'failed')
              and (deleted_at is null or deleted_at > now() - %(grace)s)
            union all {NULL_IF_HELD}
            """,  # noqa: S608 - a constant
            {"grace": grace},
        )
    return unless_held(row["engine_name"] for row in rows)


async def of_use(database: Database, names: Sequence[str]) -> set[str]:
    """Return those of these names that engines may continue to serve: neither rejected nor deleted."""
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select engine_name from adapter_versions
            where engine_name = any(%(names)s) and deleted_at is null and status not in ('rejected', 'failed')
              and {is_kept("adapter_versions.tenant_id")}
            """,  # noqa: S608 - a constant
            {"names": list(names)},
        )
    return {row["engine_name"] for row in rows}


async def files_removed(database: Database, tenant: TenantNumber, engine_name: str) -> None:
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            update adapter_versions set published = false
            where tenant_id = %(tenant)s and engine_name = %(engine_name)s
              and (deleted_at is not null or status in ('rejected', 'failed'))
            """,
            {"tenant": tenant, "engine_name": engine_name},
        )


async def _ready(connection: Connection, tenant: TenantNumber, name: str, version: int | None) -> AdapterVersion:
    row = await fetch_one(
        connection,
        """
        select version from adapter_versions
        where tenant_id = %(tenant)s and name = %(name)s and status = 'ready' and deleted_at is null
        order by version desc limit 1
        """,
        {"tenant": tenant, "name": name},
    )
    adapter = await read(connection, tenant, name, version)
    if version is None and not adapter.active and row is not None:
        adapter = await read(connection, tenant, name, row["version"])
    if adapter.status != "ready":
        raise InvalidInput(
            f"The adapter {adapter.name}@{adapter.version} is {adapter.status!r} and cannot answer.", pointer="/adapter"
        )
    return adapter


async def _in_force(connection: Connection, tenant: TenantNumber) -> DictRow | None:
    return await fetch_one(
        connection,
        """
        select seq, name, version, previous from adapter_activations
        where tenant_id = %(tenant)s order by seq desc limit 1
        """,
        {"tenant": tenant},
    )


async def _row(connection: Connection, tenant: TenantNumber, seq: int | None) -> DictRow | None:
    return await fetch_one(
        connection,
        """
        select a.name, a.version, a.previous, v.deleted_at is not null as deleted
        from adapter_activations a left join adapter_versions v using (tenant_id, name, version)
        where a.tenant_id = %(tenant)s and a.seq = %(seq)s
        """,
        {"tenant": tenant, "seq": seq},
    )


async def _write(
    connection: Connection,
    tenant: TenantNumber,
    action: Action,
    name: str | None,
    version: int | None,
    previous: int | None,
    key_id: str | None,
) -> None:
    await record_step(connection, tenant, action, await _in_force(connection, tenant), name, version)
    values: dict[str, Any] = {"action": action, "name": name, "version": version, "previous": previous, "key": key_id}
    await connection.execute(
        """
        insert into adapter_activations (tenant_id, action, name, version, previous, key_id)
        values (%(tenant)s, %(action)s, %(name)s, %(version)s, %(previous)s, %(key)s)
        """,
        {"tenant": tenant, **values},
    )
