"""The way of a document with the real parts: accepted, taken in once, replaced whole, resumed, cancelled."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from app.settings import Settings
from ingest import staging
from ingest.cleanup import remove_noted
from ingest.jobs import queue
from ingest.jobs.queue import MAX_ATTEMPTS, LeaseLost, claim
from ingest.staging import Analysis, Version
from ingest.worker import HANDLERS, Handler, run
from tests.conftest import ingest_text, with_encoder
from tests.contract.indexed import indexed
from tests.contract.texts import merge_all
from tests.ingest.working import LONG, SlowEncoder, Worker, accept, rows, until

pytestmark = pytest.mark.usefixtures("nothing_queued")


@pytest.fixture
async def working(services):
    """A worker beside the test."""
    async with Worker(services):
        yield


async def test_the_same_bytes_are_unchanged_and_other_bytes_replace(working, new_tenant):
    client = await new_tenant()
    first = await ingest_text(client, "Returns within 30 days.", id="policy")
    again = await ingest_text(client, "Returns within 30 days.", id="policy", metadata={"lang": "en"})
    other = await ingest_text(client, "Returns within 14 days.", id="policy")
    assert [job["documents"][0]["status"] for job in (first, again, other)] == ["succeeded", "unchanged", "succeeded"]
    assert again["counts"]["unchanged"] == 1
    document = (await client.get("/documents/policy")).json()
    chunks = (await client.get("/documents/policy/chunks")).json()["data"]
    assert [chunk["text"] for chunk in chunks] == ["Returns within 14 days."]
    assert document["chunks"] == 1


async def test_without_an_id_a_document_is_its_content(working, new_tenant):
    client = await new_tenant()
    one = await ingest_text(client, "규장각에는 책이 있다.", source="a.txt")
    same = await ingest_text(client, "규장각에는 책이 있다.", source="a.txt")
    other = await ingest_text(client, "규장각에는 그림도 있다.", source="a.txt")
    ids = [job["documents"][0]["id"] for job in (one, same, other)]
    assert ids[0] == ids[1] != ids[2]
    assert same["documents"][0]["status"] == "unchanged"
    assert len((await client.get("/documents")).json()["data"]) == 2


async def test_many_uploads_of_one_document_leave_the_last_one(working, new_tenant):
    client = await new_tenant()
    ids = [await accept(client, f"Version {n}.", id="doc/many") for n in range(6)]
    for job_id in ids:
        await until(client, job_id, "succeeded")
    chunks = (await client.get("/documents/doc/many/chunks")).json()["data"]
    assert [chunk["text"] for chunk in chunks] == ["Version 5."]


async def test_spans_pages_and_limits_hold_for_every_chunk(working, new_tenant, services):
    client = await new_tenant()
    text = "세종은 1418년에 즉위하였다. 😀 " * 60 + LONG
    job = await ingest_text(client, text, id="long")
    chunks = (await client.get("/documents/long/chunks?limit=200")).json()["data"]
    assert job["documents"][0]["chunks"] == job["documents"][0]["chunks_done"] == len(chunks) > 3
    for chunk in chunks:
        assert text[chunk["span"]["start"] : chunk["span"]["end"]] == chunk["text"]
        assert chunk["tokens"] <= 400
        assert services.spaces.current.embedder.encoder.count_tokens([chunk["text"]]) == [chunk["tokens"]]


async def test_a_worker_that_stops_hands_over_and_the_next_resumes(services, new_tenant, owner_url):
    client = await new_tenant()
    job_id = await accept(client, LONG, id="resumed")
    slow = SlowEncoder(0.3)
    settings = services.settings.model_copy(update={"chunk_tokens": 16, "chunk_overlap": 0})
    small = dataclasses.replace(services, settings=settings)
    async with Worker(with_encoder(small, slow)):
        async with asyncio.timeout(30):
            while not rows(owner_url, "select 1 from staged_chunks"):
                await asyncio.sleep(0.05)
    staged = rows(owner_url, "select count(*) from staged_chunks")[0][0]
    item = rows(owner_url, "select status, attempt from job_items where document_id = 'resumed'")
    assert item == [("queued", 0)]
    assert (await client.get("/documents/resumed")).status_code == 404
    quick = SlowEncoder(0)
    async with Worker(with_encoder(small, quick)):
        job = await until(client, job_id, "succeeded")
    assert job["documents"][0]["chunks"] > staged
    assert quick.calls < job["documents"][0]["chunks"] // 16 + 1
    assert rows(owner_url, "select count(*) from staged_chunks") == [(0,)]


async def test_an_item_that_is_claimed_while_the_worker_stops_goes_back(services, new_tenant, owner_url, monkeypatch):
    client = await new_tenant()
    await accept(client, "Claimed in the last moment.", id="last-moment")
    worker = Worker(services)

    async def claim_and_stop(*arguments, **options):
        claimed = await claim(*arguments, **options)
        if claimed is not None:
            worker.stop.set()
            await asyncio.sleep(0.05)
        return claimed

    monkeypatch.setattr(queue, "claim", claim_and_stop)
    async with worker, asyncio.timeout(30):
        await worker.stop.wait()
        await worker.task
    assert rows(owner_url, "select status from job_items where document_id = 'last-moment'") == [("queued",)]


async def test_an_item_goes_back_whenever_its_worker_is_cancelled(services, new_tenant, owner_url, monkeypatch):
    """Before the claim is answered, before its work has begun, or later."""
    client = await new_tenant()
    await accept(client, "Claimed and cancelled.", id="cancelled")
    claiming, carrying_out = asyncio.Event(), []

    async def slow_claim(*arguments, **options):
        claimed = await claim(*arguments, **options)
        if claimed is not None:
            claiming.set()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        return claimed

    async def never_done(*_):
        carrying_out.append(True)
        await asyncio.Event().wait()

    monkeypatch.setattr(queue, "claim", slow_claim)
    monkeypatch.setitem(HANDLERS, "ingest", Handler(never_done, "documents"))
    for steps in range(12):
        claiming.clear()
        worker = asyncio.create_task(run(services, asyncio.Event()))
        async with asyncio.timeout(30):
            await claiming.wait()
            for _ in range(steps):
                await asyncio.sleep(0)
            worker.cancel()
            await asyncio.wait({worker})
        assert rows(owner_url, "select status from job_items where document_id = 'cancelled'") == [("queued",)], steps
    assert 0 < len(carrying_out) < 12


async def test_a_worker_works_at_what_its_setting_names(services, monkeypatch):
    assert {handler.work for handler in HANDLERS.values()} == set(Settings().work.split(","))
    asked = set()

    async def nothing(_, __, kind, **___):
        asked.add(kind)

    monkeypatch.setattr(queue, "claim", nothing)
    settings = services.settings.model_copy(update={"work": "training,adapters,training"})
    async with Worker(dataclasses.replace(services, settings=settings)):
        async with asyncio.timeout(30):
            while len(asked) < 3:
                await asyncio.sleep(0)
    assert asked == {"check", "evaluate", "tune"}


async def test_a_dead_workers_document_is_taken_over_after_its_lease(services, new_tenant):
    client = await new_tenant()
    job_id = await accept(client, "Left behind.", id="orphan")
    dead = await claim(services.database, "dead-worker", "ingest", lease_s=0.5)
    assert dead is not None
    assert await claim(services.database, "other", "ingest", lease_s=1) is None
    async with Worker(services):
        job = await until(client, job_id, "succeeded")
    assert job["documents"][0]["chunks"] == 1
    with pytest.raises(LeaseLost):
        await staging.publish(
            services.database, dead, Analysis("", []), Version("text/plain", None, "", [], [], "", 1, None, [])
        )


async def test_a_document_that_kills_its_worker_again_and_again_fails(services, new_tenant):
    client = await new_tenant()
    job_id = await accept(client, "Poison.", id="poison")
    for _ in range(MAX_ATTEMPTS):
        assert await claim(services.database, "dead-worker", "ingest", lease_s=0) is not None
    async with Worker(services):
        job = await until(client, job_id, "failed")
    assert job["documents"][0]["error"]["code"] == "internal"


async def test_a_passing_fault_is_retried(services, new_tenant):
    client = await new_tenant()
    job_id = await accept(client, "Try again.", id="retried")
    async with Worker(with_encoder(services, SlowEncoder(0, fail_on=1))):
        job = await until(client, job_id, "succeeded")
    assert job["documents"][0]["chunks"] == 1


async def test_a_cancelled_job_leaves_nothing(services, new_tenant, owner_url):
    client = await new_tenant()
    job_id = await accept(client, LONG, id="cancelled")
    async with Worker(with_encoder(services, SlowEncoder(0.5))):
        await until(client, job_id, "running")
        job = (await client.delete(f"/jobs/{job_id}")).json()
        assert job["status"] == "cancelled"
        await asyncio.sleep(1)
    assert (await client.get("/documents/cancelled")).status_code == 404
    assert rows(owner_url, "select count(*) from staged_chunks") == [(0,)]
    blob = rows(owner_url, "select blob from job_items where document_id = 'cancelled'")[0][0]
    await remove_noted(services)
    assert not services.blobs.locate(blob).exists()


async def test_a_deleted_document_is_gone_from_the_next_query_with_its_file(working, services, new_tenant, owner_url):
    client = await new_tenant()
    await ingest_text(client, "The moat is nine metres deep.", id="moat")
    blob = rows(owner_url, "select blob from documents where id = 'moat'")[0][0]
    assert services.blobs.locate(blob).exists()
    assert (await client.delete("/documents/moat")).status_code == 204
    assert (await client.post("/search", json={"input": "moat"})).json()["contexts"] == []
    assert (await client.delete("/documents/moat")).status_code == 404
    await remove_noted(services)
    assert not services.blobs.locate(blob).exists()
    assert rows(owner_url, "select count(*) from chunks where document_id = 'moat'") == [(0,)]


async def test_the_old_versions_file_goes_with_it(working, services, new_tenant, owner_url):
    client = await new_tenant()
    await ingest_text(client, "Old.", id="replaced")
    old = rows(owner_url, "select blob from documents where id = 'replaced'")[0][0]
    await ingest_text(client, "New.", id="replaced")
    new = rows(owner_url, "select blob from documents where id = 'replaced'")[0][0]
    await remove_noted(services)
    assert not services.blobs.locate(old).exists()
    assert services.blobs.locate(new).read_bytes() == b"New."


async def test_the_chunk_count_of_the_tenant_follows(working, new_tenant, owner_url):
    client = await new_tenant("counted")
    await ingest_text(client, LONG, id="a")
    await ingest_text(client, "Short.", id="b")
    await ingest_text(client, "Shorter.", id="a")
    await client.delete("/documents/b")
    counted = rows(owner_url, "select chunk_count from tenants where slug = 'counted'")
    assert counted == [(1,)]


async def test_the_index_of_words_stays_exact_under_several_workers(services, new_tenant, owner_url):
    """The same words in all documents, replaced and deleted while two workers publish."""
    client = await new_tenant()
    async with Worker(services), Worker(services):
        for turn in range(3):
            texts = [f"Shelf {n} holds the annals of turn {turn}, 서가 {n}의 실록." for n in range(6)]
            documents = [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]
            answer = await client.post("/ingest?wait=60", json={"documents": documents})
            assert answer.json()["counts"]["succeeded"] == 6
            await asyncio.gather(*(client.delete(f"/documents/d{n}") for n in range(turn)))
    tenant = rows(owner_url, "select max(id) from tenants")[0][0]
    chunks = {row[0] for row in rows(owner_url, f"select id from chunks where tenant_id = {tenant}")}
    assert chunks
    for _ in range(2):
        indexed(owner_url, tenant).assert_sound(chunks)
        await merge_all(services.database, tenant)
