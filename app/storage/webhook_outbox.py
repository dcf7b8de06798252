"""The outbox of webhooks, as the API process sees it that holds its lease: what is due, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.storage.database import Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber, is_kept
from app.storage.webhooks import Event, Status

LEASE = """
    insert into webhook_lease as l (holder, until) values (%(holder)s, now() + make_interval(secs => %(lease)s))
    on conflict (one) do update set holder = excluded.holder, until = excluded.until
    where l.holder = excluded.holder or l.until < now()
    returning holder
"""
# From tenant to tenant along the index: what one has waiting holds up no other's.
DUE = f"""
    with recursive waiting (tenant_id) as (
        select min(tenant_id) from webhook_deliveries where status = 'waiting'
        union all
        select (select min(d.tenant_id) from webhook_deliveries d where d.status = 'waiting' and d.tenant_id > w.tenant_id)
        from waiting w where w.tenant_id is not null
    )
    select d.tenant_id, d.seq from waiting w cross join lateral (
        select tenant_id, seq, next_at from webhook_deliveries d
        where d.tenant_id = w.tenant_id and d.status = 'waiting' and d.next_at <= now()
        order by d.next_at limit %(per_tenant)s
    ) d
    where {is_kept("w.tenant_id")} order by d.next_at limit %(most)s
"""  # noqa: S608, E501 - constants
READ = """
    select d.tenant_id as tenant, d.seq, d.id, d.event, d.data, d.created_at, d.attempts, w.url, w.secret,
           extract(epoch from now() - d.created_at)::float as age_s
    from webhook_deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook
    where d.tenant_id = %(tenant)s and d.seq = %(seq)s and d.status = 'waiting'
"""
# An attempt that another process has made meanwhile counts as its own.
SETTLE = """
    update webhook_deliveries set
        status = %(status)s, attempts = attempts + 1, last_at = now(), last_status = %(code)s, last_error = %(error)s,
        next_at = now() + make_interval(secs => %(delay)s)
    where tenant_id = %(tenant)s and seq = %(seq)s and attempts = %(attempts)s and status = 'waiting'
"""


@dataclass(frozen=True, slots=True)
class Due:
    """`attempts` were in vain."""

    tenant: TenantNumber
    seq: int
    id: str
    event: Event
    data: dict[str, Any]
    created_at: datetime
    attempts: int
    url: str
    secret: str
    age_s: float


async def hold_lease(database: Database, holder: str, *, lease_s: float) -> bool:
    """Take the lease or renew it. False while another process has it."""
    async with database.operator() as connection:
        return await fetch_one(connection, LEASE, {"holder": holder, "lease": lease_s}) is not None


async def list_due(database: Database, *, most: int, per_tenant: int) -> list[tuple[TenantNumber, int]]:
    """Return the tenants and numbers of deliveries, those that have been due for longest first."""
    async with database.operator() as connection:
        rows = await fetch_all(connection, DUE, {"most": most, "per_tenant": per_tenant})
    return [(TenantNumber(row["tenant_id"]), row["seq"]) for row in rows]


async def count_waiting(database: Database) -> int:
    async with database.operator() as connection:
        row = await fetch_one(connection, "select count(*) from webhook_deliveries where status = 'waiting'")
    return int(row["count"]) if row else 0


async def read(database: Database, tenant: TenantNumber, seq: int) -> Due | None:
    """Return the delivery. Without its webhook it is removed."""
    key = {"tenant": tenant, "seq": seq}
    async with database.transaction(tenant) as connection:
        row = await fetch_one(connection, READ, key)
        if row is None:
            await connection.execute(
                """
                delete from webhook_deliveries d where tenant_id = %(tenant)s and seq = %(seq)s and not exists (
                    select from webhooks w where w.tenant_id = d.tenant_id and w.id = d.webhook)
                """,
                key,
            )
    return Due(**row) if row else None


async def settle(
    database: Database, due: Due, status: Status, *, code: int | None, error: str | None, delay_s: float = 0
) -> None:
    """Note how an attempt went; what still waits is due again in `delay_s`."""
    key = {"tenant": due.tenant, "seq": due.seq, "attempts": due.attempts}
    async with database.transaction(due.tenant) as connection:
        await connection.execute(SETTLE, {**key, "status": status, "code": code, "error": error, "delay": delay_s})


async def remove_old(database: Database, tenant: TenantNumber, *, older_than_days: float) -> None:
    """Remove what was noted earlier, whatever became of it."""
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            delete from webhook_deliveries
            where tenant_id = %(tenant)s and created_at < now() - make_interval(secs => %(age)s)
            """,
            {"tenant": tenant, "age": older_than_days * 86400},
        )
