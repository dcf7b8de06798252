"""Store and read the texts of documents, in which the spans of chunks and citations count code points.

A text is kept in pieces, so that a part of a large one is read without the rest. A document of version 0.1 has none
until it is rechunked: what its chunks hold is put together, and GAP stands for each character that none of them has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import InvalidInput, NotFound
from app.storage.database import Connection, Database, connection_of, fetch_all, fetch_one
from app.storage.pictures import Picture, as_row
from app.storage.tenancy import TenantNumber

PIECE_CHARACTERS = 1 << 16
# Of at most four bytes each, these are what a page may have (app/storage/page.py).
MAX_TEXT_CHARACTERS = 2_000_000
MAX_TEXT_PAGES = 10_000
GAP = "\ufffc"


@dataclass(frozen=True, slots=True)
class PageSpan:
    """`origins` says where its code points stand in the file (app/storage/origins.py); `head` and `foot` are what was
    left out of the text at the page's top and bottom."""

    page: int
    start: int
    stop: int
    origins: bytes | None = None
    head: str | None = None
    foot: str | None = None


@dataclass(frozen=True, slots=True)
class TextPart:
    """`text` is what the document's text has from `start` to `stop`, and `pages` are those that are in it, each with
    its span in the whole text, which has `length` code points. `rebuilt`: it was put together from chunks. Parts with
    the same `version` are of one text. `pictures` are those that begin in the part."""

    text: str
    start: int
    stop: int
    length: int
    pages: list[PageSpan]
    rebuilt: bool
    version: str
    pictures: list[Picture]


async def replace_text(
    connection: Connection,
    tenant: TenantNumber,
    document_id: str,
    text: str,
    pages: Sequence[PageSpan],
    pictures: Sequence[Picture] = (),
) -> None:
    """Store a document's text in the transaction that stores its chunks."""
    key: dict[str, Any] = {"tenant": tenant, "id": document_id}
    await connection.execute(
        """
        with gone as (delete from document_pages where tenant_id = %(tenant)s and document_id = %(id)s)
        delete from document_texts where tenant_id = %(tenant)s and document_id = %(id)s
        """,
        key,
    )
    async with connection.cursor() as cursor:
        await cursor.executemany(
            "insert into document_texts (tenant_id, document_id, start, content, pictures) values (%s, %s, %s, %s, %s)",
            ((tenant, document_id, *piece) for piece in _pieces(text, pictures)),
        )
    if pages:
        await connection.execute(
            """
            insert into document_pages (tenant_id, document_id, page, start, stop, origins, head, foot)
            select %(tenant)s, %(id)s, * from unnest(
                %(pages)s::integer[], %(starts)s::integer[], %(stops)s::integer[], %(origins)s::bytea[],
                %(heads)s::text[], %(feet)s::text[])
            """,
            {
                **key,
                "pages": [each.page for each in pages],
                "starts": [each.start for each in pages],
                "stops": [each.stop for each in pages],
                "origins": [each.origins for each in pages],
                "heads": [each.head for each in pages],
                "feet": [each.foot for each in pages],
            },
        )


def _pieces(text: str, pictures: Sequence[Picture]) -> Iterator[tuple[int, str, Jsonb | None]]:
    """Yield each piece of the text with the pictures that begin in it; what follows the text is in the last."""
    starting: dict[int, list[dict[str, Any]]] = {}
    for picture in pictures:
        first = min(picture.start, max(len(text) - 1, 0)) // PIECE_CHARACTERS * PIECE_CHARACTERS
        starting.setdefault(first, []).append(as_row(picture))
    for start in range(0, len(text), PIECE_CHARACTERS):
        shown = Jsonb(starting[start]) if start in starting else None
        yield start, text[start : start + PIECE_CHARACTERS], shown


