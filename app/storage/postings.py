"""Maintain the inverted index: a row for each term of a chunk, and the number of chunks that hold each term.

BM25's length is measured against a constant instead of the average: chunks are cut to one size, so it ranks as well,
and a posting depends on its chunk alone (docs/decisions/0005).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from app.errors import KyujangError
from app.storage.database import Connection, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

K1, B, USUAL_LENGTH = 0.9, 0.6, 150
IMPACT_SCALE = 30_000
ROWS_AT_ONCE = 20_000


class OtherScheme(KyujangError):
    """The stored texts are analysed by another scheme than this process's."""


async def index(connection: Connection, tenant: TenantNumber, chunks: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Index chunks: ids with their terms.

    The caller holds the lock of the tenant's row (changelog.record), so that two writers never wait for each other's
    terms.
    """
    held: Counter[str] = Counter()
    rows: list[tuple[int, int, str]] = []
    for chunk, terms in chunks:
        found = impacts(terms)
        held.update(found.keys())
        rows += [(chunk, impact, term) for term, impact in found.items()]
    for first in range(0, len(rows), ROWS_AT_ONCE):
        ids, strengths, words = zip(*rows[first : first + ROWS_AT_ONCE], strict=True)
        await connection.execute(
            """
            insert into postings (tenant_id, chunk_id, impact, term)
            select %(tenant)s, * from unnest(%(chunks)s::bigint[], %(impacts)s::smallint[], %(terms)s::text[])
            """,
            {"tenant": tenant, "chunks": list(ids), "impacts": list(strengths), "terms": list(words)},
        )
    in_order = sorted(held)
    await connection.execute(
        """
        insert into lexicon as l (tenant_id, term, chunks)
        select %(tenant)s, * from unnest(%(terms)s::text[], %(counts)s::integer[])
        on conflict (tenant_id, term) do update set chunks = l.chunks + excluded.chunks
        """,
        {"tenant": tenant, "terms": in_order, "counts": [held[term] for term in in_order]},
    )


async def confirm(connection: Connection, scheme: str) -> None:
    """Raise OtherScheme if what this transaction indexed was analysed by another scheme than the rest.

    Called after index(): a new analysis empties the postings first, so these rows are either emptied too or refused.
    """
    if await fetch_one(connection, "select from lexical_scheme where name = %(scheme)s", {"scheme": scheme}) is None:
        raise OtherScheme


async def remove(connection: Connection, tenant: TenantNumber, chunks: Sequence[int]) -> None:
    """Remove chunks from the index. The caller holds the lock of the tenant's row, as for index()."""
    rows = await fetch_all(
        connection,
        """
        with gone as (
            delete from postings where tenant_id = %(tenant)s and chunk_id = any(%(chunks)s) returning term
        )
        update lexicon l set chunks = l.chunks - counted.chunks
        from (select term, count(*) as chunks from gone group by term) counted
        where l.tenant_id = %(tenant)s and l.term = counted.term
        returning l.term, l.chunks
        """,
        {"tenant": tenant, "chunks": list(chunks)},
    )
    await connection.execute(
        "delete from lexicon where tenant_id = %(tenant)s and term = any(%(terms)s)",
        {"tenant": tenant, "terms": [row["term"] for row in rows if row["chunks"] == 0]},
    )


def impacts(terms: Sequence[str]) -> dict[str, int]:
    """Return the part of BM25 that depends on the chunk alone: tf / (tf + k1 · (1 - b + b · length / usual length))."""
    normal = K1 * (1 - B + B * len(terms) / USUAL_LENGTH)
    return {term: round(IMPACT_SCALE * tf / (tf + normal)) for term, tf in Counter(terms).items()}
