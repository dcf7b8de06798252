"""Deletions of tenants, as the operator sees them and as a worker claims them (ingest/tenant_deletion.py).

A tenant is gone for callers from the moment its row is here. It is not an item of the queue, whose rows go with their
tenant.
"""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import DictRow

from app.errors import KyujangError, NotFound
from app.storage import audit
from app.storage.database import Connection, Database, continue_as_operator, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

Status = Literal["queued", "running", "succeeded"]

HELD = "tenant_id = %(tenant)s and worker = %(worker)s and finished_at is null"
LEASED = "lease_until = now() + make_interval(secs => %(lease)s)"
CLAIMED = "tenant_id, worker, adapters, extract(epoch from now() - created_at)::float as age_s"
CLAIM = f"""
update tenant_deletions set worker = %(worker)s, {LEASED} where tenant_id = (
    select tenant_id from tenant_deletions
    where finished_at is null and not_before <= now() and (lease_until is null or lease_until < now())
    order by not_before, created_at limit 1 for update skip locked
) returning {CLAIMED}
"""  # noqa: S608 - constants


class DeletionLost(KyujangError):
    """Another worker has taken it over: leave it."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """`files` and `bytes` are of uploads, adapters' archives and what engines read of adapters; `jobs` without checks;
    `keys` with revoked ones."""

    documents: int = 0
    chunks: int = 0
    files: int = 0
    bytes: int = 0
    prompts: int = 0
    adapters: int = 0
    jobs: int = 0
    keys: int = 0


COUNTS = tuple(each.name for each in fields(Deleted))


@dataclass(frozen=True, slots=True)
class Deletion:
    """`tenant` is the public id. `deleted` grows until the end."""

    id: str
    tenant: str
    status: Status
    waiting_for: str | None
    created_at: datetime
    finished_at: datetime | None
    deleted: Deleted


@dataclass(frozen=True, slots=True)
class ClaimedDeletion:
    tenant: TenantNumber
    worker: str
    lease_s: float
    adapters: int
    """How many have been deleted of those that engines may have loaded."""
    age_s: float

    @property
    def key(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "worker": self.worker, "lease": self.lease_s}


async def accept(database: Database, slug: str) -> Deletion:
    """Begin to delete a tenant, whose keys open nothing from now on; return the same again until it has ended.

    Raises NotFound.
    """
    key = {"id": f"del_{secrets.token_hex(12)}", "slug": slug}
    async with database.operator() as connection:
        begun = await fetch_one(
            connection,
            """
            insert into tenant_deletions (tenant_id, id, tenant)
            select id, %(id)s, slug from tenants where slug = %(slug)s on conflict do nothing returning id
            """,
            key,
        )
        if begun is not None:
            # The tenant's own entries go with it, and this one stays.
            await audit.record(connection, None, "delete", "tenant", slug)
        row = await fetch_one(
            connection, "select * from tenant_deletions where tenant = %(slug)s and finished_at is null", key
        )
        if row is None:
            raise NotFound(f"There is no tenant {slug!r}.")
        # A repeated request to create the tenant must not be answered with it.
        await connection.execute("delete from operator_requests where tenant_id = %s", [row["tenant_id"]])
    return _deletion(row)


async def newest(database: Database, slug: str) -> Deletion:
    """Return the deletion that is under way or was the last of a tenant with this id. Raises NotFound."""
    async with database.operator() as connection:
        row = await fetch_one(
            connection,
            "select * from tenant_deletions where tenant = %(slug)s order by created_at desc limit 1",
            {"slug": slug},
        )
    if row is None:
        raise NotFound(f"No deletion of a tenant {slug!r} is known.")
    return _deletion(row)


async def unfinished(connection: Connection, slug: str) -> str | None:
    """Return the id of the deletion that is under way, if there is one. `connection` is the operator's."""
    query = "select id from tenant_deletions where tenant = %(slug)s and finished_at is null"
    row = await fetch_one(connection, query, {"slug": slug})
    return row["id"] if row else None


async def deleted_tenants(database: Database) -> list[tuple[TenantNumber, bool]]:
    """Return the numbers of tenants that are being deleted, or were, and whether they are gone altogether."""
    async with database.operator() as connection:
        rows = await fetch_all(connection, "select tenant_id, finished_at is not null as gone from tenant_deletions")
    return [(row["tenant_id"], row["gone"]) for row in rows]


async def claim(database: Database, worker: str, *, lease_s: float) -> ClaimedDeletion | None:
    """Claim one that waits or whose worker has died."""
    async with database.operator() as connection:
        row = await fetch_one(connection, CLAIM, {"worker": worker, "lease": lease_s})
    return _claimed(row, lease_s) if row else None


async def renew(database: Database, claimed: ClaimedDeletion) -> ClaimedDeletion:
    """Renew the lease and return the deletion as it is now. Raises DeletionLost."""
    query = f"update tenant_deletions set {LEASED}, waiting_for = null where {HELD} returning {CLAIMED}"  # noqa: S608
    async with database.operator() as connection:
        row = await fetch_one(connection, query, claimed.key)
    if row is None:
        raise DeletionLost
    return _claimed(row, claimed.lease_s)


async def count(connection: Connection, claimed: ClaimedDeletion, deleted: Deleted) -> None:
    """Count it in the transaction that deletes it, whose rest is the operator's. Raises DeletionLost."""
    counts = ", ".join(f"{name} = {name} + %({name})s" for name in COUNTS)
    query = f"update tenant_deletions set {counts}, {LEASED} where {HELD} returning id"  # noqa: S608 - ours
    await continue_as_operator(connection)
    if await fetch_one(connection, query, claimed.key | asdict(deleted)) is None:
        raise DeletionLost


async def postpone(database: Database, claimed: ClaimedDeletion, waiting_for: str, *, delay_s: float) -> None:
    """Let it be claimed again in `delay_s`, and say what it waits for."""
    query = f"""
        update tenant_deletions set waiting_for = %(waiting_for)s, lease_until = null,
            not_before = now() + make_interval(secs => %(delay)s)
        where {HELD}
    """  # noqa: S608 - a constant
    async with database.operator() as connection:
        await connection.execute(query.encode(), claimed.key | {"waiting_for": waiting_for, "delay": delay_s})


async def finish(database: Database, claimed: ClaimedDeletion) -> None:
    query = f"""
        update tenant_deletions set waiting_for = null, lease_until = null, finished_at = now() where {HELD}
    """  # noqa: S608 - a constant
    async with database.operator() as connection:
        await connection.execute(query.encode(), claimed.key)


async def remove_finished(database: Database, *, older_than_days: float) -> None:
    """Remove the records of deletions that ended longer ago."""
    query = "delete from tenant_deletions where finished_at < now() - make_interval(secs => %(age)s)"
    async with database.operator() as connection:
        await connection.execute(query, {"age": older_than_days * 86400})


def _deletion(row: DictRow) -> Deletion:
    status: Status = "succeeded" if row["finished_at"] else "running" if row["worker"] else "queued"
    return Deletion(
        row["id"],
        row["tenant"],
        status,
        row["waiting_for"],
        row["created_at"],
        row["finished_at"],
        Deleted(*(row[name] for name in COUNTS)),
    )


def _claimed(row: DictRow, lease_s: float) -> ClaimedDeletion:
    return ClaimedDeletion(row["tenant_id"], row["worker"], lease_s, row["adapters"], row["age_s"])
