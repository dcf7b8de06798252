"""Write the inverted index: a row for each term of a chunk, until a merge puts it into a segment.

BM25's length is measured against a constant instead of the average: chunks are cut to one size, so it ranks as well,
and a posting depends on its chunk alone (docs/decisions/0005).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from app.errors import KyujangError
from app.storage.database import Connection, fetch_one
from app.storage.tenancy import TenantNumber

K1, B, USUAL_LENGTH = 0.9, 0.6, 150
IMPACT_SCALE = 30_000
ROWS_AT_ONCE = 20_000
TABLES = ("lexicon", "posting_blocks", "posting_deletions", "posting_segments", "postings")


class OtherScheme(KyujangError):
    """The stored texts are analysed by another scheme than this process's."""


async def index(connection: Connection, tenant: TenantNumber, chunks: Iterable[tuple[int, Sequence[str]]]) -> None:
    """Index chunks: ids with their terms."""
    rows = [(chunk, impact, term) for chunk, terms in chunks for term, impact in impacts(terms).items()]
    for first in range(0, len(rows), ROWS_AT_ONCE):
        ids, strengths, words = zip(*rows[first : first + ROWS_AT_ONCE], strict=True)
        await connection.execute(
            """
            insert into postings (tenant_id, chunk_id, impact, term)
            select %(tenant)s, * from unnest(%(chunks)s::bigint[], %(impacts)s::smallint[], %(terms)s::text[])
            """,
            {"tenant": tenant, "chunks": list(ids), "impacts": list(strengths), "terms": list(words)},
        )


async def confirm(connection: Connection, scheme: str) -> None:
    """Raise OtherScheme if what this transaction indexed was analysed by another scheme than the rest.

    Called after index(): a new analysis empties the postings first, so these rows are either emptied too or refused.
    """
    if await fetch_one(connection, "select from lexical_scheme where name = %(scheme)s", {"scheme": scheme}) is None:
        raise OtherScheme


async def remove(connection: Connection, tenant: TenantNumber, chunks: Sequence[int]) -> None:
    """Take chunks off the index: no search finds or counts them from now on. A merge removes what is stored of them."""
    await connection.execute(
        """
        insert into posting_deletions (tenant_id, chunk_id) select %(tenant)s, unnest(%(chunks)s::bigint[])
        on conflict do nothing
        """,
        {"tenant": tenant, "chunks": list(chunks)},
    )


def impacts(terms: Sequence[str]) -> dict[str, int]:
    """Return the part of BM25 that depends on the chunk alone: tf / (tf + k1 · (1 - b + b · length / usual length))."""
    normal = K1 * (1 - B + B * len(terms) / USUAL_LENGTH)
    return {term: round(IMPACT_SCALE * tf / (tf + normal)) for term, tf in Counter(terms).items()}
