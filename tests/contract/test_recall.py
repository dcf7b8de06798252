"""Tenants of every size side by side: no search returns too few, or other chunks than an exact one would."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import psycopg
import pytest
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg import sql

from app.retrieval.stores import pgvector
from app.retrieval.stores.pgvector import PgvectorStore
from app.storage import parts
from app.storage.filters import Compares, Metadata
from app.storage.migrate import migrate
from app.storage.spaces import table
from app.storage.tenancy import part
from tests.contract.corpus import DIMENSION, SPACE, clustered, nearest, search, unit
from tests.contract.in_postgres import new_tenant
from tests.contract.test_vector_store import faiss_store

# The second one lies in the first one's partition: most rows around its vectors are another tenant's.
SIZES = {12_000: 1, 4_000: 1, 1_000: 4, 50: 40}
PER_DOCUMENT = 10
QUERIES = {12_000: 25, 4_000: 25, 1_000: 10, 50: 1}


@pytest.fixture(scope="module")
async def tenants(services, owner_url, settings):
    """(number, vectors, chunks) of each size. Loaded without the HNSW index, which is then built at once."""
    rng = np.random.default_rng(5)
    made: dict[int, list[tuple[int, np.ndarray, list[int]]]] = {size: [] for size in SIZES}
    with psycopg.connect(owner_url, autocommit=True) as connection:
        register_vector(connection)
        connection.execute(sql.SQL("drop index {}").format(sql.Identifier(f"{table(SPACE)}_embedding")))
        for size, count in SIZES.items():
            for _ in range(count):
                tenant = await new_tenant(services.database)
                while size == 4_000 and partition(connection, tenant) != partition(connection, made[12_000][0][0]):
                    tenant = await new_tenant(services.database)
                vectors = clustered(rng, size, max(2, size // 100))
                made[size].append((tenant, vectors, load(connection, tenant, vectors)))
        await asyncio.to_thread(migrate, settings, dimension=lambda: DIMENSION)
        connection.execute(f"analyze chunks, documents, document_values, {table(SPACE)}")
    return made


def partition(connection: psycopg.Connection, tenant: int) -> int:
    query = """
        select array_position(array(
            select satisfies_hash_partition(%s::regclass, 16, n, %s::integer) from generate_series(0, 15) n), true)
    """
    row = connection.execute(query, [table(SPACE), tenant]).fetchone()
    assert row is not None
    return row[0]


def load(connection: psycopg.Connection, tenant: int, vectors: np.ndarray) -> list[int]:
    """Document n of the tenant has n as metadata and ten chunks."""
    chunks = [secrets.randbits(63) for _ in vectors]
    count = len(vectors) // PER_DOCUMENT
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        cursor.execute(
            """
            insert into documents (tenant_id, id, media_type, bytes, sha256, metadata, chunks, blob)
            select %s, 'd' || n, 'text/plain', 0, '', jsonb_build_object('n', n), %s, '' from generate_series(0, %s) n
            """,
            [tenant, PER_DOCUMENT, count - 1],
        )
        rows = [(tenant, chunk, f"d{n // PER_DOCUMENT}") for n, chunk in enumerate(chunks)]
        columns = "tenant_id, id, document_id, ord, start, stop, tokens, content"
        with cursor.copy(f"copy chunks ({columns}) from stdin binary") as copy:
            copy.set_types(["int4", "int8", "text", "int4", "int4", "int4", "int4", "text"])
            for row in rows:
                copy.write_row((*row, 0, 0, 0, 0, ""))
        columns = "tenant_id, chunk_id, document_id, embedding"
        with cursor.copy(f"copy {table(SPACE)} ({columns}) from stdin binary") as copy:
            copy.set_types(["int4", "int8", "text", "halfvec"])
            for row, vector in zip(rows, vectors, strict=True):
                copy.write_row((*row, HalfVector(vector)))
    with connection.transaction():
        connection.execute("set local role kyujang_operator")
        connection.execute("update tenants set chunk_count = %s where id = %s", [len(vectors), tenant])
    return chunks


@pytest.fixture(params=["pgvector", "faiss", "faiss with lists"])
def store(request, tmp_path):
    if request.param == "pgvector":
        return PgvectorStore(SPACE)
    return faiss_store(tmp_path, ivf_from=10_000 if request.param == "faiss with lists" else 10**9, file_from=10**9)


@pytest.mark.parametrize("share", [None, 0.5, 0.05, 0.01, 0.001])
async def test_recall_and_rows_hold_for_every_size_and_selectivity(services, tenants, store, share):
    rng = np.random.default_rng(17)
    for size, of_size in tenants.items():
        recall = []
        for tenant, vectors, chunks in of_size:
            matching = size if share is None else int(size // PER_DOCUMENT * share) * PER_DOCUMENT
            where = None
            if share is not None:
                where = Compares(Metadata("n"), "lt", matching // PER_DOCUMENT)
            queries = unit(rng, QUERIES[size], vectors[rng.integers(size, size=QUERIES[size])], 0.04)
            if hasattr(store, "close"):
                await search(services.database, store, tenant, queries[0], 1)
                await store.close()
            for query in queries:
                hits = await search(services.database, store, tenant, query, 10, where)
                assert len(hits) == min(10, matching)
                if matching:
                    true = {chunks[n] for n in nearest(vectors[:matching], query, 10)}
                    recall.append(len({hit.chunk for hit in hits} & true) / len(true))
        assert np.mean(recall or [1]) >= 0.99, size
        assert min(recall, default=1) >= 0.8, size


async def test_recall_and_rows_hold_under_a_part_of_every_size(services, tenants, store):
    (tenant, vectors, chunks), *_ = tenants[12_000]
    queries = unit(np.random.default_rng(19), 10, vectors[:12_000:1_200], 0.04)
    for share in (1, 0.5, 0.1, 0.01, 0.001):
        matching = int(12_000 // PER_DOCUMENT * share) * PER_DOCUMENT
        only = {"key": "metadata.n", "op": "lt", "value": matching // PER_DOCUMENT}
        async with services.database.transaction(tenant) as connection:
            number = await parts.part_of(connection, tenant, only)
        recall = []
        with seeing(str(number)):
            for query in queries:
                hits = await search(services.database, store, tenant, query, 10)
                assert len(hits) == min(10, matching)
                true = {chunks[n] for n in nearest(vectors[:matching], query, 10)}
                recall.append(len({hit.chunk for hit in hits} & true) / len(true))
        assert np.mean(recall) >= 0.99, share
        assert min(recall) >= 0.8, share


@contextmanager
def seeing(numbers: str) -> Iterator[None]:
    token = part.set(numbers)
    try:
        yield
    finally:
        part.reset(token)


async def test_a_tenant_in_a_crowd_is_searched_through_the_index_too(services, tenants):
    (tenant, vectors, _), *_ = tenants[4_000]
    async with services.database.snapshot(tenant) as snapshot:
        plans = await explained(snapshot, PgvectorStore(SPACE), tenant, vectors[0], None)
    assert re.search(rf"Index Scan using {table(SPACE)}_\d+_embedding_idx", plans[-1])


async def test_what_an_approximate_scan_does_not_reach_is_found(services, tenants, store, monkeypatch):
    """Ten chunks of 12,000, wherever they are, if nobody noticed that the filter is narrow."""
    monkeypatch.setattr(pgvector, "EXACT_UP_TO_MATCHING", 0)
    (tenant, vectors, chunks), *_ = tenants[12_000]
    where = Compares(Metadata("n"), "lt", 1)
    for query in vectors[1000:1005]:
        hits = await search(services.database, store, tenant, query, 10, where)
        assert {hit.chunk for hit in hits} == set(chunks[:10])


async def test_the_plans_are_the_ones_meant(services, tenants):
    """One partition, through the HNSW index; with a narrow filter through the documents' index, never through all."""
    (tenant, vectors, _), *_ = tenants[12_000]
    store = PgvectorStore(SPACE)
    wide = Compares(Metadata("n"), "lt", 1_100)
    narrow = Compares(Metadata("n"), "lt", 5)
    plans = {}
    for name, where in {"all": None, "wide": wide, "narrow": narrow}.items():
        async with services.database.snapshot(tenant) as snapshot:
            plans[name] = await explained(snapshot, store, tenant, vectors[0], where)
    for name in ("all", "wide"):
        assert re.search(rf"Index Scan using {table(SPACE)}_\d+_embedding_idx", plans[name][-1])
        assert "Sort" not in plans[name][-1], plans[name][-1]
    assert "document_values_number" in plans["narrow"][1]
    assert "document_id" in plans["narrow"][-1]
    for found in plans.values():
        assert len(set(partitions(found[-1]))) == 1, found[-1]
        assert not any(f"Seq Scan on {table(SPACE)}" in plan or "Seq Scan on document_values" in plan for plan in found)


def partitions(plan: str) -> list[str]:
    return [line.split(" on ")[1].split()[0] for line in plan.splitlines() if f" on {table(SPACE)}_" in line]


async def explained(snapshot, store, tenant, vector, where) -> list[str]:
    """The plan of each statement of a search, in order."""
    plans: list[str] = []
    connection = snapshot.connection
    execute = connection.execute

    async def explaining(query, parameters=None, **more):
        text = query.decode() if isinstance(query, bytes) else query
        if "set_config" not in text:
            rows = await (await execute(f"explain {text}".encode(), parameters)).fetchall()
            plans.append("\n".join(row["QUERY PLAN"] for row in rows))
        return await execute(query, parameters, **more)

    connection.execute = explaining
    try:
        await store.search(snapshot, tenant, vector, 10, where)
    finally:
        del connection.execute
    return plans
