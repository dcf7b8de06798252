"""Read the chunks that hits stand for, and find the documents that match a filter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any

from psycopg.rows import DictRow

from app.retrieval.match import Hit, Match
from app.storage import page
from app.storage.database import Connection, connection_of, fetch_all, fetch_one
from app.storage.documents import chunk_number, header_of, public_chunk_id
from app.storage.filter_sql import EVERYTHING, Condition
from app.storage.page import within_bytes
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

# Of a chunk `c` in a document `d`.
_COLUMNS = """
    c.id, c.document_id, c.page, coalesce(c.last_page, c.page) as last_page, c.content, c.start, c.stop,
    c.header_start, c.header_stop, c.headings, d.source, d.metadata, d.media_type,
    coalesce(d.new_title, d.title) as title
"""
_SIZE = "octet_length(content) + octet_length(metadata::text)"


async def small_candidate_set(
    connection: Connection, tenant: TenantNumber, where: Condition, *, documents: int, chunks: int
) -> list[str] | None:
    """Return the matching documents; None if there are more than `documents`, or more than `chunks` chunks in them."""
    key: dict[str, Any] = {"tenant": tenant, "limit": documents + 1, **where.parameters}
    listed = "true"
    if where.candidates:
        # Each stops at the limit, so a wide one costs no more than a narrow one.
        arrays = [
            f"array(select document from ({query}) q limit %(limit)s) as of_{n}"  # noqa: S608
            for n, query in enumerate(where.candidates)
        ]
        found = await fetch_one(connection, f"select {', '.join(arrays)}", key)
        assert found is not None
        key["candidates"] = min(found.values(), key=len)
        if len(key["candidates"]) > documents:
            return None
        listed = "d.number = any(%(candidates)s::bigint[])"
    rows = await fetch_all(
        connection,
        f"""
        select d.id, d.chunks from documents d
        where d.tenant_id = %(tenant)s and {listed} and {where.sql} limit %(limit)s
        """,  # noqa: S608 - a condition holds its values as parameters
        key,
    )
    if len(rows) > documents or sum(row["chunks"] for row in rows) > chunks:
        return None
    return [row["id"] for row in rows]


async def keep_matching(
    connection: Connection, tenant: TenantNumber, hits: Sequence[Hit], where: Condition
) -> list[Hit]:
    """Return the hits whose document matches, in their order."""
    kept = await matching(connection, tenant, [hit.chunk for hit in hits], where)
    return [hit for hit in hits if hit.chunk in kept]


async def matching(connection: Connection, tenant: TenantNumber, chunks: Sequence[int], where: Condition) -> set[int]:
    """Return those of the chunks whose document matches."""
    # Under a part alone the policy of chunks decides: that of their documents would take as long again.
    of_documents = (
        "" if where.sql == EVERYTHING else "join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id"
    )
    rows = await fetch_all(
        connection,
        f"""
        select c.id from chunks c {of_documents}
        where c.tenant_id = %(tenant)s and c.id = any(%(ids)s) and {where.sql}
        """,  # noqa: S608
        {"tenant": tenant, "ids": list(chunks), **where.parameters},
    )
    return {row["id"] for row in rows}


async def read_matches(snapshot: Snapshot, tenant: TenantNumber, hits: Sequence[Hit]) -> list[Match]:
    """Return what the first of the hits stand for, in their order: at most what a page holds, and one."""
    rows = await fetch_all(
        connection_of(snapshot),
        within_bytes(
            f"""
            select {_COLUMNS}, array_position(%(ids)s::bigint[], c.id) as place
            from chunks c join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id
            where c.tenant_id = %(tenant)s and c.id = any(%(ids)s)
            """,  # noqa: S608
            size=_SIZE,
            order="place",
        ),
        {"tenant": tenant, "ids": [hit.chunk for hit in hits]},
    )
    return [_match(row, hits[row["place"] - 1].score) for row in rows]


async def read_neighbours(snapshot: Snapshot, tenant: TenantNumber, hits: Sequence[Match], reach: int) -> list[Match]:
    """Return the chunks up to `reach` places before and after the hits in their documents, that are no hits themselves.

    Those of the best hit come first, the nearest first; at most what a page holds, and one.
    """
    rows = await fetch_all(
        connection_of(snapshot),
        within_bytes(
            f"""
            select beside.*, row_number() over (order by place, distance, ord) as turn from (
                select distinct on (c.id) {_COLUMNS}, c.ord, hit.place, abs(c.ord - a.ord) as distance
                from unnest(%(ids)s::bigint[]) with ordinality as hit (id, place)
                join chunks a on a.tenant_id = %(tenant)s and a.id = hit.id
                join chunks c on c.tenant_id = %(tenant)s and c.document_id = a.document_id
                    and c.ord between a.ord - %(reach)s and a.ord + %(reach)s and c.id <> all(%(ids)s)
                join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id
                order by c.id, hit.place, distance
            ) beside
            """,  # noqa: S608
            size=_SIZE,
            order="turn",
        ),
        {"tenant": tenant, "ids": [chunk_number(hit.chunk_id) for hit in hits], "reach": reach},
    )
    beside = [(hits[row["place"] - 1], row) for row in rows]
    return [replace(_match(row, hit.score), neighbour_of=hit.chunk_id) for hit, row in beside]


def within_page(matches: Sequence[Match]) -> list[Match]:
    """Return the first of the matches that a page has room for, and at least one."""
    sizes = (len(match.text.encode()) + len(json.dumps(match.metadata)) for match in matches)
    whole = [match for match, size in zip(matches, accumulate(sizes), strict=True) if size <= page.MAX_PAGE_BYTES]
    return whole or list(matches[:1])


def _match(row: DictRow, score: float) -> Match:
    return Match(
        chunk_id=public_chunk_id(row["id"]),
        document_id=row["document_id"],
        source=row["source"],
        title=row["title"],
        page=row["page"],
        text=row["content"],
        score=score,
        metadata=row["metadata"],
        start=row["start"],
        stop=row["stop"],
        last_page=row["last_page"],
        header=header_of(row),
        headings=tuple(row["headings"] or ()),
        media_type=row["media_type"],
    )
