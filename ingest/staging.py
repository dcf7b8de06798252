"""Stages chunks batch by batch, then publishes them in one transaction."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy import float32
from numpy.typing import NDArray
from pgvector import HalfVector

from app.storage import changelog, limits, members, parts, postings, spaces, texts, usage
from app.storage.collections import DEFAULT
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.members import Held
from app.storage.notices import PageCounts
from app.storage.pictures import Picture
from app.storage.processing import LOADERS
from app.storage.texts import PageSpan
from app.storage.usage import Usage
from ingest.jobs.queue import ClaimedDocument, finish_claimed, unstage_pages, unstage_rows, update_claimed
from ingest.split import Chunk
from ingest.staged_pages import publish_words
from ingest.stored import notice_columns, upload_columns
from ingest.within_part import judge_written, refuse_taken


async def staged(database: Database, work: ClaimedDocument) -> list[tuple[int, int, str, int]]:
    """Return (ord, start, text, embedding space) of what an earlier attempt has embedded."""
    async with database.transaction(work.tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select ord, start, content, space from staged_chunks
            where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s order by ord
            """,
            work.key,
        )
    return [(row["ord"], row["start"], row["content"], row["space"]) for row in rows]


async def stage(
    database: Database,
    work: ClaimedDocument,
    chunks: Sequence[Chunk],
    vectors: NDArray[float32],
    *,
    space: int,
    embedded_tokens: int = 0,
) -> None:
    """Stage one batch and commit it: a restart continues after it. Raises LeaseLost."""
    async with database.transaction(work.tenant) as connection:
        change = "stage = 'embed', progressed_in = attempt, chunks_done = chunks_done + %(done)s"
        await update_claimed(connection, work, change, done=len(chunks))
        async with connection.cursor() as cursor:
            await cursor.executemany(
                """
                insert into staged_chunks
                    (tenant_id, job_id, n, ord, page, last_page, start, stop, header_start, header_stop, headings,
                     tokens, content, space, embedding)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                [
                    (work.tenant, work.job_id, work.item_number, chunk.ord, *(chunk.pages or (None, None)),
                     chunk.start, chunk.stop, *(chunk.header or (None, None)), list(chunk.headings),
                     chunk.tokens, chunk.text, space, HalfVector(vector))
                    for chunk, vector in zip(chunks, vectors, strict=True)
                ],
            )  # fmt: skip
        if embedded_tokens:
            await usage.add(connection, work.tenant, work.job_id, Usage(embedded_tokens=embedded_tokens))


async def stored_vectors(
    database: Database, work: ClaimedDocument, *, space: int, title: str | None
) -> dict[str, NDArray[float32]]:
    """Return the stored version's vectors by the chunk's text; none if it was embedded under another title."""
    async with database.transaction(work.tenant) as connection:
        rows = await fetch_all(
            connection,
            f"""
            select c.content, v.embedding
            from documents d
            join chunks c on c.tenant_id = d.tenant_id and c.document_id = d.id
            join {spaces.table(space)} v on v.tenant_id = c.tenant_id and v.chunk_id = c.id
            where d.tenant_id = %(tenant)s and d.id = %(id)s and d.title is not distinct from %(title)s::text
            """,  # noqa: S608 - a number of ours
            {"tenant": work.tenant, "id": work.document_id, "title": title},
        )
    return {row["content"]: row["embedding"].to_numpy().astype(float32) for row in rows}


async def unstage(database: Database, work: ClaimedDocument) -> None:
    async with database.transaction(work.tenant) as connection:
        await update_claimed(connection, work, "chunks_done = 0")
        await unstage_rows(connection, work)


@dataclass(frozen=True, slots=True)
class Analysis:
    """The search terms of each chunk, in the chunks' order, and the scheme that made them."""

    scheme: str
    terms: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True)
class Version:
    """What is published: the text, how it was read, what cut it, the embedding space of its chunks, and notices of what
    the text lacks."""

    media_type: str
    title: str | None
    text: str
    pages: Sequence[PageSpan]
    pictures: Sequence[Picture]
    splitter: str
    space: int
    page_counts: PageCounts | None
    warnings: list[dict[str, Any]]


async def publish(
    database: Database,
    work: ClaimedDocument,
    analysis: Analysis,
    version: Version,
    held: Held | None = None,
) -> None:
    """Replace the old version by the new one in one transaction, and what that held by what this one holds.

    Raises DocumentError if that is too much, LeaseLost, OtherScheme if the stored texts are analysed in another way,
    or OtherSpace if searches use another model's vectors by now.
    """
    async with database.transaction(work.tenant) as connection:
        await spaces.lock_active_space(connection, version.space)
        await parts.hold(connection, work.tenant)
        await refuse_taken(connection, work)
        await finish_claimed(connection, work, "succeeded", **notice_columns(version))
        removed, added = await _replace(connection, work, version)
        if held is not None:
            kept = [each.document_id for each in held.uploads]
            removed += await members.remove_members(connection, work.tenant, work.document_id, keep=kept)
            await members.accept_members(connection, work.key, work, held)
        await judge_written(connection, work)
        difference = len(added) - len(removed)
        await changelog.record(connection, work.tenant, work.document_id, removed=removed, chunks=difference)
        if difference > 0:
            await limits.refuse_chunks(connection, work.tenant)
        await postings.remove(connection, work.tenant, removed)
        await postings.index(connection, work.tenant, zip(added, analysis.terms, strict=True))
        await postings.confirm(connection, analysis.scheme)
        await usage.add(connection, work.tenant, work.job_id, Usage(documents=1, bytes=work.size))


