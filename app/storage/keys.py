"""Create, change, list and revoke the API keys of tenants."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from app.errors import Conflict, NotFound
from app.storage import audit
from app.storage.database import Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, made_before, remember_made
from app.storage.limits import changed
from app.storage.tenant_records import KeyRecord, NewKey, Scope
from app.storage.tenants import KEY_PREFIX, hash_of, tenant_by_slug

# A day from the ends of Python's calendar, so that these are times of it in every time zone.
EARLIEST_EXPIRY = datetime(1, 1, 2, tzinfo=UTC)
LATEST_EXPIRY = datetime(9999, 12, 30, tzinfo=UTC)
ENDS = {"latest": LATEST_EXPIRY, "earliest": EARLIEST_EXPIRY}
SHOWN = """
    id, scopes, created_at, revoked_at, limits,
    case when expires_at is not null then greatest(least(expires_at, %(latest)s), %(earliest)s) end as expires_at
"""


async def create_key(
    database: Database,
    slug: str,
    scopes: Sequence[Scope],
    expires_at: datetime | None = None,
    request: Idempotency | None = None,
    *,
    limits: Mapping[str, int] | None = None,
) -> NewKey:
    """Create a key. Only the SHA-256 of its secret is stored, which suffices for 256 random bits.

    Raises Conflict if `request` has made one before.
    """
    tenant, own = await tenant_by_slug(database, slug), dict(limits or {})
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
            insert into api_keys (tenant_id, id, secret_hash, scopes, expires_at, limits)
            values (%(tenant)s, %(id)s, %(hash)s, %(scopes)s, %(expires_at)s, %(limits)s)
            returning created_at
            """,
            {
                "tenant": tenant.number, "id": key_id, "hash": hash_of(secret), "scopes": list(scopes),
                "expires_at": expires_at, "limits": Jsonb(own),
            },
        )  # fmt: skip
        expires = None if expires_at is None else expires_at.isoformat()
        after = {"scopes": list(scopes), "expires_at": expires, **({"limits": own} if own else {})}
        await audit.record(connection, tenant.number, "create", "key", key_id, after=after)
    assert row is not None
    record = KeyRecord(key_id, scopes, row["created_at"], expires_at, None, own)
    return NewKey(record, f"{KEY_PREFIX}_{key_id}_{secret}")


async def change_key(database: Database, slug: str, key_id: str, limits: Mapping[str, int | None]) -> KeyRecord:
    """Set the limits that are given, and take away those that are None, from the next request on. Raises NotFound."""
    tenant = await tenant_by_slug(database, slug)
    key: dict[str, Any] = {"tenant": tenant.number, "id": key_id} | ENDS
    which = "where tenant_id = %(tenant)s and id = %(id)s"
    async with database.operator() as connection:
        before = await fetch_one(connection, f"select limits from api_keys {which} for update", key)  # noqa: S608
        if before is None:
            raise NotFound
        after = changed(before["limits"], limits)
        row = await fetch_one(
            connection,
            f"update api_keys set limits = %(limits)s {which} returning {SHOWN}",  # noqa: S608 - constants
            {**key, "limits": Jsonb(after)},
        )
        assert row is not None
        if after != before["limits"]:
            changes = {"before": {"limits": before["limits"]}, "after": {"limits": after}}
            await audit.record(connection, tenant.number, "change", "key", key_id, **changes)
    return KeyRecord(**row)


async def list_keys(database: Database, slug: str, *, limit: int, after: str | None) -> list[KeyRecord]:
    tenant = await tenant_by_slug(database, slug)
    async with database.operator() as connection:
        rows = await fetch_all(
            connection,
            f"""
            select {SHOWN} from api_keys where tenant_id = %(tenant)s and id > %(after)s order by id limit %(limit)s
            """,  # noqa: S608 - a constant
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
