"""Limits of what a tenant may have: set by the operator, held in the transactions that accept and publish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

from psycopg.types.json import Jsonb

from app.errors import DocumentError, NotFound, TooLarge, TooManyRequests
from app.settings.serving import LimitName
from app.storage import audit, rates
from app.storage.allowances import DAY_S, GENERATED, Allowed, LimitReached, until_tomorrow_s
from app.storage.database import Connection, Database, fetch_one, see_all
from app.storage.jobs import Task, Upload
from app.storage.tenancy import TenantNumber, is_kept
from app.storage.usage import TODAY

Stock = Literal["documents", "bytes", "chunks", "adapters", "jobs_waiting"]
STOCKS: tuple[Stock, ...] = get_args(Stock)
TRAINING = "training_seconds_per_day"
OF_KEYS = ("requests_per_minute", GENERATED)
LIMITS: tuple[LimitName, ...] = get_args(LimitName)
RETRY_AFTER_S = 30
Limits = Mapping[str, int]

OPEN = "i.tenant_id = %(tenant)s and i.status in ('queued', 'running')"
# What is on its way counts as if it were there.
OF_STOCK: dict[Stock, str] = {
    "documents": f"""
        (select count(*) from documents d where d.tenant_id = %(tenant)s) + (
            select count(distinct i.document_id) from job_items i
            where {OPEN} and i.kind = 'ingest' and not exists (
                select from documents d where d.tenant_id = i.tenant_id and d.id = i.document_id))
    """,  # noqa: S608 - constants
    "bytes": f"""
        (select coalesce(sum(d.bytes), 0) from documents d where d.tenant_id = %(tenant)s)::bigint
        + (select coalesce(sum(i.size), 0) from job_items i where {OPEN} and i.kind = 'ingest')::bigint
    """,  # noqa: S608 - constants
    "chunks": "(select chunk_count from tenants where id = %(tenant)s)",
    "adapters": """
        (select count(*) from adapter_versions v where v.tenant_id = %(tenant)s and v.deleted_at is null)
    """,
    "jobs_waiting": f"(select count(*) from job_items i where {OPEN})",  # noqa: S608 - constants
}
USED_TODAY = f"""
    select coalesce(sum(completion_tokens), 0)::bigint as {GENERATED},
           coalesce(sum(training_seconds), 0)::bigint as {TRAINING}
    from usage_days where tenant_id = %(tenant)s and day = {TODAY}
      and (%(key)s::text is null or key_id = %(key)s)
"""  # noqa: S608 - constants
# Those that are stored already, byte for byte, add nothing.
ADDED = f"""
    select count(distinct u.id) filter (where not is_there) as documents, coalesce(sum(u.size), 0)::bigint as bytes,
           least(count(*), 1) as chunks
    from (
        select u.*, d.id is not null or exists (
                   select from job_items i where {OPEN} and i.kind = 'ingest' and i.document_id = u.id) as is_there,
               d.sha256 is not distinct from u.sha256 as is_same
        from unnest(%(ids)s::text[], %(sizes)s::bigint[], %(hashes)s::bytea[]) u (id, size, sha256)
        left join documents d on d.tenant_id = %(tenant)s and d.id = u.id
    ) u where not is_same
"""  # noqa: S608 - constants


class StockReached(TooLarge):
    """The tenant may not have more of this."""

    def __init__(self, detail: str, limit: dict[str, Any]) -> None:
        super().__init__(detail)
        self.limit = limit


class QueueReached(TooManyRequests):
    """The tenant may not have more waiting."""

    def __init__(self, detail: str, limit: dict[str, Any]) -> None:
        super().__init__(detail, retry_after_s=RETRY_AFTER_S)
        self.limit = limit


async def used(database: Database, tenant: TenantNumber) -> tuple[Limits, dict[str, int]]:
    """Return the tenant's limits, and what it has of each."""
    async with database.transaction(tenant) as connection:
        # Of the whole tenant, whatever part the caller sees: the limits are the tenant's.
        await see_all(connection)
        row = await _used(connection, tenant, STOCKS)
        minute, today = await rates.used(connection, tenant), await _used_today(connection, tenant)
        return await _limits(connection, tenant), {**row, "requests_per_minute": minute, **today}


async def used_by_key(database: Database, tenant: TenantNumber, key_id: str) -> tuple[Limits, dict[str, int]]:
    """Return the key's limits, and what it has used of each."""
    async with database.operator() as connection:
        row = await fetch_one(connection, "select limits from api_keys where id = %(key)s", {"key": key_id})
    async with database.transaction(tenant) as connection:
        minute, today = await rates.used(connection, tenant, key_id), await _used_today(connection, tenant, key_id)
    return row["limits"] if row else {}, {"requests_per_minute": minute, GENERATED: today[GENERATED]}