# A stored document that is ingested again may have been given another title since it was claimed.
TITLED_SINCE = """
    %(is_stored)s and documents.sent_title is not null and documents.sent_title is distinct from excluded.sent_title
"""
NEW_TITLE = f"""
    case when {TITLED_SINCE} then nullif(coalesce(documents.new_title, documents.title), excluded.title) end
"""
SENT_TITLE = f"case when {TITLED_SINCE} then documents.sent_title else excluded.sent_title end"
DOCUMENT = f"""
    insert into documents (tenant_id, id, source, title, media_type, bytes, sha256, metadata, chunks, blob,
                           loader, splitter, sent_title, sent_type, ocr, page_counts, warnings, parent, collection)
    values (%(tenant)s, %(id)s, %(source)s::text, %(title)s::text, %(media_type)s, %(bytes)s, %(sha256)s,
            coalesce(%(metadata)s::jsonb, '{{}}'), %(chunks)s, %(blob)s,
            %(loader)s, %(splitter)s, %(sent_title)s::text, %(sent_type)s::text, %(ocr)s, %(page_counts)s::jsonb,
            %(warnings)s::jsonb, %(parent)s::text, nullif(%(collection)s::text, '{DEFAULT}'))
    on conflict (tenant_id, id) do update set
        source = coalesce(excluded.source, documents.source),
        title = excluded.title, new_title = {NEW_TITLE}, sent_title = {SENT_TITLE},
        media_type = excluded.media_type, bytes = excluded.bytes, sha256 = excluded.sha256,
        metadata = coalesce(%(metadata)s::jsonb, documents.metadata), chunks = excluded.chunks,
        blob = excluded.blob, loader = excluded.loader, splitter = excluded.splitter,
        sent_type = excluded.sent_type, ocr = excluded.ocr, page_counts = excluded.page_counts,
        warnings = excluded.warnings, parent = excluded.parent, updated_at = now(),
        collection = case when %(collection)s::text is null then documents.collection else excluded.collection end
"""  # noqa: S608 - constants


async def _replace(connection: Connection, work: ClaimedDocument, version: Version) -> tuple[list[int], list[int]]:
    """Write the document and its chunks from what is staged. Return the ids of the old and the new chunks, in order."""
    key = {"tenant": work.tenant, "id": work.document_id, "job": work.job_id, "n": work.item_number}
    removed = await fetch_all(
        connection, "delete from chunks where tenant_id = %(tenant)s and document_id = %(id)s returning id", key
    )
    counted = await fetch_one(
        connection,
        "select count(*) as chunks from staged_chunks where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s",
        key,
    )
    added = [secrets.randbits(63) for _ in range(counted["chunks"] if counted else 0)]
    await connection.execute(
        DOCUMENT.encode(),
        {
            **upload_columns(work), "sent_title": work.title, "sent_type": work.media_type, "chunks": len(added),
            "media_type": version.media_type, "title": version.title, "splitter": version.splitter,
            "loader": LOADERS[version.media_type], "is_stored": work.is_stored,
            **notice_columns(version),
        },
    )  # fmt: skip
    await texts.replace_text(connection, work.tenant, work.document_id, version.text, version.pages, version.pictures)
    await publish_words(connection, work)
    await _publish_chunks(connection, {**key, "ids": added}, version.space)
    await unstage_rows(connection, work)
    await unstage_pages(connection, work)
    return [row["id"] for row in removed], added


async def _publish_chunks(connection: Connection, key: dict[str, Any], space: int) -> None:
    numbered = """
        from staged_chunks s
        join unnest(%(ids)s::bigint[]) with ordinality as i (id, position) on i.position = s.ord + 1
        where s.tenant_id = %(tenant)s and s.job_id = %(job)s and s.n = %(n)s
    """
    await connection.execute(
        f"""
        insert into chunks (tenant_id, id, document_id, ord, page, last_page, start, stop, header_start, header_stop,
                            headings, tokens, content)
        select s.tenant_id, i.id, %(id)s, s.ord, s.page, s.last_page, s.start, s.stop, s.header_start, s.header_stop,
               s.headings, s.tokens, s.content {numbered}
        """.encode(),
        key,
    )
    await connection.execute(
        f"""
        insert into {spaces.table(space)} (tenant_id, chunk_id, document_id, embedding)
        select s.tenant_id, i.id, %(id)s, s.embedding {numbered}
        """.encode(),
        key,
    )
