"""Webhooks of tenants, and what is to be delivered to them.

Triggers note the end of jobs and failed documents in the transactions in which they happen (migration 0041);
app/webhooks.py delivers.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from psycopg.types.json import Jsonb

from app.errors import Conflict, NotFound
from app.storage import audit
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, first_job
from app.storage.tenancy import TenantNumber

Event = Literal["job.ended", "document.failed", "limit.reached"]
EVENTS: tuple[Event, ...] = get_args(Event)
Status = Literal["waiting", "delivered", "given_up"]
MAX_WEBHOOKS = 20
SECRET_PREFIX, SECRET_BYTES = "whsec_", 32


class WebhooksOff(Conflict):
    """Webhooks are off here: the operator has to name the hosts that they may go to (KYUJANG_WEBHOOK_HOSTS)."""

    code = "webhooks_off"


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook. `last_status` is of the last answer, `last_error` says why there was none."""

    seq: int
    id: str
    event: Event
    created_at: datetime
    status: Status
    attempts: int
    next_at: datetime | None
    last_at: datetime | None
    last_status: int | None
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Webhook:
    id: str
    url: str
    events: list[Event]
    created_at: datetime
    waiting: int
    delivered: int
    given_up: int
    last: Delivery | None


# Of a delivery `d`. What is not waiting is not sent again.
DELIVERY = """
    d.seq, d.id, d.event, d.created_at, d.status, d.attempts, case when d.status = 'waiting' then d.next_at end as next_at,
    d.last_at, d.last_status, d.last_error
"""  # noqa: E501
LIST = """
    select w.id, w.url, w.events, w.created_at, counted.* from (
        select * from webhooks where tenant_id = %(tenant)s and id > %(after)s order by id limit %(limit)s
    ) w
    cross join lateral (
        select count(*) filter (where status = 'waiting') as waiting,
               count(*) filter (where status = 'delivered') as delivered,
               count(*) filter (where status = 'given_up') as given_up
        from webhook_deliveries d where d.tenant_id = w.tenant_id and d.webhook = w.id
    ) counted
    order by w.id
"""
TRIED_LAST = f"""
    select distinct on (d.webhook) d.webhook, {DELIVERY} from webhook_deliveries d
    where d.tenant_id = %(tenant)s and d.webhook = any(%(ids)s) and d.last_at is not null
    order by d.webhook, d.last_at desc, d.seq desc
"""  # noqa: S608 - constants


async def create_webhook(
    database: Database, tenant: TenantNumber, url: str, events: Sequence[Event], request: Idempotency | None = None
) -> tuple[str, str, datetime, bool]:
    """Return its id, its secret and since when it is there. False if `request` has made it before.

    Raises Conflict if the tenant has too many, or if what `request` made has been deleted since.
    """
    new_id = f"whk_{secrets.token_hex(12)}"
    key: dict[str, Any] = {"tenant": tenant, "url": url, "events": list(events), "secret": _new_secret()}
    async with database.transaction(tenant) as connection:
        made = new_id if request is None else await first_job(connection, tenant, request, new_id)
        key["id"] = made
        if made == new_id:
            await _refuse_too_many(connection, tenant)
            await connection.execute(
                """
                insert into webhooks (tenant_id, id, url, events, secret)
                values (%(tenant)s, %(id)s, %(url)s, %(events)s, %(secret)s)
                """,
                key,
            )
            # The rest of an address is often a secret.
            after = {"host": urlsplit(url).hostname, "events": list(events)}
            await audit.record(connection, tenant, "create", "webhook", made, after=after)
        row = await fetch_one(
            connection, "select secret, created_at from webhooks where tenant_id = %(tenant)s and id = %(id)s", key
        )
    if row is None:
        raise Conflict("The webhook that this request has made was deleted since.")
    return made, row["secret"], row["created_at"], made == new_id


def _new_secret() -> str:
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(SECRET_BYTES)).decode()


async def _refuse_too_many(connection: Connection, tenant: TenantNumber) -> None:
    row = await fetch_one(connection, "select count(*) from webhooks where tenant_id = %(tenant)s", {"tenant": tenant})
    if row and row["count"] >= MAX_WEBHOOKS:
        raise Conflict(f"A tenant has at most {MAX_WEBHOOKS} webhooks.")


async def list_webhooks(database: Database, tenant: TenantNumber, *, limit: int, after: str | None) -> list[Webhook]:
    """Return them with how many deliveries there are, and with that which was tried last."""
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(connection, LIST, {"tenant": tenant, "limit": limit, "after": after or ""})
        key = {"tenant": tenant, "ids": [row["id"] for row in rows]}
        last = {row.pop("webhook"): Delivery(**row) for row in await fetch_all(connection, TRIED_LAST, key)}
    return [Webhook(**row, last=last.get(row["id"])) for row in rows]


async def list_deliveries(
    database: Database, tenant: TenantNumber, webhook: str, *, limit: int, before: int | None
) -> list[Delivery]:
    """Newest first. Raises NotFound."""
    key = {"tenant": tenant, "id": webhook, "limit": limit, "before": before}
    async with database.transaction(tenant) as connection:
        found = await fetch_one(connection, "select id from webhooks where tenant_id = %(tenant)s and id = %(id)s", key)
        if found is None:
            raise NotFound
        rows = await fetch_all(
            connection,
            f"""
            select {DELIVERY} from webhook_deliveries d
            where tenant_id = %(tenant)s and webhook = %(id)s and (%(before)s::bigint is null or seq < %(before)s)
            order by seq desc limit %(limit)s
            """,  # noqa: S608 - a constant
            key,
        )
    return [Delivery(**row) for row in rows]


async def delete_webhook(database: Database, tenant: TenantNumber, webhook: str) -> None:
    """Delete it with what waits for it. Raises NotFound."""
    key = {"tenant": tenant, "id": webhook}
    async with database.transaction(tenant) as connection:
        gone = await fetch_one(
            connection,
            "delete from webhooks where tenant_id = %(tenant)s and id = %(id)s returning url, events",
            key,
        )
        if gone is None:
            raise NotFound
        await connection.execute(
            "delete from webhook_deliveries where tenant_id = %(tenant)s and webhook = %(id)s", key
        )
        before = {"host": urlsplit(gone["url"]).hostname, "events": gone["events"]}
        await audit.record(connection, tenant, "delete", "webhook", webhook, before=before)


async def note_limit(database: Database, tenant: TenantNumber, subject: str, data: dict[str, Any]) -> None:
    """Note that a limit was reached, for the webhooks that want to know; once for each `subject`."""
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            insert into webhook_deliveries (tenant_id, webhook, event, subject, data)
            select tenant_id, id, 'limit.reached', %(subject)s, %(data)s from webhooks
            where tenant_id = %(tenant)s and 'limit.reached' = any(events) on conflict do nothing
            """,
            {"tenant": tenant, "subject": subject, "data": Jsonb(data)},
        )
