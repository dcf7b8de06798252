"""Collections: named sets of a tenant's documents, each with defaults of its own for what is asked in it.

A document is in exactly one. The one called `default` is always there; in the tables it is null.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection as Ids
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.errors import UniqueViolation
from psycopg.types.json import Jsonb

from app.errors import Conflict, InvalidInput, NotFound
from app.language.unicode import clean_line
from app.storage import audit
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, first_job
from app.storage.tenancy import TenantNumber

DEFAULT = "default"
ID = re.compile(r"\w[\w.-]{0,62}")
MAX_COLLECTIONS = 1000
# Of a document: where `collection` moves it; null leaves it where it is.
MOVED = f"case when %(collection)s::text is null then collection else nullif(%(collection)s::text, '{DEFAULT}') end"


def collection_id(text: str) -> str:
    """Return the id in NFC. Raises ValueError."""
    if ID.fullmatch(name := clean_line(text)) is None:
        raise ValueError("must be letters, digits, '.', '-' and '_', at most 63, and begin with none of '.' and '-'")
    return name


@dataclass(frozen=True, slots=True)
class Collection:
    """`defaults` are fields of a question; the question's own take their place."""

    id: str
    name: str | None
    defaults: dict[str, Any]
    documents: int
    created_at: datetime


# Until it has a row of its own the default one is as old as the tenant.
ALL = f"""
    select each.*, (
        select count(*) from documents d
        where d.tenant_id = %(tenant)s and d.collection is not distinct from nullif(each.id, '{DEFAULT}')
    ) as documents
    from (
        select id, name, defaults, created_at from collections where tenant_id = %(tenant)s
        union all
        select '{DEFAULT}', null, '{{}}', t.created_at from tenants t
        where t.id = %(tenant)s
          and not exists (select from collections where tenant_id = %(tenant)s and id = '{DEFAULT}')
    ) each
"""  # noqa: S608 - constants


async def create_collection(
    database: Database,
    tenant: TenantNumber,
    collection: str,
    name: str | None,
    defaults: dict[str, Any],
    request: Idempotency | None = None,
) -> tuple[Collection, bool]:
    """Return the collection. False if `request` has made it before. Raises Conflict if the id is in use."""
    taken = Conflict(f"There is a collection {collection!r} already.")
    if collection == DEFAULT:
        raise taken
    key = {"tenant": tenant, "id": collection, "name": name, "defaults": Jsonb(defaults)}
    try:
        async with database.transaction(tenant) as connection:
            made = secrets.token_hex(12)
            new = request is None or await first_job(connection, tenant, request, made) == made
            if new:
                await _refuse_too_many(connection, tenant)
                await connection.execute(
                    """
                    insert into collections (tenant_id, id, name, defaults)
                    values (%(tenant)s, %(id)s, %(name)s::text, %(defaults)s)
                    """,
                    key,
                )
                after = {"name": name, "defaults": defaults}
                await audit.record(connection, tenant, "create", "collection", collection, after=after)
            return await read(connection, tenant, collection), new
    except UniqueViolation:
        raise taken from None


async def _refuse_too_many(connection: Connection, tenant: TenantNumber) -> None:
    row = await fetch_one(
        connection, "select count(*) from collections where tenant_id = %(tenant)s", {"tenant": tenant}
    )
    if row and row["count"] >= MAX_COLLECTIONS:
        raise Conflict(f"A tenant has at most {MAX_COLLECTIONS} collections.")


async def list_collections(
    database: Database, tenant: TenantNumber, *, limit: int, after: str | None
) -> list[Collection]:
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            f"{ALL} where each.id > %(after)s order by each.id limit %(limit)s",
            {"tenant": tenant, "after": after or "", "limit": limit},
        )
    return [Collection(**row) for row in rows]


async def get_collection(database: Database, tenant: TenantNumber, collection: str) -> Collection:
    """Raises NotFound."""
    async with database.transaction(tenant) as connection:
        return await read(connection, tenant, collection)


async def read(connection: Connection, tenant: TenantNumber, collection: str) -> Collection:
    """Raises NotFound."""
    row = await fetch_one(connection, f"{ALL} where each.id = %(id)s", {"tenant": tenant, "id": collection})
    if row is None:
        raise NotFound
    return Collection(**row)


async def change_collection(
    database: Database, tenant: TenantNumber, collection: str, changes: dict[str, Any]
) -> Collection:
    """Change its `name` or its `defaults`, whichever is given. Raises NotFound."""
    key = {"tenant": tenant, "id": collection}
    async with database.transaction(tenant) as connection:
        if collection == DEFAULT:
            await connection.execute(
                "insert into collections (tenant_id, id) values (%(tenant)s, %(id)s) on conflict do nothing", key
            )
        row = await fetch_one(
            connection,
            "select name, defaults from collections where tenant_id = %(tenant)s and id = %(id)s for no key update",
            key,
        )
        if row is None:
            raise NotFound
        changed = row | changes
        await connection.execute(
            """
            update collections set name = %(name)s::text, defaults = %(defaults)s
            where tenant_id = %(tenant)s and id = %(id)s
            """,
            {**key, "name": changed["name"], "defaults": Jsonb(changed["defaults"])},
        )
        if changed != row:
            await audit.record(connection, tenant, "change", "collection", collection, before=row, after=changed)
        return await read(connection, tenant, collection)


async def get_defaults(database: Database, tenant: TenantNumber, collection: str) -> dict[str, Any]:
    """Return what the collection says for the fields that a question leaves out. Raises InvalidInput."""
    async with database.transaction(tenant) as connection:
        row = await fetch_one(
            connection,
            "select defaults from collections where tenant_id = %(tenant)s and id = %(id)s",
            {"tenant": tenant, "id": collection},
        )
    if row is None and collection != DEFAULT:
        raise _unknown(collection)
    return row["defaults"] if row else {}


async def keep(connection: Connection, tenant: TenantNumber, collections: Ids[str]) -> None:
    """Let none of them be deleted until the transaction's end. Raises InvalidInput for one that is not there."""
    wanted = sorted({*collections} - {DEFAULT})
    if not wanted:
        return
    rows = await fetch_all(
        connection,
        """
        select id from collections where tenant_id = %(tenant)s and id = any(%(ids)s) order by id for key share
        """,
        {"tenant": tenant, "ids": wanted},
    )
    if missing := sorted({*wanted} - {row["id"] for row in rows}):
        raise _unknown(missing[0])


def _unknown(collection: str) -> InvalidInput:
    return InvalidInput(f"There is no collection {collection!r}. POST /collections creates one.", pointer="/collection")
