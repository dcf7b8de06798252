"""Writes a corpus as ingest would have left it, but by COPY and with the indexes made afterwards; times the parts."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psycopg
from pgvector import HalfVector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb

from app.embedding.e5 import E5Encoder
from app.language.analyzer import Analyzer
from app.retrieval.stores.faiss_index import FaissIndex
from app.retrieval.stores.faiss_store import IVF_FROM_VECTORS, FaissStore
from app.storage import posting_merges
from app.storage.changelog import VectorBatch
from app.storage.database import Database
from app.storage.migrate import migrate
from app.storage.postings import impacts
from app.storage.spaces import table
from app.storage.tenancy import TenantNumber
from app.storage.tenants import create_tenant, tenant_by_slug
from app.up.postgres import EmbeddedPostgres
from bench.retrieval.corpus import BATCH, CHUNKS_PER_DOCUMENT, DIMENSION, Corpus, documents_of, make, vocabulary, words
from bench.retrieval.home import TENANT, Place, create_database
from bench.retrieval.progress import Stopwatch
from bench.retrieval.sizes import sizes

INDEX_MEMORY = 16 << 30
SPACE = 1
LATE_INDEXES = ("chunks_document", "chunks_of_document", "postings_term", "postings_chunk")
RAW_TABLE = "create table raw (id bigint, tenant integer, share integer, embedding halfvec(384))"
RAW_SINGLE = "create index on raw using hnsw (embedding halfvec_cosine_ops) with (m = 24, ef_construction = 128)"
RAW_MANY = "create index on raw (tenant)"


def build(server: EmbeddedPostgres, where: Place, words_each: int) -> None:
    watch = Stopwatch(where.plan.name)
    create_database(server, where.plan.name)
    migrate(where.settings, dimension=lambda: DIMENSION)
    with watch.step("make"):
        corpus = make(where.plan)
    numbers = asyncio.run(_tenants(where, len(corpus.sizes)))
    with psycopg.connect(where.owner_url, autocommit=True) as connection:
        register_vector(connection)
        late = drop_indexes(connection)
        connection.execute("set maintenance_work_mem = '512MB'")
        with watch.step("copy"):
            copy_rows(connection, corpus, numbers, words_each)
        if words_each and where.plan.layout == "single":
            with watch.step("copy of postings"):
                _postings(connection, corpus, numbers[0], words_each)
        with watch.step("other indexes"):
            for definition in late:
                connection.execute(definition.encode())
    with watch.step("merges of postings"):
        asyncio.run(merge_postings(where.settings.service_url, numbers[0]))
    with psycopg.connect(where.owner_url, autocommit=True) as connection:
        # Of rows that are merged as they come, little space is left.
        connection.execute("vacuum full postings")
    _indexes(where, corpus, numbers, watch)
    where.save(corpus, {"words": words_each, "seconds": watch.seconds, "bytes": sizes(where)})


def _indexes(where: Place, corpus: Corpus, numbers: list[TenantNumber], watch: Stopwatch) -> None:
    with psycopg.connect(where.owner_url, autocommit=True) as connection:
        connection.execute("vacuum analyze")
    with watch.step("pgvector"):
        migrate(where.settings, dimension=lambda: DIMENSION)
    with psycopg.connect(where.owner_url, autocommit=True) as connection:
        register_vector(connection)
        connection.execute("set maintenance_work_mem = '2GB'")
        if where.plan.raw_shares_the_index:
            _raw_view(connection)
        else:
            connection.execute(RAW_TABLE)
            _raw(connection, corpus, numbers)
            with watch.step("raw pgvector"):
                connection.execute((RAW_SINGLE if where.plan.layout == "single" else RAW_MANY).encode())
        connection.execute("vacuum analyze")
    if where.plan.layout == "single":
        asyncio.run(_faiss(where, corpus.vectors[0].astype(np.float32), numbers[0], watch))
        with watch.step("raw FAISS"):
            faiss.write_index(raw_faiss(corpus.vectors), str(where.raw_index))


async def _tenants(where: Place, count: int) -> list[TenantNumber]:
    numbers = []
    async with where.database() as database:
        for n in range(count):
            await create_tenant(database, TENANT.format(n), f"Tenant {n}")
            numbers.append((await tenant_by_slug(database, TENANT.format(n))).number)
    return numbers


def drop_indexes(connection: psycopg.Connection) -> list[str]:
    """Those that are made faster afterwards: the definitions of all but the vectors', which migrate() makes again."""
    definitions = []
    connection.execute(f"drop index {table(SPACE)}_embedding".encode())
    for name in LATE_INDEXES:
        row = connection.execute("select pg_get_indexdef(%s::regclass)", [name]).fetchone()
        assert row is not None
        definitions.append(row[0].replace(" ON ONLY ", " ON "))
        connection.execute(f"drop index {name}".encode())
    return definitions


def copy_rows(connection: psycopg.Connection, corpus: Corpus, numbers: list[TenantNumber], words_each: int) -> None:
    _documents(connection, corpus, numbers)
    connection.execute("set session_replication_role = replica")  # no foreign keys, which hold anyway
    _chunks(connection, corpus, numbers, words_each)
    _vectors(connection, corpus, numbers)
    _count(connection, corpus, numbers)


