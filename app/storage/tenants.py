"""Create and list tenants; authenticate by key. One that is being deleted is none any more
(app/storage/tenant_deletions.py)."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import Conflict, NotFound, Unauthorized
from app.storage import audit
from app.storage.allowances import COLUMNS as ALLOWANCES
from app.storage.allowances import Allowance, allowances_of
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, made_before, remember_made
from app.storage.tenancy import DAYS, LOGS_QUERIES, WHOLE, TenantNumber, is_kept
from app.storage.tenant_deletions import unfinished
from app.storage.tenant_records import Scope, TenantRecord

# Those that open something: `delegate` says for whom.
DELEGATE: Scope = "delegate"
SCOPES: tuple[Scope, ...] = tuple(scope for scope in get_args(Scope) if scope != DELEGATE)
DEFAULT_TENANT = "default"
KEY_PREFIX = "kyu"
REFUSED = "This key is unknown, expired or revoked."
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
KEYS = f"""
select k.id, t.id as number, t.slug, k.secret_hash, k.scopes, k.revoked_at, k.part, k.groups,
       case when k.groups is not null then (
           select filter from parts p where p.tenant_id = k.tenant_id and p.number = k.part) end as only,
       k.expires_at <= now() as expired, {ALLOWANCES}, {LOGS_QUERIES}
from api_keys k join tenants t on t.id = k.tenant_id where k.id = any(%(ids)s) and {is_kept("t.id")}
"""  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Delegation:
    """Whom a caller acts for: groups, which see the documents whose metadata list `listed_in` names one of them, of
    those that match `only`. `groups` are a token's own; for a key each request names them."""

    listed_in: str
    only: Mapping[str, Any] | None = None
    groups: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who a request acts for, and by which key; of a token `key_id` is `sub:` and its subject. `slug` is the tenant's
    public id."""

    number: TenantNumber
    slug: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    allowances: tuple[Allowance, ...] = ()
    logs_queries: bool = False
    part: int | None = None
    """The part of the tenant that the key is bound to; None for all of it."""
    delegation: Delegation | None = None
    parts_of_groups: tuple[int, ...] | None = None
    """What the groups see that the caller acts for, once they have been looked up."""

    @property
    def is_bound(self) -> bool:
        return self.part is not None or self.delegation is not None

    @property
    def sees(self) -> str:
        """What the caller's transactions see, as app.part: nothing before its groups have been looked up."""
        if self.delegation is not None:
            return ",".join(map(str, self.parts_of_groups or ()))
        return WHOLE if self.part is None else str(self.part)


async def authenticate(database: Database, key: str) -> Tenant:
    """Return the tenant of a key. Raises Unauthorized, in the same words whatever is wrong with the key."""
    rows = await read_keys(database, [id_of_key(key)])
    return tenant_of_key(key, rows)


def id_of_key(key: str) -> str:
    """Return the part of a key that is no secret. Raises Unauthorized if it has not the form of a key."""
    prefix, _, rest = key.partition("_")
    key_id, _, secret = rest.partition("_")
    if prefix != KEY_PREFIX or not key_id.isascii() or not key_id.isalnum() or not secret:
        raise Unauthorized(REFUSED)
    return key_id


async def read_keys(database: Database, ids: Sequence[str]) -> dict[str, DictRow]:
    """Return what is stored of the keys with these ids, revoked ones included."""
    rows = await database.operator_at_once([KEYS], {"ids": list(ids)})
    return {row["id"]: row for row in rows}


def tenant_of_key(key: str, rows: Mapping[str, DictRow]) -> Tenant:
    """Return the tenant of a key whose row, if it has one, is among these. Raises Unauthorized."""
    _, key_id, secret = key.split("_", 2)
    row = rows.get(key_id)
    right = hmac.compare_digest(row["secret_hash"] if row else b"", hash_of(secret))
    if row is None or not right or row["revoked_at"] is not None or row["expired"]:
        raise Unauthorized(REFUSED)
    allowed, logs = allowances_of(row), row["logs_queries"]
    acts_for = None if row["groups"] is None else Delegation(row["groups"], row["only"])
    return Tenant(row["number"], row["slug"], frozenset(row["scopes"]), key_id, allowed, logs, row["part"], acts_for)