async def read_text(
    database: Database, tenant: TenantNumber, document_id: str, start: int, end: int | None
) -> TextPart:
    """Return the part that `text[start:end]` is in Python.

    Raises NotFound, and InvalidInput if it has more than an answer holds: nothing is cut off.
    """
    async with database.snapshot(tenant) as snapshot:
        connection = connection_of(snapshot)
        length, rebuilt, version = await _described(connection, tenant, document_id)
        stop = length if end is None else min(end, length)
        start = min(start, stop)
        if stop - start > MAX_TEXT_CHARACTERS:
            raise InvalidInput(
                f"From {start:,} to {stop:,} are {stop - start:,} of the text's {length:,} characters, and an answer "
                f"holds {MAX_TEXT_CHARACTERS:,}. Ask for it in parts, with 'start' and 'end'.",
                pointer="/end",
            )
        key = {"tenant": tenant, "id": document_id, "start": start, "stop": stop}
        pages = await _pages(connection, OF_CHUNKS if rebuilt else STORED_PAGES, key)
        pieces = await fetch_all(connection, CHUNKS if rebuilt else PIECES, key)
    join = _with_gaps if rebuilt else _joined
    text = await asyncio.to_thread(join, pieces, start, stop)
    stored = (Picture(**row) for piece in pieces for row in piece.get("pictures") or ())
    pictures = [each for each in stored if start <= each.start < stop or each.start == stop == length]
    return TextPart(text, start, stop, length, pages, rebuilt, version, pictures)


PIECES = """
    select start, content, pictures from document_texts
    where tenant_id = %(tenant)s and document_id = %(id)s and start < %(stop)s and start >= (
        select max(start) from document_texts
        where tenant_id = %(tenant)s and document_id = %(id)s and start <= %(start)s)
    order by start
"""
CHUNKS = """
    select start, substr(content, 1 + coalesce(header_stop - header_start, 0)) as content from chunks
    where tenant_id = %(tenant)s and document_id = %(id)s and start < %(stop)s and stop > %(start)s order by start
"""
STORED_PAGES = """
    select page, start, stop, head, foot from document_pages
    where tenant_id = %(tenant)s and document_id = %(id)s
"""
OF_CHUNKS = """
    select page, min(start) as start, max(stop) as stop from chunks
    where tenant_id = %(tenant)s and document_id = %(id)s and page is not null group by page
"""


async def _described(connection: Connection, tenant: TenantNumber, document_id: str) -> tuple[int, bool, str]:
    """Return the text's length, whether it has to be put together, and its version. Raises NotFound."""
    row = await fetch_one(
        connection,
        """
        select coalesce(last.stop, chunked.stop, 0) as length, last.stop is null as rebuilt, d.updated_at
        from documents d
        left join lateral (
            select t.start + length(t.content) as stop from document_texts t
            where t.tenant_id = d.tenant_id and t.document_id = d.id order by t.start desc limit 1
        ) last on true
        left join lateral (
            select max(c.stop) as stop from chunks c
            where last.stop is null and c.tenant_id = d.tenant_id and c.document_id = d.id
        ) chunked on true
        where d.tenant_id = %(tenant)s and d.id = %(id)s
        """,
        {"tenant": tenant, "id": document_id},
    )
    if row is None:
        raise NotFound
    # Whatever changes the text changes this, too.
    return row["length"], row["rebuilt"], f"{round(row['updated_at'].timestamp() * 1_000_000):x}"


async def _pages(connection: Connection, pages: str, key: dict[str, Any]) -> list[PageSpan]:
    """Return the pages of which the part has something, empty ones within it included."""
    query = f"""
        select * from ({pages}) p
        where start < %(stop)s and (stop > %(start)s or start >= %(start)s) order by start limit %(most)s
    """  # noqa: S608 - one of the texts above
    rows = await fetch_all(connection, query, {**key, "most": MAX_TEXT_PAGES + 1})
    if len(rows) > MAX_TEXT_PAGES:
        raise InvalidInput(
            f"The part has more than the {MAX_TEXT_PAGES:,} pages that an answer holds. Ask for less of the text.",
            pointer="/end",
        )
    return [PageSpan(**row) for row in rows]


def _joined(pieces: Sequence[DictRow], start: int, stop: int) -> str:
    first = pieces[0]["start"] if pieces else 0
    return "".join(piece["content"] for piece in pieces)[start - first : stop - first]


def _with_gaps(chunks: Sequence[DictRow], start: int, stop: int) -> str:
    """Join chunks that overlap or leave something out."""
    parts, at = list[str](), start
    for chunk in chunks:
        begins, content = chunk["start"], chunk["content"]
        if begins > at:
            parts.append(GAP * (begins - at))
            at = begins
        parts.append(content[at - begins : stop - begins])
        at += len(parts[-1])
    return "".join(parts) + GAP * (stop - at)