def _documents(connection: psycopg.Connection, corpus: Corpus, numbers: list[TenantNumber]) -> None:
    columns = "tenant_id, id, source, title, media_type, bytes, sha256, metadata, chunks, blob"
    types = ["int4", "text", "text", "text", "text", "int8", "bytea", "jsonb", "int4", "text"]
    with connection.cursor() as cursor, cursor.copy(f"copy documents ({columns}) from stdin binary".encode()) as copy:
        copy.set_types(types)
        for number, rows in zip(numbers, corpus.rows(), strict=True):
            shares, size = corpus.share[rows].tolist(), rows.stop - rows.start
            for n in range(documents_of(size)):
                first = n * CHUNKS_PER_DOCUMENT
                metadata = Jsonb({"share": shares[first], "kind": "manual" if n % 2 else "letter"})
                chunks = min(CHUNKS_PER_DOCUMENT, size - first)
                name, source = f"d{n}", f"https://example.org/{number}/{n}"
                copy.write_row((number, name, source, f"Document {n}", "text/plain", 9, b"", metadata, chunks, ""))


def _chunks(connection: psycopg.Connection, corpus: Corpus, numbers: list[TenantNumber], each: int) -> None:
    columns = "tenant_id, id, document_id, ord, start, stop, tokens, content"
    types = ["int4", "int8", "text", "int4", "int4", "int4", "int4", "text"]
    texts = _texts(len(corpus.chunks), each)
    with connection.cursor() as cursor, cursor.copy(f"copy chunks ({columns}) from stdin binary".encode()) as copy:
        copy.set_types(types)
        for number, rows in zip(numbers, corpus.rows(), strict=True):
            for n, row in enumerate(range(rows.start, rows.stop)):
                document, place = divmod(n, CHUNKS_PER_DOCUMENT)
                text = " ".join(next(texts))
                chunk = int(corpus.chunks[row])
                copy.write_row((number, chunk, f"d{document}", place, 0, len(text), 2 * each, text))


def _vectors(connection: psycopg.Connection, corpus: Corpus, numbers: list[TenantNumber]) -> None:
    columns = "tenant_id, chunk_id, document_id, embedding"
    query = f"copy {table(SPACE)} ({columns}) from stdin binary"
    with connection.cursor() as cursor, cursor.copy(query.encode()) as copy:
        copy.set_types(["int4", "int8", "text", "halfvec"])
        for number, rows in zip(numbers, corpus.rows(), strict=True):
            for n, row in enumerate(range(rows.start, rows.stop)):
                document = f"d{n // CHUNKS_PER_DOCUMENT}"
                copy.write_row((number, int(corpus.chunks[row]), document, HalfVector(corpus.vectors[row])))


def _texts(count: int, each: int) -> Iterator[list[str]]:
    known = vocabulary()
    for first in range(0, count, BATCH):
        for its in words(first, min(BATCH, count - first), each).tolist():
            yield [known[n] for n in its]


def _count(connection: psycopg.Connection, corpus: Corpus, numbers: list[TenantNumber]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "update tenants set chunk_count = %s, version = version + 1 where id = %s",
            list(zip(corpus.sizes, numbers, strict=True)),
        )


def _postings(connection: psycopg.Connection, corpus: Corpus, tenant: TenantNumber, each: int) -> None:
    """As app/storage/postings.py writes them. Each word is analysed once; a text's terms are its words' terms."""
    analyzer = Analyzer("bigrams")
    terms = cache(analyzer.terms)
    with (
        connection.cursor() as cursor,
        cursor.copy(b"copy postings (chunk_id, tenant_id, impact, term) from stdin binary") as copy,
    ):
        copy.set_types(["int8", "int4", "int2", "text"])
        for row, text in enumerate(_texts(len(corpus.chunks), each)):
            title = f"Document {row // CHUNKS_PER_DOCUMENT}".split()
            found = impacts([term for word in (*title, *text) for term in terms(word)])
            chunk = int(corpus.chunks[row])
            for term, impact in found.items():
                copy.write_row((chunk, tenant, impact, term))


async def merge_postings(service_url: str, tenant: TenantNumber) -> None:
    """As a worker does."""
    database = Database(service_url)
    await database.open()
    await posting_merges.merge_due(database, tenant)
    await database.close()


def _raw(connection: psycopg.Connection, corpus: Corpus, numbers: list[TenantNumber]) -> None:
    with connection.cursor() as cursor, cursor.copy(b"copy raw from stdin binary") as copy:
        copy.set_types(["int8", "int4", "int4", "halfvec"])
        for number, rows in zip(numbers, corpus.rows(), strict=True):
            for row in range(rows.start, rows.stop):
                vector = HalfVector(corpus.vectors[row])
                copy.write_row((int(corpus.chunks[row]), number, int(corpus.share[row]), vector))


def _raw_view(connection: psycopg.Connection) -> None:
    """The partition that holds the one tenant, without anything around it."""
    row = connection.execute(f"select tableoid::regclass::text from {table(SPACE)} limit 1").fetchone()  # noqa: S608
    assert row is not None
    connection.execute(f"create view raw as select chunk_id as id, embedding from {row[0]}".encode())  # noqa: S608


async def _faiss(where: Place, vector: Any, tenant: TenantNumber, watch: Stopwatch) -> None:
    """The first search loads the index; closing waits for the lists and the file."""
    store = faiss_store(where.settings.index_files)
    async with where.database() as database:
        with watch.step("FAISS load"):
            async with database.snapshot(tenant) as snapshot:
                await store.search(snapshot, tenant, vector, 10)
        with watch.step("FAISS lists and file"):
            await store.close()


def faiss_store(folder: Path) -> FaissStore:
    return FaissStore(
        folder / str(SPACE), space=SPACE, model=E5Encoder.name, dimension=DIMENSION, memory_bytes=INDEX_MEMORY
    )


def raw_faiss(vectors: Any) -> Any:
    """The index that our store would use for as many vectors; rows are the ids."""
    everything = VectorBatch(np.arange(len(vectors)), vectors)
    if len(vectors) >= IVF_FROM_VECTORS:
        return FaissIndex.build_ivf(everything)._index
    index = FaissIndex(DIMENSION)
    index.add(everything)
    return index._index
