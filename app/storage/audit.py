"""The audit trail: who changed what and when, written in the transaction of the change.

Nothing changes a row. It names documents by their ids; no text of a document, a question or a prompt is in it.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import psycopg
from psycopg.types.json import Jsonb

from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

Act = Literal[
    "create", "change", "delete", "revoke", "activate", "deactivate", "rollback", "move", "export", "import"
]  # fmt: skip
Kind = Literal["tenant", "key", "prompt", "adapter", "document", "collection", "report", "webhook"]
OPERATOR, COMMAND, NO_KEY = "operator", "command", "no key"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does what this process is about: a key by its id, the operator, a command, or anybody where no key is needed.

    `route` and `request_id` are of the request, if there is one.
    """

    name: str = COMMAND
    route: str | None = None
    request_id: str | None = None


actor: ContextVar[Actor] = ContextVar("actor", default=Actor())  # noqa: B039 - it is frozen


@dataclass(frozen=True, slots=True)
class Entry:
    """`tenant` is the public id; None once that tenant is deleted."""

    seq: int
    tenant: str | None
    at: datetime
    actor: str
    route: str | None
    request_id: str | None
    act: Act
    kind: Kind
    object: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Sought:
    """Which entries, newest first; `before` is the last of the page before."""

    limit: int
    before: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    object: str | None = None


async def record(
    connection: Connection,
    tenant: TenantNumber | None,
    act: Act,
    kind: Kind,
    name: str,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Add an entry about the tenant of this transaction, or about any in the operator's."""
    await connection.execute(INSERT, _values(tenant, act, kind, name, before, after))


def record_export(service: psycopg.Connection, tenant: TenantNumber, slug: str) -> None:
    """Add an entry of a transaction of its own: an export only reads."""
    with service.transaction():
        service.execute(f"set local app.tenant = '{tenant:d}'; set local app.part = 'all'".encode())
        service.execute(INSERT, _values(tenant, "export", "tenant", slug, None, None))


INSERT = """
    insert into audit (tenant_id, actor, route, request_id, act, kind, object, before, after)
    values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def _values(
    tenant: TenantNumber | None,
    act: Act,
    kind: Kind,
    name: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> list[Any]:
    who = actor.get()
    changes = [None if each is None else Jsonb(each) for each in (before, after)]
    return [tenant, who.name, who.route, who.request_id, act, kind, name, *changes]


ENTRIES = """
    select a.seq, t.slug as tenant, a.at, a.actor, a.route, a.request_id, a.act, a.kind, a.object, a.before, a.after
    from audit a left join tenants t on t.id = a.tenant_id
    where (%(tenant)s::integer is null or a.tenant_id = %(tenant)s)
      and (%(before)s::bigint is null or a.seq < %(before)s)
      and (%(since)s::timestamptz is null or a.at >= %(since)s)
      and (%(until)s::timestamptz is null or a.at < %(until)s)
      and (%(actor)s::text is null or a.actor = %(actor)s)
      and (%(object)s::text is null or a.object = %(object)s)
    order by a.seq desc limit %(limit)s
"""


async def list_entries(database: Database, tenant: TenantNumber | None, sought: Sought) -> list[Entry]:
    """Return a tenant's entries, or without one all of them, for the operator."""
    key = {"tenant": tenant} | {name: getattr(sought, name) for name in Sought.__slots__}
    opened = database.operator() if tenant is None else database.transaction(tenant)
    async with opened as connection:
        return [Entry(**row) for row in await fetch_all(connection, ENTRIES, key)]


async def remove_old(database: Database, *, older_than_days: float) -> int:
    """Remove what is older, but nothing of the last day, by a function that alone may; return how many entries."""
    removed, gone = 0, 1
    while gone:
        async with database.operator() as connection:
            row = await fetch_one(
                connection,
                "select forget_audit(make_interval(secs => %(age)s)) as gone",
                {"age": older_than_days * 86400},
            )
        gone = row["gone"] if row else 0
        removed += gone
    return removed
