"""Record which collection of an external index has a space's vectors, and how far it has followed each tenant.

A position is confirmed: what a search finds there is all of the tenant's chunks as of that version, and chunks that
have gone since. What has changed after it, the database searches itself.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from app.storage import changelog
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

# A search whose snapshot is older than a removal would miss what is gone since. None lives as long as this.
REMOVED_AFTER_S = 120


@dataclass(frozen=True, slots=True)
class Position:
    """Versions of the tenant's chunks: what the collection has, and up to which it has removed what is gone."""

    version: int
    removed: int


async def collection_of(connection: Connection, space: int) -> str | None:
    row = await fetch_one(connection, "select name from index_collections where space = %(space)s", {"space": space})
    return row["name"] if row else None


async def name_collection(database: Database, space: int) -> str:
    """Return the name of the space's collection; choose one that no other installation has, if there is none."""
    key = {"space": space, "name": f"kyujang_{space}_{secrets.token_hex(6)}"}
    async with database.shared() as connection:
        await connection.execute(
            "insert into index_collections (space, name) values (%(space)s, %(name)s) on conflict do nothing", key
        )
        name = await collection_of(connection, space)
    assert name is not None
    return name


async def follows(database: Database, space: int, follower: str, *, lease_s: float) -> bool:
    """Take or renew the lease of the one process that writes into the collection; tell whether it is `follower`'s."""
    async with database.shared() as connection:
        row = await fetch_one(
            connection,
            """
            update index_collections set follower = %(follower)s,
                followed_till = clock_timestamp() + make_interval(secs => %(lease)s)
            where space = %(space)s and (follower = %(follower)s or coalesce(followed_till < clock_timestamp(), true))
            returning space
            """,
            {"space": space, "follower": follower, "lease": lease_s},
        )
    return row is not None


async def forget_collections(database: Database) -> list[str]:
    """Forget all collections and positions, whatever is in the index. Return the names of the collections."""
    async with database.operator() as connection:
        await connection.execute("delete from index_positions")
        rows = await fetch_all(connection, "delete from index_collections returning name")
    return [row["name"] for row in rows]


async def forget_positions(database: Database, collection: str) -> None:
    async with database.operator() as connection:
        await connection.execute(
            b"delete from index_positions where collection = %(collection)s", {"collection": collection}
        )


async def behind(database: Database, collection: str) -> list[TenantNumber]:
    """Return the tenants of which the collection has not all, or still has what is gone long enough."""
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            """
            select t.id from tenants t
            left join index_positions p on p.tenant_id = t.id and p.collection = %(collection)s
            where t.version > coalesce(p.version, 0) or p.removed < least(p.version,
                ((extract(epoch from clock_timestamp()) - %(after)s) * 1000000)::bigint)
            order by t.id
            """,
            {"collection": collection, "after": REMOVED_AFTER_S},
        )
    return [row["id"] for row in rows]


async def position(connection: Connection, tenant: TenantNumber, collection: str) -> Position | None:
    row = await fetch_one(
        connection,
        "select version, removed from index_positions where tenant_id = %(tenant)s and collection = %(collection)s",
        {"tenant": tenant, "collection": collection},
    )
    return Position(row["version"], row["removed"]) if row else None


async def confirm(connection: Connection, tenant: TenantNumber, collection: str, reached: Position) -> None:
    await connection.execute(
        """
        insert into index_positions (tenant_id, collection, version, removed)
        values (%(tenant)s, %(collection)s, %(version)s, %(removed)s)
        on conflict (tenant_id, collection) do update set version = excluded.version, removed = excluded.removed
        """,
        {"tenant": tenant, "collection": collection, "version": reached.version, "removed": reached.removed},
    )


async def forget_position(connection: Connection, tenant: TenantNumber, collection: str) -> None:
    await connection.execute(
        b"delete from index_positions where tenant_id = %(tenant)s and collection = %(collection)s",
        {"tenant": tenant, "collection": collection},
    )


async def changed_since(connection: Connection, tenant: TenantNumber, reached: Position) -> Sequence[str] | None:
    """Return the documents that changed after the position; None if the log no longer tells."""
    current = (await changelog.corpus_state(connection, tenant)).version
    if current == reached.version:
        return []
    changes = await changelog.since(connection, tenant, reached.version)
    return changes.documents if changes else None


async def gone_since(connection: Connection, tenant: TenantNumber, reached: Position) -> tuple[int, list[int]]:
    """Return the version up to which chunks may be removed, and the chunks that went from `reached` up to it."""
    rows = await fetch_all(
        connection,
        """
        select version, removed from changes
        where tenant_id = %(tenant)s and version > %(removed)s
            and version <= least(%(version)s, ((extract(epoch from clock_timestamp()) - %(after)s) * 1000000)::bigint)
        order by version
        """,
        {"tenant": tenant, "removed": reached.removed, "version": reached.version, "after": REMOVED_AFTER_S},
    )
    return (rows[-1]["version"] if rows else reached.removed), [chunk for row in rows for chunk in row["removed"]]


async def unconfirmed(database: Database, tenant: TenantNumber, space: int) -> int:
    """Return how many chunks the documents have that changed after the position; none if there is no position."""
    async with database.transaction(tenant) as connection:
        name = await collection_of(connection, space)
        reached = await position(connection, tenant, name) if name else None
        documents = await changed_since(connection, tenant, reached) if reached else None
        row = await fetch_one(
            connection,
            """
            select coalesce(sum(chunks), 0)::bigint as chunks from documents
            where tenant_id = %(tenant)s and id = any(%(ids)s)
            """,
            {"tenant": tenant, "ids": list(documents or [])},
        )
    return int(row["chunks"]) if row else 0
