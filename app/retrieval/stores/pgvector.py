"""Find the nearest vectors by cosine in PostgreSQL; always min(top_k, matching) hits.

HNSW under a tenant or filter can return fewer rows than asked for, and is slower than an exact scan where few match. So
small tenants and narrow filters are scanned exactly, and a short HNSW answer is asked again exactly.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pgvector import HalfVector

from app.retrieval.chunks import small_candidate_set
from app.retrieval.match import Hit
from app.storage import changelog, spaces
from app.storage.database import Connection, connection_of, fetch_all, fetch_one, seeing_all
from app.storage.filter_sql import EVERYTHING, Condition, narrowed
from app.storage.filters import Filter
from app.storage.snapshot import Snapshot
from app.storage.tenancy import TenantNumber

# In rows of an exact scan (about 1 µs each, measured): what HNSW costs at least, and for each row it looks at, other
# tenants' in the same partition included.
HNSW_COSTS, HNSW_ROW_COSTS = 3_000, 15
PARTITION_KNOWN_FOR_S = 600
# A tenant with nearly all rows of its partition is searched as if it were alone.
ALONE = 1.1
# Under a filter HNSW looks at more rows the fewer match, and finds fewer of the nearest. What matches is read one by
# one, through the documents' index, up to this times the root of chunks and hits wanted, where both cost as much; and
# up to a tenth of the chunks, where HNSW costs no less and found 0.97 to 0.99 of the nearest ten among a million.
EXACT_UP_TO_MATCHING = 6
EXACT_UP_TO_SHARE, MAX_EXACT = 0.1, 100_000
CHUNKS_PER_DOCUMENT = 4
EF_SEARCH = 100
# A larger graph needs a wider search: recall@10 at a million was 0.96 with 100, 0.98 with 200, 0.998 with 400.
EF_SEARCH_FOR_ROOT, EF_SEARCH_FOR_ROOT_WITHIN = 0.4, 0.6
# How many rows FETCHED_FOR_ONE was measured at; it grows with the root of their number.
FETCHED_AT = 100_000
# Where not all match, strict order drops what comes late: recall@10 was 0.94 to 0.97 for 5 to 20 % of 100,000 chunks.
# Sorted afterwards, relaxed order gives 0.99 from twice as many as asked for on; three times leaves a margin.
FETCHED_FOR_ONE = 3
DISTANCE = "v.embedding <=> %(vector)s"


@dataclass(frozen=True, slots=True)
class Begun:
    """What every store begins a search with."""

    connection: Connection
    stored: changelog.CorpusState
    condition: Condition | None
    hits: list[Hit] | None
    """The answer, where the tenant has no chunk or few match; None where the store has to look."""


class PgvectorStore:
    def __init__(self, space: int) -> None:
        self._table = spaces.table(space)
        self._partitions: dict[TenantNumber, tuple[float, float]] = {}

    async def search(
        self,
        snapshot: Snapshot,
        tenant: TenantNumber,
        vector: NDArray[np.float32],
        top_k: int,
        where: Filter | None = None,
    ) -> list[Hit]:
        begun = await self.begin(snapshot, tenant, vector, top_k, where)
        return begun.hits if begun.hits is not None else await self.go_on(begun, tenant, vector, top_k)

    async def begin(
        self, snapshot: Snapshot, tenant: TenantNumber, vector: NDArray[np.float32], top_k: int, where: Filter | None
    ) -> Begun:
        """Read how much there is; scan exactly the chunks of the documents that match, if they are few."""
        connection, condition = connection_of(snapshot), narrowed(where)
        stored, few = await changelog.corpus_state(connection, tenant), None
        if stored.chunks == 0:
            return Begun(connection, stored, condition, [])
        if condition is not None:
            few = await exact_candidates(connection, tenant, condition, stored.chunks, top_k)
        if few is None:
            return Begun(connection, stored, condition, None)
        parameters = {"tenant": tenant, "vector": HalfVector(vector), "k": top_k, "documents": few}
        # These documents came through the policy of parts: judging each of their chunks again took a third more time.
        async with seeing_all(connection):
            hits = await self._exact(connection, parameters, "v.document_id = any(%(documents)s)")
        return Begun(connection, stored, condition, hits)

    async def go_on(self, begun: Begun, tenant: TenantNumber, vector: NDArray[np.float32], top_k: int) -> list[Hit]:
        """Search by the index or exactly, whichever costs less."""
        connection, stored, condition = begun.connection, begun.stored, begun.condition
        parameters = {"tenant": tenant, "vector": HalfVector(vector), "k": top_k}
        rows = max(stored.chunks, int(await self._partition_rows(connection, tenant)))
        partition_ratio = rows / stored.chunks
        if stored.chunks > HNSW_COSTS + HNSW_ROW_COSTS * top_k * partition_ratio:
            hits = await self._approximate(connection, parameters, condition, rows, alone=partition_ratio < ALONE)
            if len(hits) == top_k:
                return hits
        if condition is None:
            return await self._exact(connection, parameters, "true")
        matching = f"v.document_id in (select d.id from documents d where d.tenant_id = %(tenant)s and {condition.sql})"  # noqa: S608
        return await self._exact(connection, parameters | condition.parameters, matching)

    async def forget(self, tenant: TenantNumber) -> None:
        """Forget how large its partition is; all else is in the database."""
        self._partitions.pop(tenant, None)

    async def close(self) -> None:
        """Close nothing: the database belongs to the caller."""

    async def _exact(self, connection: Connection, parameters: dict[str, Any], matching: str) -> list[Hit]:
        # By default the planner believes in disks that seek: above 30,000 rows it read the whole partition, which took
        # four times as long as the index on the documents.
        await connection.execute("select set_config('random_page_cost', '1.1', true)")
        # The sum keeps the planner off the HNSW index.
        return await self._ranked(connection, parameters, f"({DISTANCE}) + 0.0, v.chunk_id", matching)

    async def _partition_rows(self, connection: Connection, tenant: TenantNumber) -> float:
        """Return the rows of the tenant's partition as the last ANALYZE counted them, a few minutes old at most."""
        rows, until = self._partitions.get(tenant, (0.0, 0.0))
        if until < time.monotonic():
            found = await fetch_one(
                connection,
                f"""
                select reltuples from pg_class
                where oid = (
                    select tableoid from {self._table} where tenant_id = %(tenant)s order by chunk_id limit 1)
                """,  # noqa: S608 - the table's number is ours
                {"tenant": tenant},
            )
            rows = found["reltuples"] if found else 0.0
            self._partitions[tenant] = (rows, time.monotonic() + PARTITION_KNOWN_FOR_S)
        return rows

    async def _approximate(
        self, connection: Connection, parameters: dict[str, Any], where: Condition | None, rows: int, *, alone: bool
    ) -> list[Hit]:
        top_k = parameters["k"]
        everything = alone and where is None
        await connection.execute(
            "select set_config('hnsw.iterative_scan', %s, true), set_config('hnsw.ef_search', %s, true)",
            ["strict_order" if everything else "relaxed_order", str(ef_search(rows, top_k, within=not everything))],
        )
        if everything:
            return await self._ranked(connection, parameters, DISTANCE, "true")
        fetched = math.ceil(FETCHED_FOR_ONE * top_k * max(1, math.sqrt(rows / FETCHED_AT)))
        more, matching = parameters | {"k": fetched}, "true"
        if where is not None and where.sql != EVERYTHING:
            # A scalar subquery, which the planner cannot turn into a join: the scan keeps its order and stops early.
            matching = f"(select {where.sql} from documents d where d.tenant_id = %(tenant)s and d.id = v.document_id)"  # noqa: S608
            more |= where.parameters
        return (await self._ranked(connection, more, DISTANCE, matching))[:top_k]

    async def _ranked(self, connection: Connection, parameters: dict[str, Any], order: str, matching: str) -> list[Hit]:
        # The tenant is written out beside row-level security: the planner cannot see it in the policy.
        rows = await fetch_all(
            connection,
            f"""
            select v.chunk_id, 1 - ({DISTANCE}) as score from {self._table} v
            where v.tenant_id = %(tenant)s and {matching} order by {order} limit %(k)s
            """,  # noqa: S608 - the table's number is ours, and a condition holds its values as parameters
            parameters,
        )
        hits = [Hit(row["chunk_id"], float(row["score"])) for row in rows]
        return sorted(hits, key=lambda hit: (-hit.score, hit.chunk))


def ef_search(rows: int, top_k: int, *, within: bool) -> int:
    """Return how widely HNSW searches a graph of that many rows: more `within` a part of them, 1,000 at most."""
    for_root = EF_SEARCH_FOR_ROOT_WITHIN if within else EF_SEARCH_FOR_ROOT
    return min(1000, max(EF_SEARCH, 2 * top_k, int(for_root * math.sqrt(rows))))


async def exact_candidates(
    connection: Connection, tenant: TenantNumber, where: Condition, chunks: int, top_k: int
) -> list[str] | None:
    """Return the matching documents if they are few enough for an exact scan. `chunks`: how many the tenant has."""
    most = int(max(EXACT_UP_TO_MATCHING * math.sqrt(chunks * top_k), min(EXACT_UP_TO_SHARE * chunks, MAX_EXACT)))
    return await small_candidate_set(connection, tenant, where, documents=most // CHUNKS_PER_DOCUMENT, chunks=most)
