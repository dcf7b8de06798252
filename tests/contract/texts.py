"""Documents without vectors, written the way ingest publishes them: for what searches by words."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from psycopg.types.json import Jsonb

from app.storage import changelog, posting_merges, posting_tables, postings
from app.storage.database import Database, fetch_all

# Chunk by chunk, the terms in the order of the text.
Terms = Sequence[Sequence[str]]


async def put_terms(
    database: Database, tenant: int, document_id: str, terms: Terms, metadata: Mapping[str, Any] | None = None
) -> list[int]:
    """Replaces what had this id; without terms, deletes it. Returns the chunks."""
    key = {"tenant": tenant, "id": document_id, "chunks": len(terms), "metadata": Jsonb(metadata or {})}
    added = [secrets.randbits(63) for _ in terms]
    async with database.transaction(tenant) as connection:
        gone = await fetch_all(
            connection, "delete from chunks where tenant_id = %(tenant)s and document_id = %(id)s returning id", key
        )
        await connection.execute("delete from documents where tenant_id = %(tenant)s and id = %(id)s", key)
        if terms:
            await connection.execute(
                """
                insert into documents (tenant_id, id, media_type, bytes, sha256, metadata, chunks, blob)
                values (%(tenant)s, %(id)s, 'text/plain', 1, '', %(metadata)s, %(chunks)s, '')
                """,
                key,
            )
        async with connection.cursor() as cursor:
            await cursor.executemany(
                "insert into chunks values (%s, %s, %s, %s, null, 0, 1, 1, %s)",
                [
                    (tenant, chunk, document_id, n, " ".join(words))
                    for n, (chunk, words) in enumerate(zip(added, terms, strict=True))
                ],
            )
        removed = [row["id"] for row in gone]
        await changelog.record(connection, tenant, document_id, removed=removed, chunks=len(added) - len(removed))
        await postings.remove(connection, tenant, removed)
        await postings.index(connection, tenant, zip(added, terms, strict=True))
    return added


async def load_terms(database: Database, tenant: int, terms: Terms, *, first: int = 0) -> None:
    """Postings alone, of chunks `first`, `first` + 1 …: enough for a search without a filter, and fast."""
    async with database.transaction(tenant) as connection:
        await changelog.record(connection, tenant, "all", removed=[], chunks=len(terms))
        await postings.index(connection, tenant, enumerate(terms, start=first))


async def remove_terms(database: Database, tenant: int, chunks: Sequence[int]) -> None:
    """Takes off what load_terms() has put there."""
    async with database.transaction(tenant) as connection:
        await changelog.record(connection, tenant, "all", removed=chunks, chunks=-len(chunks))
        await postings.remove(connection, tenant, chunks)


async def merge_all(database: Database, tenant: int) -> None:
    """However few they are, rows become a segment; what chunks have left that are gone goes at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posting_merges, "FEWEST_CHUNKS", 1)
        patch.setattr(posting_tables, "DELETED_KEPT_S", 0)
        await posting_merges.merge_due(database, tenant)
