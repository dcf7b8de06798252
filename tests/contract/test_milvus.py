"""The promises of test_vector_store.py, kept by Milvus, whose collection lags behind; by `--milvus` with its server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest

from app.errors import IndexUnavailable
from app.retrieval.stores import VectorStore
from app.retrieval.stores.milvus_collection import MilvusCollection
from app.retrieval.stores.milvus_store import MilvusStore
from app.storage import index_positions
from app.storage.filters import Compares, Metadata
from ingest.indexing import Follower
from tests.contract.corpus import DIMENSION, SPACE, Corpus, Document, nearest, search, unit
from tests.contract.in_memory_collection import MemoryCollection
from tests.contract.in_postgres import PostgresCorpus
from tests.contract.test_vector_store import (  # noqa: F401
    NewStore,
    store,
    test_a_replacement_and_a_deletion_are_seen_by_the_next_search,
    test_an_empty_an_unknown_and_a_deleted_tenant_have_no_hits,
    test_an_older_snapshot_sees_its_own_state,
    test_equal_vectors_are_ordered_by_chunk,
    test_filters_narrow_and_wide_find_all_that_match,
    test_min_of_k_and_chunks_come_back,
    test_searches_beside_changes_are_always_whole,
    test_stores_in_several_processes_keep_in_step,
    test_the_nearest_come_first_with_their_cosine,
    test_two_tenants_do_not_see_each_other,
)
from tests.milvus_server import milvus_server


class Followed(MilvusStore):
    """Follows before every second search: what has changed stands in the collection, or in the database alone."""

    follower: Follower
    following: asyncio.Lock
    searches = 0

    async def search(self, *arguments, **named):
        self.searches += 1
        if self.searches % 2 and not self.following.locked():
            async with self.following:
                await self.follower.follow(self.collection, SPACE)
        return await super().search(*arguments, **named)


@pytest.fixture
def database(services):
    return services.database


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def server(request, tmp_path_factory) -> Iterator[str]:
    with milvus_server(tmp_path_factory.mktemp("milvus")) as url:
        yield url


@pytest.fixture(params=["memory", "server"])
async def collection(request) -> AsyncIterator[MemoryCollection | MilvusCollection]:
    if request.param == "memory":
        yield MemoryCollection()
        return
    if not request.config.getoption("--milvus"):
        pytest.skip("a Milvus server is started by --milvus alone")
    opened = MilvusCollection(request.getfixturevalue("server"), None, dimension=DIMENSION)
    yield opened
    await opened.close()


@pytest.fixture
async def follower(database, monkeypatch) -> AsyncIterator[Follower]:
    # What is removed late is tried below.
    monkeypatch.setattr(index_positions, "REMOVED_AFTER_S", 0)
    await index_positions.forget_collections(database)
    yield Follower(database, secrets.token_hex(4), behind_s=0)
    await index_positions.forget_collections(database)


@pytest.fixture
def corpus(database) -> Corpus:
    return PostgresCorpus(database)


@pytest.fixture
def new_store(collection, follower, database) -> NewStore:
    following = asyncio.Lock()

    def made() -> VectorStore:
        opened = Followed(collection, SPACE, database)
        opened.follower, opened.following = follower, following
        return opened

    return made


async def reached(database, tenant: int) -> index_positions.Position | None:
    async with database.transaction(tenant) as connection:
        name = await index_positions.collection_of(connection, SPACE)
        return await index_positions.position(connection, tenant, name) if name else None


async def test_a_search_takes_from_the_index_what_it_has_and_the_rest_from_the_database(
    collection, corpus, database, follower, rng, monkeypatch
):
    tenant, vectors = await corpus.new_tenant(), unit(rng, 500)
    asked: list[int] = []
    plain, found = MilvusStore(collection, SPACE, database), collection.nearest

    async def counted(*arguments):
        asked.append(arguments[-1])
        return await found(*arguments)

    monkeypatch.setattr(collection, "nearest", counted)
    chunks = (await corpus.put(tenant, Document("a", vectors[:400])))["a"]
    assert len(await search(corpus, plain, tenant, vectors[0], 10)) == 10
    assert asked == []
    assert await follower.follow(collection, SPACE) >= 1
    assert {chunks.index(hit.chunk) for hit in await search(corpus, plain, tenant, vectors[0], 10)} == nearest(
        vectors[:400], vectors[0], 10
    )
    assert asked == [10]
    chunks += (await corpus.put(tenant, Document("b", vectors[400:])))["b"]
    for _ in range(2):
        hits = await search(corpus, plain, tenant, vectors[450], 10)
        assert {chunks.index(hit.chunk) for hit in hits} == nearest(vectors, vectors[450], 10)
        await follower.follow(collection, SPACE)


async def test_what_is_gone_is_removed_when_no_search_can_want_it(collection, corpus, database, follower, rng):
    tenant = await corpus.new_tenant()
    await corpus.put(tenant, Document("a", unit(rng, 5)), Document("b", unit(rng, 7)))
    await follower.follow(collection, SPACE)
    async with database.transaction(tenant) as connection:
        name = await index_positions.collection_of(connection, SPACE)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(index_positions, "REMOVED_AFTER_S", 3600)
        await corpus.delete_document(tenant, "a")
        await follower.follow(collection, SPACE)
        assert await collection.count(name, tenant) == 12
        assert len(await search(corpus, MilvusStore(collection, SPACE, database), tenant, unit(rng, 1)[0], 50)) == 7
    await follower.follow(collection, SPACE)
    assert await collection.count(name, tenant) == 7


async def test_a_collection_that_was_lost_is_filled_again(collection, corpus, database, follower, rng):
    tenant, vectors = await corpus.new_tenant(), unit(rng, 30)
    chunks = (await corpus.put(tenant, Document("a", vectors)))["a"]
    await follower.follow(collection, SPACE)
    async with database.transaction(tenant) as connection:
        name = await index_positions.collection_of(connection, SPACE)
    await collection.drop(name)
    plain = MilvusStore(collection, SPACE, database)
    with pytest.raises(IndexUnavailable):
        await search(corpus, plain, tenant, vectors[4], 3)
    await follower.follow(collection, SPACE)
    assert (await search(corpus, plain, tenant, vectors[4], 3))[0].chunk == chunks[4]
    assert await collection.count(name, tenant) == 30


async def test_what_the_index_does_not_have_is_not_confirmed(corpus, database, follower, rng):
    collection, tenant = MemoryCollection(), await corpus.new_tenant()
    await corpus.put(tenant, Document("a", unit(rng, 8)))
    collection.loses = True
    await follower.follow(collection, SPACE)
    assert await reached(database, tenant) is None
    collection.loses = False
    await follower.follow(collection, SPACE)
    assert await reached(database, tenant) is not None


async def test_one_process_follows_at_a_time(corpus, database, follower, rng):
    collection, tenant = MemoryCollection(), await corpus.new_tenant()
    await corpus.put(tenant, Document("a", unit(rng, 3)))
    assert await follower.follow(collection, SPACE) >= 1
    await corpus.put(tenant, Document("b", unit(rng, 3)))
    assert await Follower(database, "another", behind_s=0).follow(collection, SPACE) == 0
    assert await follower.follow(collection, SPACE) == 1


async def test_an_index_that_is_away_is_told(corpus, database, follower, rng):
    collection, tenant = MemoryCollection(), await corpus.new_tenant()
    await corpus.put(tenant, Document("a", unit(rng, 3), {"n": 1}))
    await follower.follow(collection, SPACE)
    collection.away = True
    plain = MilvusStore(collection, SPACE, database)
    with pytest.raises(IndexUnavailable):
        await search(corpus, plain, tenant, unit(rng, 1)[0], 2)
    # A narrow filter is the database's own.
    assert len(await search(corpus, plain, tenant, unit(rng, 1)[0], 2, Compares(Metadata("n"), "lt", 2))) == 2


async def test_the_log_is_kept_as_far_as_the_index_has_not_followed(corpus, database, follower, rng, monkeypatch):
    monkeypatch.setattr("app.storage.changelog.KEPT_CHANGES", 2)
    collection, tenant = MemoryCollection(), await corpus.new_tenant()
    await corpus.put(tenant, Document("a", unit(rng, 2)))
    await follower.follow(collection, SPACE)
    for n in range(6):
        await corpus.put(tenant, Document(f"d{n}", unit(rng, 2)))
    async with database.transaction(tenant) as connection:
        name = await index_positions.collection_of(connection, SPACE)
        at = await index_positions.position(connection, tenant, name)
        assert sorted(await index_positions.changed_since(connection, tenant, at)) == [f"d{n}" for n in range(6)]
    plain = MilvusStore(collection, SPACE, database)
    assert len(await search(corpus, plain, tenant, np.ones(DIMENSION, np.float32), 50)) == 14
