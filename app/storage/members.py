"""Documents that another document holds: attachments of mail, members of archives. Each names its parent.

Every writer locks from the parent to what it holds, and of each its items before its document (docs/decisions/0025).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from psycopg.types.json import Jsonb

from app.errors import DocumentError, TooLarge
from app.storage import limits, parts
from app.storage.cancellation import cancel_items
from app.storage.collections import DEFAULT
from app.storage.database import Connection, fetch_all, fetch_one
from app.storage.document_ids import MAX_CHARACTERS
from app.storage.jobs import Upload
from app.storage.tenancy import TenantNumber

BESIDE = (
    "Together with what lies beside it this holds more than is accepted (KYUJANG_MAX_MEMBERS, "
    "KYUJANG_MAX_UNPACKED_MB). Split it."
)
UNFINISHED = "status in ('queued', 'running')"


@dataclass(frozen=True, slots=True)
class Family:
    """What the outermost document that holds this one holds besides; `depth` is how many documents hold this one."""

    depth: int
    members: int
    size: int


async def family(connection: Connection, tenant: TenantNumber, document_id: str, parent: str | None) -> Family:
    """Count without what the document itself holds, which is about to be replaced."""
    row = await fetch_one(
        connection,
        f"""
        with recursive above (id, parent, level) as (
            select id, parent, 1 from documents where tenant_id = %(tenant)s and id = %(parent)s::text
            union
            select d.id, d.parent, a.level + 1
            from above a join documents d on d.tenant_id = %(tenant)s and d.id = a.parent
        ), held (id, size) as (
            select id, 0::bigint from above where parent is null
            union
            select m.id, m.size from held h cross join lateral (
                select d.id, d.bytes as size from documents d where d.tenant_id = %(tenant)s and d.parent = h.id
                union
                select i.document_id, i.size from job_items i
                where i.tenant_id = %(tenant)s and i.parent = h.id and i.{UNFINISHED}
            ) m where h.id <> %(id)s
        )
        select (select coalesce(max(level), 0) from above) as depth, greatest(count(*) - 1, 0) as members,
               coalesce(sum(size), 0) as size
        from (select id, max(size) as size from held group by id) each
        """,  # noqa: S608 - constants
        {"tenant": tenant, "id": document_id, "parent": parent},
    )
    assert row is not None
    return Family(row["depth"], row["members"], int(row["size"]))


async def ids_of_others(connection: Connection, tenant: TenantNumber, parent: str, ids: Sequence[str]) -> set[str]:
    """Return those of `ids` that belong to a document, or to an unfinished upload, which `parent` does not hold."""
    rows = await fetch_all(
        connection,
        f"""
        select id from documents
        where tenant_id = %(tenant)s and id = any(%(ids)s) and parent is distinct from %(parent)s
        union
        select document_id from job_items
        where tenant_id = %(tenant)s and document_id = any(%(ids)s) and {UNFINISHED} and kind = 'ingest'
          and parent is distinct from %(parent)s
        """,  # noqa: S608 - a constant
        {"tenant": tenant, "parent": parent, "ids": list(ids)},
    )
    return {row["id"] for row in rows}


async def remove_members(
    connection: Connection, tenant: TenantNumber, parent: str, *, keep: Collection[str] = ()
) -> list[int]:
    """Remove what a document holds, at all depths, but for the documents to `keep`; cancel what is unfinished of it.

    Return the chunks that are gone, which the caller takes off the index.
    """
    removed: list[int] = []
    above, keep = [parent], list(keep)
    while above:
        key: dict[str, Any] = {"tenant": tenant, "above": above, "keep": keep}
        await cancel_items(connection, tenant, "parent = any(%(above)s)", {"above": above})
        held = await fetch_all(
            connection,
            """
            select id from documents where tenant_id = %(tenant)s and parent = any(%(above)s) and id <> all(%(keep)s)
            order by id for update
            """,
            key,
        )
        above, keep = [row["id"] for row in held], []
        key["gone"] = above
        chunks = await fetch_all(
            connection,
            "delete from chunks where tenant_id = %(tenant)s and document_id = any(%(gone)s) returning id",
            key,
        )
        await connection.execute("delete from documents where tenant_id = %(tenant)s and id = any(%(gone)s)", key)
        removed += [row["id"] for row in chunks]
    return removed


ACCEPTED = """
    insert into job_items
        (tenant_id, job_id, n, seq, document_id, source, media_type, size, sha256, blob, parent, ocr, metadata,
         collection, bound_to)
    overriding system value
    select i.tenant_id, i.job_id, %(number)s, i.seq, %(id)s, %(source)s, %(media_type)s::text, %(size)s, %(sha256)s,
           %(blob)s, %(parent)s, i.ocr, d.metadata, coalesce(d.collection, 'default'),
           i.bound_to
    from job_items i join documents d on d.tenant_id = i.tenant_id and d.id = %(parent)s
    where i.tenant_id = %(tenant)s and i.job_id = %(job)s and i.n = %(n)s
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What a document holds, stored. All that the outermost one holds may be `most` documents of so many bytes."""

    uploads: Sequence[Upload] = ()
    most: int = 0
    most_bytes: int = 0


async def accept_members(connection: Connection, key: dict[str, Any], document: Upload, held: Held) -> None:
    """Accept what `document` holds with its metadata, in the job of its item, whose `tenant`, `job` and `n` are `key`.

    They take its place in the queue, so that a tenant's later uploads do not pile up before them. Raises DocumentError.
    """
    if not held.uploads:
        return
    try:
        await limits.refuse_work(connection, key["tenant"], held.uploads, waits=False)
    except TooLarge as error:
        raise DocumentError("too_large", error.detail) from None
    # Two items of a job may be published at once, and must not take the same numbers.
    await connection.execute("select from jobs where tenant_id = %(tenant)s and id = %(job)s for update", key)
    # Others may have been taken out of what lies beside it since its own were counted.
    beside = await family(connection, key["tenant"], document.document_id, document.parent)
    size = sum(each.size for each in held.uploads)
    if beside.members + len(held.uploads) > held.most or beside.size + size > held.most_bytes:
        raise DocumentError("too_large", BESIDE)
    row = await fetch_one(
        connection, "select max(n) as last from job_items where tenant_id = %(tenant)s and job_id = %(job)s", key
    )
    assert row is not None
    async with connection.cursor() as cursor:
        await cursor.executemany(
            ACCEPTED,
            [
                {
                    **key, "number": number, "id": each.document_id, "source": each.source, "parent": each.parent,
                    "media_type": each.media_type, "size": each.size, "sha256": each.sha256, "blob": each.blob,
                }
                for number, each in enumerate(held.uploads, start=row["last"] + 1)
            ],
        )  # fmt: skip


async def set_metadata(connection: Connection, tenant: TenantNumber, parent: str, metadata: dict[str, Any]) -> None:
    """Give what a document holds, at all depths, the metadata that it has now."""
    value = Jsonb(metadata)
    await _set_of_held(connection, tenant, [parent], "metadata", of_items=value, of_documents=value)


async def set_collection(connection: Connection, tenant: TenantNumber, parents: Sequence[str], collection: str) -> None:
    """Move what these documents hold, at all depths, to the collection that they are in now."""
    stored = None if collection == DEFAULT else collection
    await _set_of_held(connection, tenant, parents, "collection", of_items=collection, of_documents=stored)


async def _set_of_held(
    connection: Connection,
    tenant: TenantNumber,
    parents: Sequence[str],
    column: Literal["metadata", "collection"],
    *,
    of_items: Any,
    of_documents: Any,
) -> None:
    above = list(parents)
    while above:
        key = {"tenant": tenant, "above": above, "of_items": of_items, "of_documents": of_documents}
        await connection.execute(
            f"""
            update job_items set {column} = %(of_items)s
            where tenant_id = %(tenant)s and parent = any(%(above)s) and {UNFINISHED}
            """.encode(),  # noqa: S608 - constants
            key,
        )
        rows = await fetch_all(
            connection,
            f"""
            update documents set {column} = %(of_documents)s, updated_at = now()
            where tenant_id = %(tenant)s and parent = any(%(above)s) returning id
            """,  # noqa: S608 - a constant
            key,
        )
        await parts.judge_items(connection, tenant, "i.parent = any(%(above)s)", {"above": above})
        above = [row["id"] for row in rows]
        await parts.judge(connection, tenant, above)


def member_id(parent: str, path: str) -> str:
    """Return the id of what `parent` holds at `path`; what would be too long is cut, and told apart by a digest."""
    whole = f"{parent}/{path}"
    if len(whole) <= MAX_CHARACTERS:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:32]
    return f"{whole[: MAX_CHARACTERS - len(digest) - 1]}~{digest}"