async def tenant_by_slug(database: Database, slug: str) -> Tenant:
    """Return a tenant with every scope, for the loopback default and for commands. Raises NotFound."""
    if not SLUG.fullmatch(slug):
        raise NotFound
    query = f"select id, {LOGS_QUERIES} from tenants t where slug = %(slug)s and {is_kept('t.id')}"  # noqa: S608
    async with database.operator() as connection:
        row = await fetch_one(connection, query, {"slug": slug})
    if row is None:
        raise NotFound(f"There is no tenant {slug!r}.")
    return Tenant(row["id"], slug, frozenset(SCOPES), logs_queries=row["logs_queries"])


async def create_tenant(
    database: Database,
    slug: str,
    name: str,
    request: Idempotency | None = None,
    *,
    limits: Mapping[str, int] | None = None,
) -> tuple[TenantRecord, bool]:
    """Return the tenant. False if `request` has made it before. Raises Conflict if the id is in use."""
    limits = dict(limits or {})
    key = {"slug": slug, "name": name, "limits": Jsonb(limits)}
    try:
        async with database.operator() as connection:
            new = await made_before(connection, request) is None
            if new:
                await _refuse_until_deleted(connection, slug)
                query = "insert into tenants (slug, name, limits) values (%(slug)s, %(name)s, %(limits)s) returning *"
            else:
                query = "select * from tenants where slug = %(slug)s"
            row = await fetch_one(connection, query, key)
            assert row is not None
            if new:
                await remember_made(connection, request, row["id"], slug)
                after = {"name": name, **({"limits": limits} if limits else {})}
                await audit.record(connection, row["id"], "create", "tenant", slug, after=after)
    except UniqueViolation:
        raise Conflict(f"There is a tenant {slug!r} already.") from None
    return _record(row), new


async def _refuse_until_deleted(connection: Connection, slug: str) -> None:
    if deletion := await unfinished(connection, slug):
        raise Conflict(
            f"The tenant {slug!r} is being deleted ({deletion}). Another one of this id can be made when that has "
            f"ended: see GET /tenants/{slug}/deletion."
        )


async def list_tenants(database: Database, *, limit: int, after: str | None) -> list[TenantRecord]:
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select slug, name, chunk_count, limits, created_at, {DAYS} from tenants t
            where slug > %(after)s and {is_kept("t.id")} order by slug limit %(limit)s
            """,  # noqa: S608 - a constant
            {"after": after or "", "limit": limit},
        )
    return [_record(row) for row in rows]


async def get_tenant(database: Database, slug: str) -> TenantRecord:
    """Raises NotFound."""
    tenant = await tenant_by_slug(database, slug)
    async with database.operator() as connection:
        query = f"select *, {DAYS} from tenants t where id = %(id)s"  # noqa: S608 - a constant
        row = await fetch_one(connection, query, {"id": tenant.number})
    if row is None:
        raise NotFound
    return _record(row)


async def tenant_numbers(database: Database) -> set[TenantNumber]:
    return set(await tenant_versions(database))


async def tenant_versions(database: Database) -> dict[TenantNumber, int]:
    """Return for each tenant that is not being deleted the version of its chunks."""
    query = f"select id, version from tenants where {is_kept('tenants.id')} order by id"  # noqa: S608 - a constant
    async with database.operator() as connection:
        return {row["id"]: row["version"] for row in await fetch_all(connection, query)}


def _record(row: DictRow) -> TenantRecord:
    days = row.get("query_log_days")
    return TenantRecord(row["slug"], row["name"], row["chunk_count"], row["limits"], row["created_at"], days)


def hash_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
