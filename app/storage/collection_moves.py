"""Move documents between collections, and delete a collection."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from app.errors import Conflict, NotFound
from app.storage import audit, collections, members, parts
from app.storage.collections import DEFAULT
from app.storage.database import Connection, Database, fetch_all, fetch_one, see_all, without_time_limits
from app.storage.documents import delete_document
from app.storage.filter_sql import compile_filter
from app.storage.filters import Filter
from app.storage.tenancy import TenantNumber

READ_AT_ONCE = 500


async def move_documents(database: Database, tenant: TenantNumber, collection: str, where: Filter) -> int:
    """Move the matching documents that the caller sees, each with what it holds, and return how many.

    Raises InvalidInput, or OutsidePart if the caller would not see one of them any more.
    """
    condition = compile_filter(where)
    async with database.transaction(tenant) as connection:
        await parts.hold(connection, tenant)
        await collections.keep(connection, tenant, [collection])
        # However many documents there are.
        await without_time_limits(connection)
        rows = await fetch_all(
            connection,
            f"""
            update documents d set collection = nullif(%(collection)s, '{DEFAULT}'), updated_at = now()
            where d.tenant_id = %(tenant)s and {condition.sql}
              and d.collection is distinct from nullif(%(collection)s, '{DEFAULT}')
            returning id
            """,  # noqa: S608 - a condition holds its values as parameters
            condition.parameters | {"tenant": tenant, "collection": collection},
        )
        moved = [row["id"] for row in rows]
        await see_all(connection)
        await parts.judge(connection, tenant, moved)
        await members.set_collection(connection, tenant, moved, collection)
        await parts.refuse_outside(connection, tenant, moved)
        if moved:
            await audit.record(connection, tenant, "move", "collection", collection, after={"moved": len(moved)})
    return len(moved)


async def delete_collection(database: Database, tenant: TenantNumber, collection: str, *, with_documents: bool) -> None:
    """Delete it, if it is empty or with its documents. Raises NotFound, Conflict.

    Its documents go one after the other; interrupted, the same call goes on where it was.
    """
    if collection == DEFAULT:
        raise Conflict(f"The collection {DEFAULT!r} is always there. Its documents can be deleted or moved.")
    key: dict[str, Any] = {"tenant": tenant, "id": collection, "limit": READ_AT_ONCE}
    while True:
        async with database.transaction(tenant) as connection:
            if await _delete_if_empty(connection, key):
                return
        if not with_documents:
            raise Conflict(
                f"There are documents in the collection {collection!r}, or on their way to it. Move them, or delete "
                "it with ?documents=delete."
            )
        async with database.transaction(tenant) as connection:
            rows = await fetch_all(connection, f"{DOCUMENTS} limit %(limit)s", key)
        for row in rows:
            # Gone with what held it, or by another request.
            with suppress(NotFound):
                await delete_document(database, tenant, row["id"])


# Those in it, and those on their way to it.
DOCUMENTS = """
    select id from documents where tenant_id = %(tenant)s and collection = %(id)s
    union
    select document_id from job_items
    where tenant_id = %(tenant)s and collection = %(id)s and status in ('queued', 'running')
"""


async def _delete_if_empty(connection: Connection, key: dict[str, Any]) -> bool:
    """Wait for those that put a document into it: they hold its row, by collections.keep() or by the foreign key."""
    row = await fetch_one(
        connection, "select id from collections where tenant_id = %(tenant)s and id = %(id)s for update", key
    )
    if row is None:
        raise NotFound
    if await fetch_one(connection, f"{DOCUMENTS} limit 1", key) is not None:
        return False
    await connection.execute("delete from collections where tenant_id = %(tenant)s and id = %(id)s", key)
    await audit.record(connection, key["tenant"], "delete", "collection", key["id"])
    return True
