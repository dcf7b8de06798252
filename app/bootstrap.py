"""The composition root: the only place that names concrete classes. Imported by entry points and commands alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from app.embedding import Embedder, identity_of, open_encoder, spare_cores, with_stored
from app.errors import NotConfigured
from app.generation.engine import open_engine
from app.grounding.check_model import CheckModel, open_check_model
from app.language.analyzer import Analyzer
from app.metrics import Metrics
from app.retrieval.admission import SearchAdmission
from app.retrieval.live_spaces import OpenSpace, OpenSpaces
from app.retrieval.reranking import Reranker, open_reranker
from app.retrieval.search import Retriever
from app.retrieval.stores import VectorStore
from app.retrieval.stores.faiss_store import FaissStore
from app.retrieval.stores.milvus_collection import open_collection
from app.retrieval.stores.milvus_store import MilvusStore
from app.retrieval.stores.pgvector import PgvectorStore
from app.services import Services
from app.settings import Settings
from app.storage.database import Database
from app.storage.meter import Meter
from app.storage.object_blobs import check_at_start, open_blobs
from app.storage.object_storage import open_object_storage
from app.storage.request_limits import RequestLimits
from app.storage.schema import refuse_other_schema
from app.storage.spaces import Space, other_vectors, spaces
from app.storage.tenants import tenant_numbers

log = logging.getLogger("kyujang.bootstrap")


@asynccontextmanager
async def open_services(
    settings: Settings, metrics: Metrics | None = None, *, for_requests: bool = False, on_spare_cores: bool = False
) -> AsyncIterator[Services]:
    """Open what the settings name; `for_requests` with the limits of time and connections that callers are under,
    `on_spare_cores` to embed there. Raises NotConfigured or DatabaseUnavailable with what to do about it."""
    async with AsyncExitStack() as stack:
        limits = _request_limits(settings) if for_requests else None
        timeout_s = settings.search_timeout_s if for_requests else None
        database = Database(settings.service_url, pool_size=settings.database_pool, limits=limits)
        await database.open()
        stack.push_async_callback(database.close)
        await refuse_other_schema(database)
        storage = open_object_storage(settings.storage) if settings.storage else None
        if storage is not None:
            await check_at_start(storage)
        analyzer = Analyzer(settings.lexical)
        await _refuse_other_terms(database, analyzer)
        stack.push_async_callback((open_spaces := await _open_spaces(settings, database, on_spare_cores)).close)
        reranker, checker = await _open_models(settings, stack)
        metrics, meter = metrics or Metrics(), Meter(database)
        metrics.watch_disk(settings.home)
        stack.push_async_callback(meter.close)
        engine = open_engine(settings, metrics, meter)
        if engine is not None:
            stack.push_async_callback(engine.close)
        yield Services(
            settings=settings,
            database=database,
            blobs=open_blobs(settings, storage),
            spaces=open_spaces,
            analyzer=analyzer,
            retriever=_retriever(settings, database, open_spaces, analyzer, reranker, meter, timeout_s),
            engine=engine,
            metrics=metrics,
            meter=meter,
            storage=storage,
            checker=checker,
        )


async def _open_models(settings: Settings, stack: AsyncExitStack) -> tuple[Reranker | None, CheckModel | None]:
    """Open those that rank and judge, if there are any. Raises NotConfigured."""
    reranker, checker = await asyncio.to_thread(lambda: (open_reranker(settings), open_check_model(settings)))
    for model in (reranker, checker):
        if model is not None:
            stack.push_async_callback(model.close)
    return reranker, checker


def _retriever(
    settings: Settings,
    database: Database,
    open_spaces: OpenSpaces,
    analyzer: Analyzer,
    reranker: Reranker | None,
    meter: Meter,
    timeout_s: float | None,
) -> Retriever:
    languages = settings.reranker_languages.split(",")
    return Retriever(
        database,
        open_spaces,
        analyzer,
        reranker,
        settings.dense_weight,
        SearchAdmission(queue=settings.tenant_queue, timeout_s=timeout_s),
        reranked_languages=languages,
        count=meter.count,
    )


def _request_limits(settings: Settings) -> RequestLimits:
    return RequestLimits(
        per_tenant=settings.tenant_connections,
        statement_s=settings.statement_timeout_s,
        lock_s=settings.lock_timeout_s,
        idle_s=settings.idle_transaction_timeout_s,
    )


async def _open_spaces(settings: Settings, database: Database, on_spare_cores: bool) -> OpenSpaces:
    stored = await spaces(database)
    active = next((space for space in stored if space.state == "active"), None)
    if active is None:
        raise NotConfigured("The database is not set up: run 'python -m app migrate'.")
    model = identity_of(settings)
    if model != active.model:
        if all(space.model != model or space.state != "retired" for space in stored):
            raise NotConfigured(other_vectors(active, model, settings))
        log.warning("KYUJANG_EMBEDDER names the model before the last switch; set it to %s", active.model)

    async def open_space(space: Space) -> OpenSpace:
        return await _open_space(settings, database, space, on_spare_cores)

    return OpenSpaces(database, open_space, await open_space(active))


async def _open_space(settings: Settings, database: Database, space: Space, on_spare_cores: bool) -> OpenSpace:
    """By this process's settings where they name its model, else by those it was built with."""
    if identity_of(settings) != space.model:
        settings = with_stored(settings, space.settings)
    encoder = await asyncio.to_thread(open_encoder, settings, beside_spare_cores=on_spare_cores)
    if (encoder.name, encoder.dimension) != (space.model, space.dimension):
        raise NotConfigured(
            f"The stored vectors were made by {space.model} ({space.dimension} dimensions), and what opens under this "
            f"name is {encoder.name} ({encoder.dimension} dimensions). Put the old model back in its place."
        )
    embedder = Embedder(encoder, spare=spare_cores(settings, encoder) if on_spare_cores else None)
    return OpenSpace(space.number, embedder, await _open_store(settings, database, space))


async def _open_store(settings: Settings, database: Database, space: Space) -> VectorStore:
    if settings.index == "pgvector":
        return PgvectorStore(space.number)
    if settings.index == "milvus":
        return MilvusStore(open_collection(settings, space.dimension), space.number, database)
    store = FaissStore(
        settings.index_files / str(space.number),
        space=space.number,
        model=space.model,
        dimension=space.dimension,
        memory_bytes=settings.index_memory_mb << 20,
    )
    await store.open(await tenant_numbers(database))
    return store


async def _refuse_other_terms(database: Database, analyzer: Analyzer) -> None:
    stored = await database.lexical_scheme()
    if stored != analyzer.name:
        raise NotConfigured(
            f"The stored texts are analysed as {stored or 'unfinished'!r} and KYUJANG_LEXICAL={analyzer.scheme} means "
            f"{analyzer.name!r}. Set KYUJANG_LEXICAL back, or run 'python -m app migrate', which analyses them again."
        )
