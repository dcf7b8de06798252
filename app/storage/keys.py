"""Create, change, list and revoke the API keys of tenants."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.types.json import Jsonb

from app.errors import Conflict, InvalidInput, NotFound
from app.storage import audit, parts
from app.storage.database import Connection, Database, continue_as, continue_as_operator, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, made_before, remember_made
from app.storage.limits import changed
from app.storage.tenancy import TenantNumber
from app.storage.tenant_records import KeyRecord, NewKey, Scope
from app.storage.tenants import DELEGATE, KEY_PREFIX, hash_of, tenant_by_slug

# A day from the ends of Python's calendar, so that these are times of it in every time zone.
EARLIEST_EXPIRY = datetime(1, 1, 2, tzinfo=UTC)
LATEST_EXPIRY = datetime(9999, 12, 30, tzinfo=UTC)
ENDS = {"latest": LATEST_EXPIRY, "earliest": EARLIEST_EXPIRY}
SHOWN = """
    id, scopes, created_at, revoked_at, limits, groups,
    (select filter from parts p where p.tenant_id = api_keys.tenant_id and p.number = api_keys.part) as only,
    case when expires_at is not null then greatest(least(expires_at, %(latest)s), %(earliest)s) end as expires_at
"""

INSERT = """
    insert into api_keys (tenant_id, id, secret_hash, scopes, expires_at, limits, part, groups)
    values (%(tenant)s, %(id)s, %(hash)s, %(scopes)s, %(expires_at)s, %(limits)s, %(part)s, %(groups)s)
    returning created_at
"""


async def create_key(
    database: Database,
    slug: str,
    scopes: Sequence[Scope],
    expires_at: datetime | None = None,
    request: Idempotency | None = None,
    *,
    limits: Mapping[str, int] | None = None,
    only: Mapping[str, Any] | None = None,
    groups: str | None = None,
) -> NewKey:
    """Create a key, with `only` one that sees the matching documents alone, with `groups` one that acts for those that
    this metadata list names. Only the SHA-256 of its secret is stored, which suffices for 256 random bits.

    Raises Conflict if `request` has made one before, or there are too many parts.
    """
    tenant, own = await tenant_by_slug(database, slug), dict(limits or {})
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    async with database.operator() as connection:
        await _refuse_again(connection, request)
        await remember_made(connection, request, tenant.number, key_id)
        part = await _part(connection, tenant.number, only)
        row = await fetch_one(
            connection,
            INSERT,
            {
                "tenant": tenant.number, "id": key_id, "hash": hash_of(secret), "scopes": list(scopes),
                "expires_at": expires_at, "limits": Jsonb(own), "part": part, "groups": groups,
            },
        )  # fmt: skip
        expires = None if expires_at is None else expires_at.isoformat()
        after = {"scopes": list(scopes), "expires_at": expires, **({"limits": own} if own else {})}
        after |= ({"only": dict(only)} if only else {}) | ({"groups": groups} if groups else {})
        await audit.record(connection, tenant.number, "create", "key", key_id, after=after)
    assert row is not None
    bound = None if only is None else dict(only)
    record = KeyRecord(key_id, scopes, row["created_at"], expires_at, None, own, bound, groups)
    return NewKey(record, f"{KEY_PREFIX}_{key_id}_{secret}")


async def _refuse_again(connection: Connection, request: Idempotency | None) -> None:
    if (made := await made_before(connection, request)) is not None:
        raise Conflict(
            f"This Idempotency-Key has made the key {made!r} already, whose secret is not shown again. If it is "
            "lost, revoke that key and send another Idempotency-Key."
        )


async def change_key(database: Database, slug: str, key_id: str, changes: Mapping[str, Any]) -> KeyRecord:
    """Change what is given, from the next request on: of `limits` those that are given, where None takes one away;
    `only`, which documents the key sees, where None is all; `groups`, the list that says what groups see a document.

    Raises NotFound, Conflict for too many parts, or InvalidInput for `groups` of a key that acts for none.
    """
    tenant = await tenant_by_slug(database, slug)
    key: dict[str, Any] = {"tenant": tenant.number, "id": key_id} | ENDS
    which = "where tenant_id = %(tenant)s and id = %(id)s"
    async with database.operator() as connection:
        query = f"select {SHOWN}, part from api_keys {which} for update"  # noqa: S608 - constants
        before = await fetch_one(connection, query, key)
        if before is None:
            raise NotFound
        if "groups" in changes and DELEGATE not in before["scopes"]:
            raise InvalidInput(f"This key lacks the scope {DELEGATE!r}: make one that has it.", pointer="/groups")
        own = changed(before["limits"], changes.get("limits") or {})
        part = await _part(connection, tenant.number, changes["only"]) if "only" in changes else before["part"]
        row = await fetch_one(
            connection,
            f"update api_keys set limits = %(limits)s, part = %(part)s, groups = %(groups)s {which} returning {SHOWN}",  # noqa: S608
            {**key, "limits": Jsonb(own), "part": part, "groups": changes.get("groups", before["groups"])},
        )
        assert row is not None
        differs = [name for name in ("limits", "only", "groups") if row[name] != before[name]]
        if differs:
            told = {when: {name: of[name] for name in differs} for when, of in (("before", before), ("after", row))}
            await audit.record(connection, tenant.number, "change", "key", key_id, **told)
        if "only" in differs:
            await forget_unused(connection, tenant.number)
    return KeyRecord(**row)


async def _part(connection: Connection, tenant: TenantNumber, only: Mapping[str, Any] | None) -> int | None:
    """Return the part with this filter, in a transaction of the operator's."""
    if only is None:
        return None
    await continue_as(connection, tenant)
    number = await parts.part_of(connection, tenant, only)
    await continue_as_operator(connection)
    return number


async def forget_unused(connection: Connection, tenant: TenantNumber) -> None:
    """Remove the parts that no valid key is bound to and no group has used, in a transaction of the operator's."""
    rows = await fetch_all(
        connection,
        """
        select distinct part from api_keys
        where tenant_id = %(tenant)s and part is not null and revoked_at is null
        """,
        {"tenant": tenant},
    )
    await continue_as(connection, tenant)
    await parts.forget_unused(connection, tenant, [row["part"] for row in rows])
    await continue_as_operator(connection)


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
            "select scopes, revoked_at, part from api_keys where tenant_id = %(tenant)s and id = %(id)s for update",
            key,
        )
        if row is None:
            raise NotFound
        if row["revoked_at"] is None:
            await connection.execute(
                "update api_keys set revoked_at = now() where tenant_id = %(tenant)s and id = %(id)s", key
            )
            await audit.record(connection, tenant.number, "revoke", "key", key_id, before={"scopes": row["scopes"]})
            if row["part"] is not None:
                await forget_unused(connection, tenant.number)
