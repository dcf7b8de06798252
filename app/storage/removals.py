"""Files that nothing names any more. Triggers of the schema note each of them in the transaction that made it so."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from app.storage.database import OPERATOR, Connection, Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

# To be read in the same statement as what is to be removed: then a hold that comes later is of a later snapshot.
HELD = "exists (select from removal_holds where until > now())"
NULL_IF_HELD = f"select null where {HELD}"


class RemovalsHeld(Exception):
    """A backup is copying files: none may be removed now."""


@dataclass(frozen=True, slots=True)
class Removal:
    """`path` is below the blob folder, or it is that of an adapter in object storage, and begins with `adapters/`.

    With a slash at its end it is the number of a deleted tenant, all of whose files go.
    """

    seq: int
    tenant: TenantNumber
    path: str


async def list_due(database: Database, *, limit: int) -> list[Removal]:
    """Return what may be removed, oldest first; nothing while a backup holds it."""
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"select seq, tenant_id, path from removals where not {HELD} order by seq limit %(limit)s",  # noqa: S608
            {"limit": limit},
        )
    return [Removal(row["seq"], row["tenant_id"], row["path"]) for row in rows]


async def note(database: Database, tenant: TenantNumber, path: str) -> int:
    """Have what `path` names removed, unless withdraw() comes first; return the row's number."""
    async with database.operator() as connection:
        row = await fetch_one(
            connection,
            "insert into removals (tenant_id, path) values (%(tenant)s, %(path)s) returning seq",
            {"tenant": tenant, "path": path},
        )
    assert row is not None
    return int(row["seq"])


async def withdraw(connection: Connection, seq: int) -> bool:
    """Withdraw what was noted once this transaction is committed; False if it has been removed by now."""
    await connection.execute(f"set local role {OPERATOR}")
    return (
        await fetch_one(connection, "delete from removals where seq = %(seq)s returning seq", {"seq": seq}) is not None
    )


async def finish(database: Database, done: Collection[Removal]) -> None:
    async with database.operator() as connection:
        await connection.execute(
            "delete from removals where seq = any(%(done)s)", {"done": [each.seq for each in done]}
        )


async def are_left(database: Database, tenant: TenantNumber) -> bool:
    query = "select exists (select from removals where tenant_id = %(tenant)s) as left_over"
    async with database.operator() as connection:
        row = await fetch_one(connection, query, {"tenant": tenant})
    return bool(row and row["left_over"])


async def refuse_while_held(database: Database) -> None:
    """Raises RemovalsHeld. What is deleted by now, no later backup names."""
    async with database.operator() as connection:
        row = await fetch_one(connection, f"select {HELD} as held")
    if row and row["held"]:
        raise RemovalsHeld


async def needed_blobs(database: Database, tenant: TenantNumber, blobs: Sequence[str]) -> set[str]:
    """Return those of `blobs` that a document has, or that an unfinished upload or an unchecked adapter needs.

    Raises RemovalsHeld.
    """
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            f"""
            select blob from documents where tenant_id = %(tenant)s and blob = any(%(blobs)s)
            union all
            select blob from job_items
            where tenant_id = %(tenant)s and blob = any(%(blobs)s) and status in ('queued', 'running')
            union all
            select blob from adapter_versions where tenant_id = %(tenant)s and blob = any(%(blobs)s)
            union all
            {NULL_IF_HELD}
            """,  # noqa: S608 - a constant
            {"tenant": tenant, "blobs": list(blobs)},
        )
    return unless_held(row["blob"] for row in rows)


async def needed_archives(database: Database, engine_names: Sequence[str]) -> set[str]:
    """Return the paths in object storage of those of these adapters that are in use.

    Raises RemovalsHeld.
    """
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select concat('adapters/', tenant_id, '/', engine_name, '/', encode(digest, 'hex'), '.tar') as path
            from adapter_versions
            where engine_name = any(%(names)s) and digest is not null and deleted_at is null
              and status not in ('rejected', 'failed')
            union all {NULL_IF_HELD}
            """,  # noqa: S608 - a constant
            {"names": list(engine_names)},
        )
    return unless_held(row["path"] for row in rows)


def unless_held(names: Iterable[str | None]) -> set[str]:
    """Return the names, of a query that NULL_IF_HELD is a part of. Raises RemovalsHeld."""
    found = set(names)
    if None in found:
        raise RemovalsHeld
    return {name for name in found if name is not None}
