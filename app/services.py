"""The composition root: the only place that names concrete classes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from app.blobs import Blobs
from app.database import Database
from app.embedding import Embedder, Encoder, open_encoder
from app.errors import NotConfigured
from app.generation import Engine, open_engine
from app.metrics import Metrics
from app.reranking import Reranker, open_reranker
from app.settings import Settings
from app.stores import VectorStore
from app.stores.memory import FaissStore
from app.stores.pgvector import PgvectorStore
from app.tenants import tenant_numbers
from app.terms import Analyzer


@dataclass(frozen=True)
class Services:
    settings: Settings
    database: Database
    blobs: Blobs
    embedder: Embedder
    analyzer: Analyzer
    store: VectorStore
    reranker: Reranker | None
    engine: Engine | None
    metrics: Metrics


@asynccontextmanager
async def open_services(settings: Settings, metrics: Metrics | None = None) -> AsyncIterator[Services]:
    """Raises NotConfigured or DatabaseUnavailable with what to do about it."""
    database = Database(settings.service_url, pool_size=settings.database_pool)
    encoder, reranker, _ = await asyncio.gather(
        asyncio.to_thread(open_encoder, settings), asyncio.to_thread(open_reranker, settings), database.open()
    )
    embedder = Embedder(encoder)
    analyzer = Analyzer(settings.lexical)
    engine = open_engine(settings)
    try:
        await _refuse_other_vectors(database, encoder)
        await _refuse_other_terms(database, analyzer)
        async with _open_store(settings, database, encoder) as store:
            yield Services(
                settings=settings,
                database=database,
                blobs=Blobs(settings.blobs),
                embedder=embedder,
                analyzer=analyzer,
                store=store,
                reranker=reranker,
                engine=engine,
                metrics=metrics or Metrics(),
            )
    finally:
        if engine is not None:
            await engine.close()
        if reranker is not None:
            await reranker.close()
        embedder.close()
        await database.close()


@asynccontextmanager
async def _open_store(settings: Settings, database: Database, encoder: Encoder) -> AsyncIterator[VectorStore]:
    if settings.index == "pgvector":
        yield PgvectorStore(encoder.dimension)
        return
    store = FaissStore(
        settings.index_files,
        model=encoder.name,
        dimension=encoder.dimension,
        memory_bytes=settings.index_memory_mb << 20,
    )
    await store.open(await tenant_numbers(database))
    try:
        yield store
    finally:
        await store.close()


async def _refuse_other_vectors(database: Database, encoder: Encoder) -> None:
    stored = await database.embedding_model()
    if stored != (encoder.name, encoder.dimension):
        name, dimension = stored or ("no model", 0)
        raise NotConfigured(
            f"The database is set up for vectors of {name} ({dimension} dimensions), and KYUJANG_EMBEDDER is "
            f"{encoder.name} ({encoder.dimension} dimensions). Set it back, or run 'python -m app migrate', which "
            "adopts the new model where no document is stored yet."
        )


async def _refuse_other_terms(database: Database, analyzer: Analyzer) -> None:
    stored = await database.lexical_scheme()
    if stored != analyzer.name:
        raise NotConfigured(
            f"The stored texts are analysed as {stored or 'unfinished'!r} and KYUJANG_LEXICAL={analyzer.scheme} means "
            f"{analyzer.name!r}. Set KYUJANG_LEXICAL back, or run 'python -m app migrate', which analyses them again."
        )
