"""Create and list tenants and their API keys; authenticate by key. One that is being deleted is none any more
(app/storage/tenant_deletions.py)."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import get_args

from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from app.errors import Conflict, NotFound, Unauthorized
from app.storage import audit
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, made_before, remember_made
from app.storage.tenancy import DAYS, LOGS_QUERIES, TenantNumber, is_kept
from app.storage.tenant_deletions import unfinished
from app.storage.tenant_records import KeyRecord, NewKey, Scope, TenantRecord

SCOPES: tuple[Scope, ...] = get_args(Scope)
DEFAULT_TENANT = "default"
KEY_PREFIX = "kyu"
# A day from the ends of Python's calendar, so that these are times of it in every time zone.
EARLIEST_EXPIRY = datetime(1, 1, 2, tzinfo=UTC)
LATEST_EXPIRY = datetime(9999, 12, 30, tzinfo=UTC)
ENDS = {"latest": LATEST_EXPIRY, "earliest": EARLIEST_EXPIRY}
REFUSED = "This key is unknown, expired or revoked."
SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Tenant:
    """Who a request acts for, and by which key; of a token `key_id` is `sub:` and its subject. `slug` is the tenant's
    public id."""

    number: TenantNumber
    slug: str
    scopes: frozenset[Scope]
    key_id: str | None = None
    requests_per_minute: int | None = None
    logs_queries: bool = False


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
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select k.id, t.id as number, t.slug, k.secret_hash, k.scopes, k.revoked_at,
                   k.expires_at <= now() as expired,
                   (t.limits ->> 'requests_per_minute')::integer as requests_per_minute, {LOGS_QUERIES}
            from api_keys k join tenants t on t.id = k.tenant_id where k.id = any(%(ids)s) and {is_kept("t.id")}
            """,  # noqa: S608 - a constant
            {"ids": list(ids)},
        )
    return {row["id"]: row for row in rows}


def tenant_of_key(key: str, rows: Mapping[str, DictRow]) -> Tenant:
    """Return the tenant of a key whose row, if it has one, is among these. Raises Unauthorized."""
    _, key_id, secret = key.split("_", 2)
    row = rows.get(key_id)
    right = hmac.compare_digest(row["secret_hash"] if row else b"", _hash(secret))
    if row is None or not right or row["revoked_at"] is not None or row["expired"]:
        raise Unauthorized(REFUSED)
    limit, logs = row["requests_per_minute"], row["logs_queries"]
    return Tenant(row["number"], row["slug"], frozenset(row["scopes"]), key_id, limit, logs)


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
    database: Database, slug: str, name: str, request: Idempotency | None = None
) -> tuple[TenantRecord, bool]:
    """Return the tenant. False if `request` has made it before. Raises Conflict if the id is in use."""
    key = {"slug": slug, "name": name}
    try:
        async with database.operator() as connection:
            new = await made_before(connection, request) is None
            if new:
                await _refuse_until_deleted(connection, slug)
                query = "insert into tenants (slug, name) values (%(slug)s, %(name)s) returning *"
            else:
                query = "select * from tenants where slug = %(slug)s"
            row = await fetch_one(connection, query, key)
            assert row is not None
            if new:
                await remember_made(connection, request, row["id"], slug)
                await audit.record(connection, row["id"], "create", "tenant", slug, after={"name": name})
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
    query = f"select id from tenants where {is_kept('tenants.id')}"  # noqa: S608 - a constant
    async with database.operator() as connection:
        return {row["id"] for row in await fetch_all(connection, query)}


async def create_key(
    database: Database,
    slug: str,
    scopes: Sequence[Scope],
    expires_at: datetime | None = None,
    request: Idempotency | None = None,
) -> NewKey:
    """Create a key. Only the SHA-256 of its secret is stored, which suffices for 256 random bits.

    Raises Conflict if `request` has made one before.
    """
    tenant = await tenant_by_slug(database, slug)
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    async with database.operator() as connection:
        if (made := await made_before(connection, request)) is not None:
            raise Conflict(
                f"This Idempotency-Key has made the key {made!r} already, whose secret is not shown again. If it is "
                "lost, revoke that key and send another Idempotency-Key."
            )
        await remember_made(connection, request, tenant.number, key_id)
        row = await fetch_one(
            connection,
            """
            insert into api_keys (tenant_id, id, secret_hash, scopes, expires_at)
            values (%(tenant)s, %(id)s, %(hash)s, %(scopes)s, %(expires_at)s) returning created_at
            """,
            {
                "tenant": tenant.number,
                "id": key_id,
                "hash": _hash(secret),
                "scopes": list(scopes),
                "expires_at": expires_at,
            },
        )
        expires = None if expires_at is None else expires_at.isoformat()
        after = {"scopes": list(scopes), "expires_at": expires}
        await audit.record(connection, tenant.number, "create", "key", key_id, after=after)
    assert row is not None
    return NewKey(KeyRecord(key_id, scopes, row["created_at"], expires_at, None), f"{KEY_PREFIX}_{key_id}_{secret}")


async def list_keys(database: Database, slug: str, *, limit: int, after: str | None) -> list[KeyRecord]:
    tenant = await tenant_by_slug(database, slug)
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            """
            select id, scopes, created_at, revoked_at,
                   case when expires_at is not null then greatest(least(expires_at, %(latest)s), %(earliest)s) end
                   as expires_at
            from api_keys where tenant_id = %(tenant)s and id > %(after)s order by id limit %(limit)s
            """,
            {"tenant": tenant.number, "after": after or "", "limit": limit} | ENDS,
        )
    return [KeyRecord(**row) for row in rows]


async def revoke_key(database: Database, slug: str, key_id: str) -> None:
    tenant = await tenant_by_slug(database, slug)
    if not key_id.isalnum():
        raise NotFound
    async with database.operator() as connection:
        key = {"tenant": tenant.number, "id": key_id}
        row = await fetch_one(
            connection,
            "select scopes, revoked_at from api_keys where tenant_id = %(tenant)s and id = %(id)s for update",
            key,
        )
        if row is None:
            raise NotFound
        if row["revoked_at"] is None:
            await connection.execute(
                "update api_keys set revoked_at = now() where tenant_id = %(tenant)s and id = %(id)s", key
            )
            await audit.record(connection, tenant.number, "revoke", "key", key_id, before={"scopes": row["scopes"]})


def _record(row: DictRow) -> TenantRecord:
    days = row.get("query_log_days")
    return TenantRecord(row["slug"], row["name"], row["chunk_count"], row["limits"], row["created_at"], days)


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
