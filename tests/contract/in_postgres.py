"""A corpus in PostgreSQL, written the way ingest publishes it."""

from __future__ import annotations

import secrets
from contextlib import AbstractAsyncContextManager

from pgvector import HalfVector
from psycopg.types.json import Jsonb

from app.retrieval.chunks import read_matches
from app.retrieval.match import Hit, Match
from app.storage import changelog, documents, spaces
from app.storage.database import Database, PostgresSnapshot, fetch_all
from app.storage.tenancy import TenantNumber
from app.storage.tenants import create_tenant, tenant_by_slug
from tests.contract.corpus import SPACE, Document
from tests.deleting import without_rows


class PostgresCorpus:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._slugs: dict[TenantNumber, str] = {}

    async def new_tenant(self) -> TenantNumber:
        slug = f"t-{secrets.token_hex(4)}"
        number = await new_tenant(self._database, slug)
        self._slugs[number] = slug
        return number

    async def delete_tenant(self, tenant: TenantNumber) -> None:
        assert await without_rows(self._database, self._slugs[tenant]) == tenant

    async def put(self, tenant: TenantNumber, *there: Document) -> dict[str, list[int]]:
        return await put(self._database, tenant, *there)

    async def delete_document(self, tenant: TenantNumber, document_id: str) -> None:
        await documents.delete_document(self._database, tenant, document_id)

    def snapshot(self, tenant: TenantNumber) -> AbstractAsyncContextManager[PostgresSnapshot]:
        return self._database.snapshot(tenant)

    async def read(self, snapshot: PostgresSnapshot, tenant: TenantNumber, hits: list[Hit]) -> list[Match]:
        return await read_matches(snapshot, tenant, hits)


async def new_tenant(database: Database, slug: str | None = None) -> TenantNumber:
    slug = slug or f"t-{secrets.token_hex(4)}"
    await create_tenant(database, slug, slug)
    return (await tenant_by_slug(database, slug)).number


async def put(database: Database, tenant: int, *documents: Document) -> dict[str, list[int]]:
    """Each replaces what had its id, in a transaction of its own. Returns the chunks of each."""
    put: dict[str, list[int]] = {}
    for document in documents:
        chunks = [secrets.randbits(63) for _ in document.vectors]
        key = {
            "tenant": tenant, "id": document.id, "source": document.source, "chunks": len(chunks),
            "metadata": Jsonb(document.metadata), "created_at": document.created_at,
        }  # fmt: skip
        async with database.transaction(tenant) as connection:
            removed = await fetch_all(
                connection, "delete from chunks where tenant_id = %(tenant)s and document_id = %(id)s returning id", key
            )
            await connection.execute(
                """
                insert into documents
                    (tenant_id, id, source, media_type, bytes, sha256, metadata, chunks, blob, created_at)
                values (%(tenant)s, %(id)s, %(source)s, 'text/plain', 0, '', %(metadata)s, %(chunks)s, '',
                        %(created_at)s)
                on conflict (tenant_id, id) do update set source = excluded.source, metadata = excluded.metadata,
                    chunks = excluded.chunks
                """,
                key,
            )
            async with connection.cursor() as cursor:
                await cursor.executemany(
                    """
                    insert into chunks (tenant_id, id, document_id, ord, start, stop, tokens, content)
                    values (%s, %s, %s, %s, 0, 0, 0, '')
                    """,
                    [(tenant, chunk, document.id, n) for n, chunk in enumerate(chunks)],
                )
                await cursor.executemany(
                    f"insert into {spaces.table(SPACE)} (tenant_id, chunk_id, document_id, embedding) "
                    "values (%s, %s, %s, %s)",
                    [
                        (tenant, chunk, document.id, HalfVector(vector))
                        for chunk, vector in zip(chunks, document.vectors, strict=True)
                    ],
                )
            old = [row["id"] for row in removed]
            await changelog.record(connection, tenant, document.id, removed=old, chunks=len(chunks) - len(old))
        put[document.id] = chunks
    return put
