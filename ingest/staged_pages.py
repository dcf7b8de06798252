"""Pages of scans that are read already, and pictures that are described: a restart does none of them again."""

from __future__ import annotations

from app.storage import usage
from app.storage.database import Connection, Database, fetch_all
from app.storage.notices import PageCounts
from app.storage.usage import Usage
from app.storage.words import pack
from ingest.jobs.queue import ClaimedDocument, update_claimed
from ingest.ocr.reader import PageRead

# What a model says of pictures is kept beside the pages, under numbers that no page has: the hash, then its words.
STAGED_DESCRIPTIONS = """
select content from staged_pages where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s and page < 0
"""
STAGE_DESCRIPTION = """
insert into staged_pages (tenant_id, job_id, n, page, content)
select %(tenant)s, %(job)s, %(n)s, least(min(page), 0) - 1, %(content)s
from staged_pages where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s
"""


async def staged_pages(database: Database, work: ClaimedDocument) -> dict[int, PageRead]:
    """Return what earlier turns and attempts have read, without the words' boxes."""
    async with database.transaction(work.tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select page, content, unreadable from staged_pages
            where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s and page > 0
            """,
            work.key,
        )
    return {row["page"]: PageRead(row["content"], unreadable=row["unreadable"]) for row in rows}


async def stage_page(
    database: Database, work: ClaimedDocument, number: int, page: PageRead, counts: PageCounts
) -> None:
    """Stage a page and commit it, with how many pages are read so far. Raises LeaseLost."""
    async with database.transaction(work.tenant) as connection:
        change = "progressed_in = attempt, page_counts = %(counts)s::jsonb"
        await update_claimed(connection, work, change, counts=dict(counts))
        await connection.execute(
            """
            insert into staged_pages (tenant_id, job_id, n, page, content, words, unreadable)
            values (%(tenant)s, %(job)s, %(n)s, %(page)s, %(content)s, %(words)s, %(unreadable)s)
            """,
            {
                **work.key,
                "page": number,
                "content": page.text,
                "words": pack(page.words) if page.words else None,
                "unreadable": page.unreadable,
            },
        )
        if page.unreadable is None:
            await usage.add(connection, work.tenant, work.job_id, Usage(ocr_pages=1))


async def staged_descriptions(database: Database, work: ClaimedDocument) -> dict[str, str]:
    """Return them by the hash of the picture."""
    async with database.transaction(work.tenant) as connection:
        rows = await fetch_all(connection, STAGED_DESCRIPTIONS, work.key)
    return dict(row["content"].split("\n", 1) for row in rows)


async def stage_description(database: Database, work: ClaimedDocument, sha256: str, description: str) -> None:
    """Stage one and commit it. Raises LeaseLost."""
    async with database.transaction(work.tenant) as connection:
        await update_claimed(connection, work, "progressed_in = attempt")
        await connection.execute(STAGE_DESCRIPTION, work.key | {"content": f"{sha256}\n{description}"})


async def publish_words(connection: Connection, work: ClaimedDocument) -> None:
    """Put the words of the staged pages in place of those of the version before."""
    key = work.key | {"id": work.document_id}
    await connection.execute("delete from document_words where tenant_id = %(tenant)s and document_id = %(id)s", key)
    await connection.execute(
        """
        insert into document_words (tenant_id, document_id, page, words)
        select tenant_id, %(id)s, page, words from staged_pages
        where tenant_id = %(tenant)s and job_id = %(job)s and n = %(n)s and words is not null
        """,
        key,
    )
