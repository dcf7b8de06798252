"""Change the title and the metadata of a stored document, without its bytes."""

from __future__ import annotations

from typing import Any

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import NotFound
from app.storage import audit, collections, members, parts
from app.storage.collections import DEFAULT, MOVED
from app.storage.database import Connection, Database, fetch_one, see_all
from app.storage.job_creation import new_id
from app.storage.jobs import Job, read
from app.storage.rechunking import insert_rechunk_job
from app.storage.tenancy import TenantNumber


async def change_document(
    database: Database,
    tenant: TenantNumber,
    document_id: str,
    *,
    title: str | None,
    metadata: dict[str, Any] | None,
    collection: str | None = None,
) -> Job | None:
    """Change what is given; return the job that embeds the chunks under their new title, if that is left to do.

    Raises NotFound, InvalidInput for a collection that is not there, or OutsidePart if the caller would not see it.
    """
    key: dict[str, Any] = {"tenant": tenant, "id": document_id}
    async with database.transaction(tenant) as connection:
        await parts.hold(connection, tenant)
        await collections.keep(connection, tenant, [collection] if collection else [])
        # Locked, so that no worker begins it with the title from before. A deletion locks in this order, too.
        queued = await fetch_one(connection, f"{RECHUNKS} and status = 'queued' {NEWEST} for update", key)
        before = await fetch_one(connection, BEFORE, key)
        if before is None:
            raise NotFound
        await see_all(connection)
        new_title = _new_title(before, title)
        stored = None if metadata is None else Jsonb(metadata)
        given = {"title": title, "new_title": new_title, "metadata": stored, "collection": collection}
        await connection.execute(CHANGE, {**key, **given})
        if metadata is not None:
            await members.set_metadata(connection, tenant, document_id, metadata)
        if collection is not None:
            await _moved(connection, key, before["collection"] or DEFAULT, collection)
        await parts.judge(connection, tenant, [document_id])
        await parts.refuse_outside(connection, tenant, [document_id])
        if title is None:
            return None
        changed = title != (before["new_title"] or before["title"])
        job = await _rechunk_job(connection, key, queued, new_title, changed=changed)
        return await read(connection, tenant, job) if job else None


async def _moved(connection: Connection, key: dict[str, Any], before: str, after: str) -> None:
    """Move what the document holds too, and record it."""
    tenant, document = key["tenant"], key["id"]
    await members.set_collection(connection, tenant, [document], after)
    if before != after:
        changes = {"before": {"collection": before}, "after": {"collection": after}}
        await audit.record(connection, tenant, "move", "document", document, **changes)


BEFORE = """
    select title, new_title, collection from documents
    where tenant_id = %(tenant)s and id = %(id)s for no key update
"""
RECHUNKS = """
    select job_id from job_items where tenant_id = %(tenant)s and document_id = %(id)s and kind = 'rechunk'
"""
NEWEST = "order by seq desc limit 1"
CHANGE = f"""
    with new as (
        select coalesce(%(metadata)s::jsonb, metadata) as metadata, %(new_title)s::text as new_title,
               coalesce(%(title)s::text, sent_title) as sent_title, {MOVED} as collection
        from documents where tenant_id = %(tenant)s and id = %(id)s
    )
    update documents d
    set metadata = new.metadata, new_title = new.new_title, sent_title = new.sent_title, collection = new.collection,
        updated_at = now()
    from new where d.tenant_id = %(tenant)s and d.id = %(id)s
      and (new.metadata, new.new_title, new.sent_title, new.collection)
          is distinct from (d.metadata, d.new_title, d.sent_title, d.collection)
"""  # noqa: S608 - a constant


def _new_title(before: DictRow, title: str | None) -> str | None:
    if title is None:
        found: str | None = before["new_title"]
        return found
    return title if title != before["title"] else None


async def _rechunk_job(
    connection: Connection, key: dict[str, Any], queued: DictRow | None, new_title: str | None, *, changed: bool
) -> str | None:
    """Return the job that will embed the chunks under the title. One that is running may have begun with another."""
    running = await fetch_one(connection, f"{RECHUNKS} and status = 'running' {NEWEST}", key)
    if new_title is None and not (changed and running):
        return None
    if found := queued or (None if changed else running):
        return str(found["job_id"])
    job = new_id()
    await insert_rechunk_job(connection, key["tenant"], job, "d.id = %(id)s", key)
    return job
