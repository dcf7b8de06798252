"""Search by BM25 in PostgreSQL, over the postings of app/storage/postings.py.

A search reads the head of each term's list and then scores the best of what it met exactly, so that its cost does not
grow with the tenant (docs/decisions/0005).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg.rows import DictRow

from app.retrieval.chunks import small_candidate_set
from app.retrieval.match import TermHit
from app.storage.database import connection_of, fetch_all, fetch_one
from app.storage.filter_sql import narrowed
from app.storage.filters import Filter
from app.storage.postings import IMPACT_SCALE
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

HEAD = 1000
CANDIDATES = 200
CANDIDATES_TO_FILTER = 2000
FEW_CHUNKS = 2000
MAX_TERMS = 64

# The tenant is written out beside row-level security: the planner cannot see it in the policy.
# Terms that no chunk has count in the total: what is asked for and nowhere found lowers every chunk's coverage.
ASKED = """
    with asked as materialized (
        select term, ln(1 + (t.chunk_count - held.chunks + 0.5::float8) / (held.chunks + 0.5::float8)) as weight
        from tenants t cross join lateral (
            select asked.term, coalesce(l.chunks, 0) as chunks
            from unnest(%(terms)s::text[]) as asked (term)
            left join lexicon l on l.tenant_id = %(tenant)s and l.term = asked.term
        ) held
        where t.id = %(tenant)s
        order by held.chunks = 0, held.chunks, term limit %(max_terms)s
    ),
"""
STRONGEST = """
    met as materialized (
        select p.chunk_id, sum(p.impact * asked.weight) as score
        from asked cross join lateral (
            select chunk_id, impact from postings
            where tenant_id = %(tenant)s and term = asked.term
            order by impact desc, chunk_id limit %(head)s
        ) p
        group by p.chunk_id order by score desc, p.chunk_id limit %(candidates)s
    ),
"""
ALL_MET = "candidate as materialized (select chunk_id from met)"
MATCHING_MET = """
    candidate as materialized (
        select met.chunk_id from met
        join chunks c on c.tenant_id = %(tenant)s and c.id = met.chunk_id
        join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id
        where {where}
        order by met.score desc, met.chunk_id limit %(enough)s
    )
"""
OF_DOCUMENTS = """
    candidate as materialized (
        select id as chunk_id from chunks where tenant_id = %(tenant)s and document_id = any(%(documents)s)
    )
"""
# Aggregated in the lateral query, so that the planner looks each candidate up and does not read whole term lists.
SCORED = """
    select candidate.chunk_id as chunk, exact.score / %(scale)s as score,
           exact.weight / (select sum(weight) from asked) as coverage, (select count(*) from candidate) as candidates
    from candidate cross join lateral (
        select sum(p.impact * asked.weight) as score, sum(asked.weight) as weight
        from postings p join asked on asked.term = p.term
        where p.tenant_id = %(tenant)s and p.chunk_id = candidate.chunk_id
    ) exact
    where exact.score is not null
    order by exact.score desc, candidate.chunk_id limit %(k)s
"""


# Every posting of every term; the filter is evaluated from the best chunk downwards, until there are enough.
THOROUGH = """
    ranked as (
        select p.chunk_id, sum(p.impact * asked.weight) as score, sum(asked.weight) as weight
        from asked join postings p on p.tenant_id = %(tenant)s and p.term = asked.term
        group by p.chunk_id order by score desc, p.chunk_id offset 0
    )
    select chunk_id as chunk, score / %(scale)s as score, weight / (select sum(weight) from asked) as coverage
    from ranked
    where (
        select {where} from chunks c join documents d on d.tenant_id = %(tenant)s and d.id = c.document_id
        where c.tenant_id = %(tenant)s and c.id = ranked.chunk_id
    )
    limit %(k)s
"""


async def search(
    snapshot: Snapshot, tenant: TenantNumber, terms: Sequence[str], top_k: int, where: Filter | None = None
) -> list[TermHit]:
    """Return min(top_k, matching chunks that hold one of the terms) hits, best first."""
    connection = connection_of(snapshot)
    parameters: dict[str, Any] = {
        "tenant": tenant,
        "terms": sorted(set(terms)),
        "k": top_k,
        "scale": IMPACT_SCALE,
        "max_terms": MAX_TERMS,
        "head": max(HEAD, top_k),
        "candidates": max(CANDIDATES, top_k),
    }
    if (condition := narrowed(where)) is None:
        return _hits(await fetch_all(connection, ASKED + STRONGEST + ALL_MET + SCORED, parameters))
    few = await small_candidate_set(connection, tenant, condition, documents=FEW_CHUNKS, chunks=FEW_CHUNKS)
    if few is not None:
        return _hits(await fetch_all(connection, ASKED + OF_DOCUMENTS + SCORED, {**parameters, "documents": few}))
    enough = parameters["candidates"]
    parameters |= {**condition.parameters, "candidates": CANDIDATES_TO_FILTER, "enough": enough}
    rows = await fetch_all(
        connection, ASKED + STRONGEST + MATCHING_MET.format(where=condition.sql) + SCORED, parameters
    )
    if not rows or rows[0]["candidates"] < enough:
        rows = await fetch_all(connection, ASKED + THOROUGH.format(where=condition.sql), parameters)
    return _hits(rows)


async def holds(snapshot: Snapshot, tenant: TenantNumber, term: str) -> bool:
    """Tell whether a chunk of the tenant holds the term."""
    query = "select from lexicon where tenant_id = %(tenant)s and term = %(term)s"
    return await fetch_one(connection_of(snapshot), query, {"tenant": tenant, "term": term}) is not None


def _hits(rows: Sequence[DictRow]) -> list[TermHit]:
    return [TermHit(row["chunk"], row["score"], row["coverage"]) for row in rows]
