"""Search by BM25 in PostgreSQL, over the postings of app/storage/posting_segments.py.

Each posting of each term is read and counts, so that the ranking is exact; numbers are added up outside the database
(docs/decisions/0005).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.retrieval.chunks import matching as matching_chunks
from app.retrieval.chunks import small_candidate_set
from app.retrieval.match import TermHit
from app.retrieval.stores.bm25_scores import Ranked, Scores
from app.storage import posting_segments
from app.storage.database import Connection, connection_of, seeing_all
from app.storage.filter_sql import Condition, narrowed
from app.storage.filters import Filter
from app.storage.posting_blocks import Integers
from app.storage.posting_segments import Asked
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

# How many of the best chunks are filtered at first, and how many more at once after that.
FIRST_FILTERED = 250
GROWTH = 8
MOST_FILTERED = 16_000
FEW_CHUNKS = 2000
MAX_TERMS = 64

OF_DOCUMENTS = """
    select coalesce(string_agg(int8send(id), '' order by id), '') as ids
    from chunks where tenant_id = %(tenant)s and document_id = any(%(documents)s)
"""


async def search(
    snapshot: Snapshot, tenant: TenantNumber, terms: Sequence[str], top_k: int, where: Filter | None = None
) -> list[TermHit]:
    """Return min(top_k, matching chunks that hold one of the terms) hits, best first."""
    connection, wanted = connection_of(snapshot), sorted(set(terms))
    if len(wanted) > MAX_TERMS:
        wanted = await posting_segments.rarest(connection, tenant, wanted, MAX_TERMS)
    condition = narrowed(where)
    if condition is None:
        return await asyncio.to_thread(_best, await posting_segments.read(connection, tenant, wanted), None, top_k)
    few = await small_candidate_set(connection, tenant, condition, documents=FEW_CHUNKS, chunks=FEW_CHUNKS)
    if few is not None:
        # Answered with the postings, in one round trip.
        chunks = connection.cursor(binary=True)
        # These documents came through the policy of parts.
        async with seeing_all(connection):
            await chunks.execute(OF_DOCUMENTS, {"tenant": tenant, "documents": few})
        asked, row = await posting_segments.read(connection, tenant, wanted), await chunks.fetchone()
        assert row is not None
        return await asyncio.to_thread(_best, asked, posting_segments.numbers(row["ids"]), top_k)
    scores = await asyncio.to_thread(Scores, await posting_segments.read(connection, tenant, wanted))
    return scores.hits(await _matching(connection, tenant, scores, top_k, condition))


def _best(asked: Asked, among: Integers | None, top_k: int) -> list[TermHit]:
    scores = Scores(asked, among)
    return scores.hits(scores.best(top_k))


async def holds(snapshot: Snapshot, tenant: TenantNumber, term: str) -> bool:
    """Tell whether a chunk of the tenant holds the term."""
    return await posting_segments.holds(connection_of(snapshot), tenant, term)


async def _matching(
    connection: Connection, tenant: TenantNumber, scores: Scores, top_k: int, condition: Condition
) -> Ranked:
    """Evaluate the filter from the best chunk downwards, until there are enough."""
    count, matching = max(FIRST_FILTERED, top_k), set[int]()
    looked_at = 0
    while True:
        ranked = await asyncio.to_thread(scores.best, count)
        matching |= await matching_chunks(connection, tenant, ranked.ids[looked_at:].tolist(), condition)
        if len(matching) >= top_k or len(ranked.ids) < count:
            return await asyncio.to_thread(ranked.among, matching, top_k)
        looked_at, count = len(ranked.ids), min(count * GROWTH, count + MOST_FILTERED)
