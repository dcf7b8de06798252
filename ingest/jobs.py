"""Work as a worker sees it: claimed with a lease, renewed, staged batch by batch, published or failed."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy import float32
from numpy.typing import NDArray
from pgvector import HalfVector
from psycopg.types.json import Jsonb

from app.database import Connection, Database, fetch_all, fetch_one
from app.errors import KyujangError
from app.jobs import ItemStatus, Stage
from ingest.split import Piece

MAX_ATTEMPTS = 3


class LeaseLost(KyujangError):
    """Cancelled, deleted, or taken over by another worker: leave it."""


@dataclass(frozen=True, slots=True)
class Work:
    """One claimed document. `attempt` tells this claim from a later one of the same item."""

    tenant: int
    job_id: str
    n: int
    attempt: int
    worker: str
    document_id: str
    source: str | None
    title: str | None
    media_type: str | None
    size: int
    sha256: bytes
    metadata: dict[str, Any] | None
    blob: str

    @property
    def key(self) -> dict[str, Any]:
        return {"tenant": self.tenant, "job": self.job_id, "n": self.n, "worker": self.worker, "attempt": self.attempt}


async def claim(database: Database, worker: str, *, lease_s: float) -> Work | None:
    """The oldest document that waits or whose worker has died.

    Uploads of the same document are taken one after the other, in the order in which they were accepted.
    """
    async with database.operator() as connection:
        row = await fetch_one(
            connection,
            """
            with next as (
                select i.tenant_id, i.job_id, i.n from job_items i
                where ((i.status = 'queued' and i.not_before <= now())
                       or (i.status = 'running' and i.lease_until < now()))
                  and not exists (
                      select from job_items earlier
                      where earlier.tenant_id = i.tenant_id and earlier.document_id = i.document_id
                        and earlier.seq < i.seq and earlier.status in ('queued', 'running'))
                order by i.seq limit 1 for update skip locked
            )
            update job_items i
            set status = 'running', attempt = i.attempt + 1, worker = %(worker)s,
                lease_until = now() + make_interval(secs => %(lease)s)
            from next where i.tenant_id = next.tenant_id and i.job_id = next.job_id and i.n = next.n
            returning i.tenant_id as tenant, i.job_id, i.n, i.attempt, i.worker, i.document_id, i.source, i.title,
                      i.media_type, i.bytes as size, i.sha256, i.metadata, i.blob
            """,
            {"worker": worker, "lease": lease_s},
        )
    return Work(**row) if row else None


async def renew(database: Database, work: Work, *, lease_s: float) -> None:
    """Raises LeaseLost."""
    async with database.transaction(work.tenant) as connection:
        await _hold(connection, work, "lease_until = now() + make_interval(secs => %(lease)s)", {"lease": lease_s})


async def progress(database: Database, work: Work, stage: Stage, *, chunks: int | None = None) -> None:
    async with database.transaction(work.tenant) as connection:
        await _hold(
            connection,
            work,
            "stage = %(stage)s, chunks = coalesce(%(chunks)s, chunks)",
            {"stage": stage, "chunks": chunks},
        )


async def is_stored(database: Database, work: Work) -> bool:
    """The same bytes are there already."""
    async with database.transaction(work.tenant) as connection:
        row = await fetch_one(
            connection,
            "select 1 from documents where tenant_id = %(tenant)s and id = %(id)s and sha256 = %(sha256)s",
            {"tenant": work.tenant, "id": work.document_id, "sha256": work.sha256},
        )
    return row is not None


async def finish_unchanged(database: Database, work: Work) -> None:
    """What describes the document may have changed all the same."""
    async with database.transaction(work.tenant) as connection:
        await _end(connection, work, "unchanged")
        await connection.execute(
            """
            update documents set source = coalesce(%(source)s::text, source), title = coalesce(%(title)s::text, title),
                   metadata = coalesce(%(metadata)s::jsonb, metadata), updated_at = now()
            where tenant_id = %(tenant)s and id = %(id)s
              and (coalesce(%(source)s::text, source), coalesce(%(title)s::text, title), coalesce(%(metadata)s::jsonb, metadata))
                  is distinct from (source, title, metadata)
            """,
            _description(work),
        )


async def staged(database: Database, work: Work) -> list[tuple[int, int, int]]:
    """(ord, start, stop) of what an earlier attempt has embedded."""
    async with database.transaction(work.tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select ord, start, stop from staged_chunks
            where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s order by ord
            """,
            work.key,
        )
    return [(row["ord"], row["start"], row["stop"]) for row in rows]


