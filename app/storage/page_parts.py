"""Find what a part of a document's text is on one page: its characters in the file, or its words on a scan."""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import NotFound
from app.storage import origins, words
from app.storage.blobs import Blob
from app.storage.database import Database, fetch_all, fetch_one
from app.storage.origins import MADE
from app.storage.tenancy import TenantNumber
from app.storage.words import WordBox


@dataclass(frozen=True, slots=True)
class PagePart:
    """`text` is what the part has of the page, `characters` says of which characters of the file, `words` of which
    words of a scan. Both are None if that was not kept. `chunks` are those of the page, each with where it begins, if
    version 0.1 made them, which kept nothing else."""

    blob: Blob
    media_type: str
    text: str
    characters: list[tuple[int, str]] | None
    words: list[WordBox] | None
    chunks: list[tuple[int, str]]


async def page_part(
    database: Database, tenant: TenantNumber, document_id: str, page: int, start: int, end: int
) -> PagePart:
    """Return what the document's text[start:end] is on a page. Raises NotFound."""
    key = {"tenant": tenant, "id": document_id, "page": page, "start": start, "end": end}
    async with database.transaction(tenant) as connection:
        row = await fetch_one(connection, PART, key)
        if row is None:
            raise NotFound
        chunks = await fetch_all(connection, FIRST_CHUNKS, key) if row["is_first"] else []
    text = row["text"] or ""
    # In code points of the page's text.
    first = max(start - (row["start"] or 0), 0)
    of_words = [
        each
        for each in (words.unpack(row["words"]) if row["words"] else [])
        if each.start < first + len(text) and each.stop > first
    ]
    return PagePart(
        Blob(row["blob"], row["bytes"], bytes(row["sha256"])),
        row["media_type"],
        text,
        _characters(row["origins"], first, text) if row["origins"] else None,
        of_words if row["words"] else None,
        [(each["start"], each["content"]) for each in chunks],
    )


def _characters(packed: bytes, start: int, text: str) -> list[tuple[int, str]]:
    """Return runs of (number of the first character in the file, text) that page_text[start:][:len(text)] has."""
    found: list[tuple[int, str]] = []
    at, stop = 0, start + len(text)
    for length, origin in origins.unpack(packed):
        begin, end = max(at, start), min(at + length, stop)
        if begin < end and origin != MADE:
            found.append((origin + begin - at, text[begin - start : end - start]))
        at += length
    return found


PART = """
    with found as (
        select d.blob, d.bytes, d.sha256, d.media_type, p.start, p.origins, w.words,
            d.loader is null and p.page is null as is_first,
            greatest(p.start, %(start)s) as first, least(p.stop, %(end)s) as last
        from documents d
        left join document_pages p on (p.tenant_id, p.document_id, p.page) = (d.tenant_id, d.id, %(page)s)
        left join document_words w on (w.tenant_id, w.document_id, w.page) = (d.tenant_id, d.id, %(page)s)
        where d.tenant_id = %(tenant)s and d.id = %(id)s
    )
    select *, case when first < last then (
        select substr(string_agg(t.content, '' order by t.start), first - min(t.start)::integer + 1, last - first)
        from document_texts t
        where t.tenant_id = %(tenant)s and t.document_id = %(id)s and t.start < last and t.start >= (
            select max(b.start) from document_texts b
            where b.tenant_id = %(tenant)s and b.document_id = %(id)s and b.start <= first)
    ) end as text from found
"""
FIRST_CHUNKS = """
    select start, content from chunks
    where tenant_id = %(tenant)s and document_id = %(id)s and page = %(page)s order by start
"""
