"""Analyse stored texts again after KYUJANG_LEXICAL or the analysis itself has changed. A step of migrate."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import psycopg
from psycopg.rows import DictRow, dict_row

from app.language.analyzer import Analyzer
from app.language.headings import heading_path
from app.storage import postings
from app.storage.database import Connection, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

BATCH_CHUNKS = 500

Tell = Callable[[str, int, int], None]
"""Is told a step, how much of it is done and how much there is; 0 where that is not known."""


async def adopt(owner_url: str, analyzer: Analyzer, tell: Tell) -> None:
    """Rebuild the postings if their scheme differs. Until it is done no service starts; interrupted, it starts over.

    Raises LockNotAvailable, having done nothing, if the postings are in use.
    """
    connection = await psycopg.AsyncConnection.connect(owner_url, autocommit=True, row_factory=dict_row)
    async with connection:
        scheme = await fetch_one(connection, "select name from lexical_scheme")
        if scheme is not None and scheme["name"] == analyzer.name:
            return
        async with connection.transaction():
            await connection.execute("set local lock_timeout = '500ms'")
            await connection.execute(f"truncate {', '.join(postings.TABLES)}".encode())
            await connection.execute("delete from lexical_scheme")
        chunks = await _chunks_by_tenant(connection)
        done, total = 0, sum(chunks.values())
        for tenant in chunks:
            async for analysed in analyse(connection, tenant, analyzer):
                done += analysed
                tell("texts", done, total)
        await connection.execute("insert into lexical_scheme (name) values (%s)", [analyzer.name])


async def _chunks_by_tenant(connection: Connection) -> dict[TenantNumber, int]:
    async with connection.transaction():
        await connection.execute("set local role kyujang_operator")
        rows = await fetch_all(connection, "select id, chunk_count from tenants order by id")
    return {row["id"]: row["chunk_count"] for row in rows}


async def analyse(connection: Connection, tenant: TenantNumber, analyzer: Analyzer) -> AsyncIterator[int]:
    """Analyse a tenant's chunks, and yield how many of them each step did."""
    key = {"tenant": tenant, "after": -1, "batch": BATCH_CHUNKS}
    while True:
        async with connection.transaction():
            await connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
            # A deletion waits for this lock, and so notes the chunks after their postings are there.
            await connection.execute("select from tenants where id = %(tenant)s for no key update", key)
            rows = await fetch_all(
                connection,
                """
                select c.id, c.content, c.headings, d.title
                from chunks c join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id
                where c.tenant_id = %(tenant)s and c.id > %(after)s order by c.id limit %(batch)s
                """,
                key,
            )
            if not rows:
                return
            await postings.index(connection, tenant, await asyncio.to_thread(_terms, analyzer, rows))
        key["after"] = rows[-1]["id"]
        yield len(rows)


def _terms(analyzer: Analyzer, rows: Sequence[DictRow]) -> list[tuple[int, list[str]]]:
    return [
        (row["id"], analyzer.chunk_terms(heading_path(row["title"], row["headings"] or ()), row["content"]))
        for row in rows
    ]