async def stage(database: Database, work: Work, pieces: Sequence[Piece], vectors: NDArray[float32]) -> None:
    """One batch, committed: a restart goes on after it. Raises LeaseLost."""
    async with database.transaction(work.tenant) as connection:
        await _hold(connection, work, "stage = 'embed', chunks_done = chunks_done + %(done)s", {"done": len(pieces)})
        async with connection.cursor() as cursor:
            await cursor.executemany(
                """
                insert into staged_chunks
                    (tenant_id, job_id, n, ord, page, start, stop, tokens, content, embedding)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                [
                    (work.tenant, work.job_id, work.n, piece.ord, piece.page, piece.start, piece.stop, piece.tokens,
                     piece.text, HalfVector(vector))
                    for piece, vector in zip(pieces, vectors, strict=True)
                ],
            )  # fmt: skip


async def unstage(database: Database, work: Work) -> None:
    async with database.transaction(work.tenant) as connection:
        await _hold(connection, work, "chunks_done = 0", {})
        await _unstage(connection, work)


async def publish(database: Database, work: Work, *, media_type: str, title: str | None) -> str | None:
    """The new version becomes visible and the old one goes, in one transaction: readers see either.

    Returns the old version's blob. Raises LeaseLost.
    """
    async with database.transaction(work.tenant) as connection:
        await _end(connection, work, "succeeded")
        old = await fetch_one(
            connection,
            "select blob, chunks from documents where tenant_id = %(tenant)s and id = %(id)s for update",
            {"tenant": work.tenant, "id": work.document_id},
        )
        described = {**_description(work), "media_type": media_type, "title": work.title or title}
        chunks = await _replace(connection, work, described)
        await connection.execute(
            "update tenants set chunk_count = chunk_count + %s where id = %s",
            [chunks - (old["chunks"] if old else 0), work.tenant],
        )
    return old["blob"] if old else None


async def fail(database: Database, work: Work, code: str, detail: str) -> None:
    async with database.transaction(work.tenant) as connection:
        await _end(connection, work, "failed", code=code, detail=detail)


async def retry_later(database: Database, work: Work, *, delay_s: float, blameless: bool = False) -> None:
    """For faults that pass. `blameless` does not count as an attempt: the worker was told to stop."""
    async with database.transaction(work.tenant) as connection:
        await _hold(
            connection,
            work,
            """
            status = 'queued', lease_until = null, not_before = now() + make_interval(secs => %(delay)s),
            attempt = attempt - %(blameless)s::integer
            """,
            {"delay": delay_s, "blameless": blameless},
        )


async def _replace(connection: Connection, work: Work, described: dict[str, Any]) -> int:
    """The document's row and chunks, from what is staged. Returns how many chunks."""
    key = {"tenant": work.tenant, "id": work.document_id, "job": work.job_id, "n": work.n}
    await connection.execute("delete from chunks where tenant_id = %(tenant)s and document_id = %(id)s", key)
    counted = await fetch_one(
        connection,
        "select count(*) as chunks from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s",
        key,
    )
    chunks: int = counted["chunks"] if counted else 0
    await connection.execute(
        """
        insert into documents (tenant_id, id, source, title, media_type, bytes, sha256, metadata, chunks, blob)
        values (%(tenant)s, %(id)s, %(source)s::text, %(title)s::text, %(media_type)s, %(bytes)s, %(sha256)s,
                coalesce(%(metadata)s::jsonb, '{}'), %(chunks)s, %(blob)s)
        on conflict (tenant_id, id) do update set
            source = coalesce(excluded.source, documents.source), title = excluded.title,
            media_type = excluded.media_type, bytes = excluded.bytes, sha256 = excluded.sha256,
            metadata = coalesce(%(metadata)s::jsonb, documents.metadata), chunks = excluded.chunks, blob = excluded.blob,
            updated_at = now()
        """,
        {**described, "chunks": chunks},
    )
    await connection.execute(
        """
        insert into chunks (tenant_id, id, document_id, ord, page, start, stop, tokens, content, embedding)
        select s.tenant_id, i.id, %(id)s, s.ord, s.page, s.start, s.stop, s.tokens, s.content, s.embedding
        from staged_chunks s
        join unnest(%(ids)s::bigint[]) with ordinality as i (id, position) on i.position = s.ord + 1
        where s.tenant_id = %(tenant)s and s.job_id = %(job)s and s.n = %(n)s
        """,
        {**key, "ids": [secrets.randbits(63) for _ in range(chunks)]},
    )
    await _unstage(connection, work)
    return chunks


async def _end(
    connection: Connection, work: Work, status: ItemStatus, *, code: str | None = None, detail: str | None = None
) -> None:
    await _hold(
        connection,
        work,
        """
        status = %(status)s, stage = case when %(code)s::text is null then 'done' else stage end, lease_until = null,
        finished_at = now(), error_code = %(code)s, error_detail = %(detail)s
        """,
        {"status": status, "code": code, "detail": detail},
    )
    if status != "succeeded":
        await _unstage(connection, work)


async def _unstage(connection: Connection, work: Work) -> None:
    await connection.execute(
        "delete from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s", work.key
    )


async def _hold(connection: Connection, work: Work, change: str, values: dict[str, Any]) -> None:
    """Change the item, provided that it is still this worker's; the row stays locked until the commit."""
    row = await fetch_one(
        connection,
        f"""
        update job_items set {change}
        where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s
          and status = 'running' and worker = %(worker)s and attempt = %(attempt)s
        returning n
        """,  # noqa: S608 - `change` is one of the texts above
        {**work.key, **values},
    )
    if row is None:
        raise LeaseLost


def _description(work: Work) -> dict[str, Any]:
    return {
        "tenant": work.tenant,
        "id": work.document_id,
        "source": work.source,
        "title": work.title,
        "bytes": work.size,
        "sha256": work.sha256,
        "blob": work.blob,
        "metadata": None if work.metadata is None else Jsonb(work.metadata),
    }
