"""Look up the keys of requests that arrive together in one query, so that a flood costs one connection.

A query begins after the requests that it answers have come: a key is refused from the first request after its
revocation on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from psycopg.rows import DictRow

from app.storage.database import Database
from app.storage.tenants import Tenant, id_of_key, read_keys, tenant_of_key

Rows = Mapping[str, DictRow]


class KeyLookups:
    """Those of an API process."""

    def __init__(self) -> None:
        self._asked: set[str] = set()
        self._next: asyncio.Task[Rows] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def authenticate(self, database: Database, key: str) -> Tenant:
        """Return the tenant of a key. Raises Unauthorized, in the same words whatever is wrong with the key."""
        self._asked.add(id_of_key(key))
        if self._next is None:
            self._next = asyncio.create_task(self._read(database))
        # Others wait for it too, when this caller hangs up.
        return tenant_of_key(key, await asyncio.shield(self._next))

    async def _read(self, database: Database) -> Rows:
        async with self._one_at_a_time:
            asked, self._asked, self._next = self._asked, set(), None
            return await read_keys(database, list(asked))
