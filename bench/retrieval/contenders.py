"""Who is asked: Kyujang's stores as app/retrieval/search.py asks them, and pgvector and FAISS by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import faiss
import numpy as np
import psycopg
from numpy.typing import NDArray
from pgvector import HalfVector
from pgvector.psycopg import register_vector_async

from app.retrieval.stores import VectorStore
from app.retrieval.stores.pgvector import PgvectorStore, ef_search
from app.storage.database import Database
from app.storage.filters import Compares, Metadata
from app.storage.tenancy import TenantNumber
from bench.retrieval.build import SPACE, faiss_store, raw_faiss
from bench.retrieval.corpus import Corpus
from bench.retrieval.home import Place

TOP_K = 10
MAX_CLIENTS = 16


@dataclass(frozen=True)
class Question:
    """`limit`: only documents whose share is less. `least`: the cosine of the last of the true hits."""

    tenant: TenantNumber
    place: int
    vector: NDArray[np.float32]
    row: int
    limit: int | None
    matching: int
    least: float

    @property
    def wanted(self) -> int:
        return min(TOP_K, self.matching)


class Contender(Protocol):
    async def search(self, question: Question) -> Sequence[int]:
        """Chunk ids."""
        ...


class Ours:
    def __init__(self, database: Database, store: VectorStore) -> None:
        self._database = database
        self._store = store

    async def search(self, question: Question) -> Sequence[int]:
        where = None
        if question.limit is not None:
            where = Compares(Metadata("share"), "lt", question.limit)
        async with self._database.snapshot(question.tenant) as snapshot:
            hits = await self._store.search(snapshot, question.tenant, question.vector, TOP_K, where)
        return [hit.chunk for hit in hits]


class UnboundDatabase(Database):
    """The same doors for a superuser, whom row-level security does not bind."""

    async def _refuse_privileged_role(self) -> None:
        pass


class RawPgvector:
    """One plain table and a prepared statement; no tenant where there is only one."""

    def __init__(self, connections: list[psycopg.AsyncConnection[Any]], *, by_tenant: bool) -> None:
        self._free = connections
        self._tenant = "tenant = %(tenant)s" if by_tenant else "true"

    async def search(self, question: Question) -> Sequence[int]:
        share = "true" if question.limit is None else "share < %(limit)s"
        query = (
            f"select id, 1 - (embedding <=> %(vector)s) from raw where {self._tenant} and {share} "  # noqa: S608
            f"order by embedding <=> %(vector)s limit {TOP_K}"
        )
        key = {"tenant": question.tenant, "limit": question.limit, "vector": HalfVector(question.vector)}
        return [row[0] for row in await self.rows(query, key)]

    async def nearest(self, vector: NDArray[np.float32]) -> None:
        query = "select id, 1 - (embedding <=> %(vector)s) from raw order by embedding <=> %(vector)s limit %(k)s"
        await self.rows(query, {"vector": HalfVector(vector), "k": TOP_K})

    async def rows(self, query: str, key: dict[str, Any]) -> list[Any]:
        connection = self._free.pop()
        try:
            return await (await connection.execute(query.encode(), key, prepare=True)).fetchall()
        finally:
            self._free.append(connection)


class RawFaiss:
    """One call in this process, on one thread. Knows no filters."""

    def __init__(self, corpus: Corpus, indexes: dict[int, Any]) -> None:
        self._corpus = corpus
        self._indexes = indexes
        self._first = [rows.start for rows in corpus.rows()]

    async def search(self, question: Question) -> Sequence[int]:
        index = self._indexes[question.place]
        _, found = index.search(question.vector[None], question.wanted)
        rows: list[int] = self._corpus.chunks[self._first[question.place] + found[0][found[0] >= 0]].tolist()
        return rows


@asynccontextmanager
async def contenders(where: Place, corpus: Corpus, places: set[int]) -> AsyncIterator[dict[str, Contender]]:
    async with AsyncExitStack() as stack:
        bound = Database(where.settings.service_url, pool_size=MAX_CLIENTS)
        unbound = UnboundDatabase(where.owner_url, pool_size=MAX_CLIENTS)
        for database in (bound, unbound):
            await database.open()
            stack.push_async_callback(database.close)
        memory = faiss_store(where.settings.index_files)
        stack.push_async_callback(memory.close)
        yield {
            "pgvector": Ours(bound, PgvectorStore(SPACE)),
            "pgvector, no RLS": Ours(unbound, PgvectorStore(SPACE)),
            "raw pgvector": await stack.enter_async_context(raw_pgvector(where)),
            "faiss": Ours(bound, memory),
            "raw faiss": RawFaiss(corpus, _indexes(where, corpus, places)),
        }


@asynccontextmanager
async def raw_pgvector(where: Place) -> AsyncIterator[RawPgvector]:
    async with AsyncExitStack() as stack:
        connections = []
        for _ in range(MAX_CLIENTS):
            opened = await psycopg.AsyncConnection.connect(where.owner_url, autocommit=True)
            connection = await stack.enter_async_context(opened)
            await register_vector_async(connection)
            width = ef_search(where.plan.chunks, TOP_K, within=False)
            await connection.execute(f"set hnsw.ef_search = {width}".encode())
            await connection.execute("set hnsw.iterative_scan = strict_order")
            connections.append(connection)
        yield RawPgvector(connections, by_tenant=where.plan.layout == "many")


def _indexes(where: Place, corpus: Corpus, places: set[int]) -> dict[int, Any]:
    faiss.omp_set_num_threads(1)
    if where.plan.layout == "single":
        return {0: faiss.read_index(str(where.raw_index))}
    return {place: raw_faiss(corpus.vectors[rows]) for place, rows in enumerate(corpus.rows()) if place in places}