async def set_limits(database: Database, slug: str, changes: Mapping[str, int | None]) -> None:
    """Set those that are given, and take away those that are None. Raises NotFound."""
    async with database.operator() as connection:
        row = await fetch_one(
            connection,
            f"select id, limits from tenants where slug = %(slug)s and {is_kept('tenants.id')} for no key update",  # noqa: S608
            {"slug": slug},
        )
        if row is None:
            raise NotFound(f"There is no tenant {slug!r}.")
        after = changed(row["limits"], changes)
        if after != row["limits"]:
            await connection.execute("update tenants set limits = %s where id = %s", [Jsonb(after), row["id"]])
            await audit.record(connection, row["id"], "change", "tenant", slug, before=row["limits"], after=after)


def changed(limits: Limits, changes: Mapping[str, int | None]) -> dict[str, int]:
    """Return the limits with those that are given, and without those that are None."""
    return {name: value for name, value in {**limits, **changes}.items() if value is not None}


async def refuse_work(
    connection: Connection, tenant: TenantNumber, work: Sequence[Upload] | Task, *, waits: bool = True
) -> None:
    """Raise StockReached, QueueReached or LimitReached if the tenant's limits have no room for it. Serialised for each
    tenant.

    `waits`: it counts among the jobs that wait.
    """
    if not (limits := await _limits(connection, tenant)):
        return
    await connection.execute("select pg_advisory_xact_lock(0, hashint8(%s))", [tenant])
    if isinstance(work, Task) and work.kind == "tune" and (most := limits.get(TRAINING)) is not None:
        trained = (await _used_today(connection, tenant))[TRAINING]
        if trained >= most:
            raise LimitReached(Allowed("tenant", TRAINING, most, trained, until_tomorrow_s(), DAY_S))
    waiting = {"jobs_waiting": 1 if isinstance(work, Task) else len(work)} if waits else {}
    added: dict[str, int] = {}
    if not isinstance(work, Task):
        key = {
            "tenant": tenant,
            "ids": [each.document_id for each in work],
            "sizes": [each.size for each in work],
            "hashes": [each.sha256 for each in work],
        }
        added = await fetch_one(connection, ADDED, key) or {}
    await _refuse(connection, tenant, limits, added | waiting)


async def refuse_adapter(connection: Connection, tenant: TenantNumber) -> None:
    """Raise StockReached or QueueReached if the tenant may not have one more, which waits for its check."""
    if limits := await _limits(connection, tenant):
        await _refuse(connection, tenant, limits, {"adapters": 1, "jobs_waiting": 1})


async def refuse_chunks(connection: Connection, tenant: TenantNumber) -> None:
    """Raise DocumentError if the tenant has more chunks by now than it may, in the transaction that adds some."""
    row = await fetch_one(
        connection,
        """
        select (limits ->> 'chunks')::bigint as most from tenants
        where id = %(tenant)s and chunk_count > (limits ->> 'chunks')::bigint
        """,
        {"tenant": tenant},
    )
    if row is not None:
        raise DocumentError("too_large", f"The tenant's limit 'chunks' of {row['most']} has no room for it.")


async def _used(connection: Connection, tenant: TenantNumber, names: Sequence[Stock]) -> dict[str, int]:
    """Return how much of each there is: to count what has no limit would cost every upload."""
    query = f"select {', '.join(f'{OF_STOCK[name]} as {name}' for name in names)}"
    row = await fetch_one(connection, query, {"tenant": tenant})
    assert row is not None
    return row


async def _used_today(connection: Connection, tenant: TenantNumber, key_id: str | None = None) -> dict[str, int]:
    row = await fetch_one(connection, USED_TODAY, {"tenant": tenant, "key": key_id})
    assert row is not None
    return row


async def _limits(connection: Connection, tenant: TenantNumber) -> Limits:
    row = await fetch_one(connection, "select limits from tenants where id = %(tenant)s", {"tenant": tenant})
    return row["limits"] if row else {}


async def _refuse(connection: Connection, tenant: TenantNumber, limits: Limits, added: Mapping[str, int]) -> None:
    asked = [name for name in STOCKS if name in limits and added.get(name)]
    have = await _used(connection, tenant, asked) if asked else {}
    for name in asked:
        most, more = limits[name], added[name]
        if have[name] + more <= most:
            continue
        limit = {"name": name, "value": most, "used": have[name]}
        detail = f"The tenant's limit {name!r} is {most}; {have[name]} are used, and this request adds {more}."
        raise QueueReached(detail, limit) if name == "jobs_waiting" else StockReached(detail, limit)
