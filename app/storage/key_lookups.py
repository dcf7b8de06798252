"""Look up the keys and tenants of requests that arrive together in one query, so that a flood costs one connection.

A query begins after the requests that it answers have come: a key is refused from the first request after its
revocation on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from psycopg.rows import DictRow

from app.errors import Unauthorized
from app.storage.allowances import TENANT_COLUMNS, allowances_of
from app.storage.database import Database
from app.storage.tenancy import LOGS_QUERIES, is_kept
from app.storage.tenant_records import Scope
from app.storage.tenants import Delegation, Tenant, id_of_key, read_keys, tenant_of_key

Rows = Mapping[str, DictRow]


class Lookups:
    """Rows by their names, those that wait in one query."""

    def __init__(self, read: Callable[[Database, Sequence[str]], Awaitable[Rows]]) -> None:
        self._read_rows = read
        self._asked: set[str] = set()
        self._next: asyncio.Task[Rows] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def rows(self, database: Database, name: str) -> Rows:
        """Return rows that have this one's, if there is one."""
        self._asked.add(name)
        if self._next is None:
            self._next = asyncio.create_task(self._read(database))
        # Others wait for it too, when this caller hangs up.
        return await asyncio.shield(self._next)

    async def _read(self, database: Database) -> Rows:
        async with self._one_at_a_time:
            asked, self._asked, self._next = self._asked, set(), None
            return await self._read_rows(database, list(asked))


class KeyLookups:
    """Those of an API process."""

    def __init__(self) -> None:
        self._keys = Lookups(lambda database, ids: read_keys(database, ids))
        self._tenants = Lookups(read_tenants)

    async def authenticate(self, database: Database, key: str) -> Tenant:
        """Return the tenant of a key. Raises Unauthorized, in the same words whatever is wrong with the key."""
        return tenant_of_key(key, await self._keys.rows(database, id_of_key(key)))

    async def tenant_of(
        self, database: Database, slug: str, scopes: frozenset[Scope], subject: str, acts_for: Delegation | None = None
    ) -> Tenant:
        """Return the tenant of a token that has been checked. Raises Unauthorized if there is none of this id."""
        row = (await self._tenants.rows(database, slug)).get(slug)
        if row is None:
            raise Unauthorized("The token's tenant is not one of this service.")
        allowed, logs = allowances_of(row), row["logs_queries"]
        return Tenant(row["number"], slug, scopes, f"sub:{subject}", allowed, logs, delegation=acts_for)


async def read_tenants(database: Database, slugs: Sequence[str]) -> dict[str, DictRow]:
    """Return what a request needs of the tenants with these ids."""
    query = f"""
        select slug, id as number, {TENANT_COLUMNS}, {LOGS_QUERIES}
        from tenants t where slug = any(%(slugs)s) and {is_kept("t.id")}
    """  # noqa: S608 - a constant
    return {row["slug"]: row for row in await database.operator_at_once([query], {"slugs": list(slugs)})}
