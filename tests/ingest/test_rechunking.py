"""Stored documents whose loader, splitter or settings have changed: made again when asked for, whole or not at all."""

from __future__ import annotations

import asyncio
import dataclasses

import httpx
import psycopg
import pytest

from app.bootstrap import open_services
from app.errors import DatabaseUnavailable, DocumentError
from app.main import create_app
from app.storage import processing
from app.storage.tenants import tenant_by_slug
from ingest import pipeline
from ingest.bulk_worker import ingest_in_bulk
from ingest.cleanup import sweep
from ingest.jobs import queue
from ingest.jobs.queue import MAX_ATTEMPTS
from ingest.pipeline import ingest
from tests.conftest import NewTenant, ingest_text, with_encoder
from tests.ingest.jobs.claiming import accepted
from tests.ingest.working import SlowEncoder, Worker, accept, rows, until

pytestmark = pytest.mark.usefixtures("nothing_queued")

TEXTS = {
    "en": "\n\n".join(f"Shelf {n} of the reading room holds the annals of {1392 + n}." for n in range(12)),
    "ko": "\n\n".join(f"열람실의 서가 {n}에는 {1392 + n}년의 실록이 있다." for n in range(12)),
}
SMALL = "sentences 2, 24/3"


def small(services, encoder=None):
    """The same, cutting smaller chunks."""
    settings = services.settings.model_copy(update={"chunk_tokens": 24})
    changed = dataclasses.replace(services, settings=settings)
    return with_encoder(changed, encoder) if encoder else changed


def beside(client, services) -> httpx.AsyncClient:
    """The caller's key at an API with other services."""
    app = create_app(services.settings, services)
    app.state.services = services
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=client.headers, timeout=60)


async def filled(services, new_tenant: NewTenant, **texts: str) -> httpx.AsyncClient:
    """A tenant's client at the API whose chunks are to be small; its documents have large ones."""
    client = await new_tenant()
    async with Worker(services):
        for document_id, text in (texts or TEXTS).items():
            await ingest_text(client, text, id=document_id)
    return beside(client, small(services))


async def shown(client, document_id):
    document = (await client.get(f"/documents/{document_id}")).json()
    chunks = (await client.get(f"/documents/{document_id}/chunks?limit=200")).json()["data"]
    assert len(chunks) == document["chunks"]
    return document, [chunk["text"] for chunk in chunks]


async def rechunk(client, filters=None, **options):
    answer = await client.post("/documents/rechunk", json={"filters": filters} if filters else {}, **options)
    assert answer.status_code in (200, 202), answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    return answer.json()


@pytest.mark.parametrize("language", TEXTS)
async def test_the_same_bytes_are_ingested_again_by_another_splitter(services, new_tenant, owner_url, language):
    client = await filled(services, new_tenant, book=TEXTS[language])
    before, large = await shown(client, "book")
    assert (before["loader"], before["splitter"], before["outdated"]) == (1, "sentences 2, 400/60", True)
    async with Worker(small(services)):
        statuses = [(await ingest_text(client, TEXTS[language], id="book"))["documents"][0]["status"] for _ in range(2)]
    assert statuses == ["succeeded", "unchanged"]
    after, chunks = await shown(client, "book")
    assert (after["splitter"], after["outdated"]) == (SMALL, False)
    assert len(chunks) > len(large) == 1
    assert len(rows(owner_url, "select from staged_chunks")) == 0


async def test_another_version_of_the_loader_is_another_document(services, new_tenant, monkeypatch):
    client = await filled(services, new_tenant)
    monkeypatch.setitem(processing.SPLITTERS, "sentences", 3)
    monkeypatch.setitem(processing.LOADERS, "text/plain", 2)
    async with Worker(small(services)):
        job = await rechunk(client, params={"wait": 60})
    assert (job["kind"], job["status"], job["counts"]["succeeded"], job["documents"]) == ("rechunk", "succeeded", 2, [])
    document, _ = await shown(client, "ko")
    assert (document["loader"], document["splitter"], document["outdated"]) == (2, "sentences 3, 24/3", False)


@pytest.mark.parametrize("index", ["pgvector", "faiss"])
async def test_what_is_outdated_is_made_again_and_found(services, new_tenant, index):
    client = await filled(services, new_tenant)
    settings = services.settings.model_copy(update={"chunk_tokens": 24, "index": index})
    async with open_services(settings) as opened:
        asking = beside(client, opened)
        question = {"input": "Which shelf holds the annals of 1399?", "top_k": 3}
        assert len((await asking.post("/search", json=question)).json()["contexts"]) == 2
        async with Worker(opened):
            one = await rechunk(asking, {"key": "document_id", "op": "eq", "value": "en"}, params={"wait": 60})
            both = await rechunk(asking, params={"wait": 60})
            none = await rechunk(asking, params={"wait": 60})
        assert [job["counts"]["succeeded"] for job in (one, both, none)] == [1, 1, 0]
        assert none["status"] == "succeeded"
        assert none["finished_at"] is not None
        found = (await asking.post("/search", json=question)).json()["contexts"]
        assert len(found) == 3
        assert "1399" in found[0]["text"]
        assert "1392" not in found[0]["text"]
    assert (await shown(client, "en"))[0]["outdated"] is False


async def test_answers_stand_while_it_runs(services, new_tenant):
    client = await filled(services, new_tenant)
    seen = set()
    async with Worker(small(services, SlowEncoder(0.2))):
        job = await rechunk(client)
        while job["status"] not in ("succeeded", "failed"):
            document = (await client.get("/documents/ko")).json()
            seen.add((document["chunks"], document["outdated"]))
            found = (await client.post("/search", json={"input": "1399년의 실록", "mode": "lexical"})).json()[
                "contexts"
            ]
            assert any("1399" in each["text"] for each in found)
            job = (await client.get(f"/jobs/{job['id']}")).json()
    whole = (await shown(client, "ko"))[0]["chunks"]
    assert seen <= {(1, True), (whole, False)}
    assert (1, True) in seen


async def test_killed_workers_leave_each_document_once(services, new_tenant, owner_url, monkeypatch):
    monkeypatch.setattr(pipeline, "BATCH_CHUNKS", 2)
    client = await filled(services, new_tenant)
    job = await rechunk(client)
    one = await queue.claim(services.database, "dead", "rechunk", lease_s=0)
    with pytest.raises(DatabaseUnavailable):
        await ingest(small(services, SlowEncoder(0, fail_on=2)), one)
    assert rows(owner_url, "select count(*) from staged_chunks") == [(2,)]
    assert (await shown(client, one.document_id))[0]["outdated"]
    quick = [small(services, SlowEncoder(0)) for _ in range(2)]
    async with Worker(quick[0]), Worker(quick[1]):
        job = await until(client, job["id"], "succeeded")
    assert job["counts"]["succeeded"] == job["counts"]["total"] == 2
    await sweep(services, older_than_s=0)
    for document_id, text in TEXTS.items():
        document, chunks = await shown(client, document_id)
        assert not document["outdated"]
        assert all(chunks.count(chunk) == 1 and chunk in text for chunk in chunks)
        blob = rows(owner_url, f"select blob from documents where id = '{document_id}'")
        assert all(services.blobs.locate(each).read_text() for (each,) in blob[-1:])
    counted = "select chunk_count from tenants order by id desc limit 1"
    stored = "select count(*) from chunks where tenant_id = (select max(id) from tenants)"
    assert rows(owner_url, counted) == rows(owner_url, stored)


async def test_a_document_that_cannot_be_read_any_more_stays_as_it_was(services, new_tenant, monkeypatch):
    client = await filled(services, new_tenant)
    before = await shown(client, "en")

    async def refuse(*_, **__):
        raise DocumentError("corrupt", "It is damaged.")

    monkeypatch.setattr(pipeline, "load_file", refuse)
    async with Worker(small(services)):
        job = await rechunk(client, params={"wait": 60})
    assert (job["status"], [each["error"]["code"] for each in job["documents"]]) == ("failed", ["corrupt"] * 2)
    assert await shown(client, "en") == before
    monkeypatch.undo()
    async with Worker(small(services)):
        assert (await rechunk(client, params={"wait": 60}))["counts"]["succeeded"] == 2


async def test_what_kills_its_worker_again_and_again_keeps_its_file(services, new_tenant):
    client = await filled(services, new_tenant, one=TEXTS["en"])
    job = await rechunk(client)
    for _ in range(MAX_ATTEMPTS):
        assert await queue.claim(services.database, "dead", "rechunk", lease_s=0) is not None
    async with Worker(small(services)):
        assert (await until(client, job["id"], "failed"))["documents"][0]["error"]["code"] == "internal"
        assert (await rechunk(client, params={"wait": 60}))["status"] == "succeeded"


async def test_a_cancelled_one_leaves_what_there_was(services, new_tenant):
    client = await filled(services, new_tenant)
    before = await shown(client, "en")
    job = await rechunk(client)
    assert (await client.delete(f"/jobs/{job['id']}")).json()["status"] == "cancelled"
    async with Worker(small(services)):
        assert await shown(client, "en") == before
        assert (await rechunk(client, params={"wait": 60}))["counts"]["succeeded"] == 2


async def test_what_is_replaced_or_deleted_meanwhile_stays_so(services, new_tenant):
    client = await filled(services, new_tenant, kept=TEXTS["en"], replaced=TEXTS["en"], deleted=TEXTS["ko"])
    job = await rechunk(client)
    assert (await rechunk(client))["counts"]["total"] == 0
    upload = await accept(client, "Only this.", id="replaced")
    assert (await client.delete("/documents/deleted")).status_code == 204
    async with Worker(small(services)):
        await until(client, upload, "succeeded")
        counts = (await until(client, job["id"], "partial"))["counts"]
    assert (counts["succeeded"], counts["cancelled"]) == (2, 1)
    assert (await shown(client, "replaced"))[1] == ["Only this."]
    assert (await client.get("/documents/deleted")).status_code == 404


async def test_an_upload_that_comes_first_leaves_nothing_to_do(services, new_tenant):
    client = await filled(services, new_tenant, one=TEXTS["en"])
    upload = await accept(client, "Only this.", id="one")
    job = await rechunk(client)
    async with Worker(small(services)):
        await until(client, upload, "succeeded")
        job = await until(client, job["id"], "succeeded")
    assert job["counts"]["unchanged"] == 1
    assert (await shown(client, "one"))[1] == ["Only this."]


@pytest.mark.parametrize("before_02", [False, True])
async def test_what_was_sent_as_text_with_a_title_stays_so(services, new_tenant, owner_url, before_02):
    client = await new_tenant()
    html = "<html><body><p>Not parsed.</p></body></html>"
    body = {"documents": [{"id": "text", "text": html, "title": "Given", "source": "a.html", "metadata": {"a": 1}}]}
    latin = ("가나다.txt", "규장각은 책을 둔 곳이다.".encode("cp949"))
    async with Worker(services):
        await client.post("/ingest?wait=60", json=body)
        await client.post("/ingest?wait=60", files={"file": latin}, data={"id": "file"})
        await client.post("/ingest?wait=60", files={"file": ("a.html", html)}, data={"id": "page"})
    keep = ("id", "source", "title", "media_type", "bytes", "sha256", "metadata", "created_at")
    before = [{name: (await shown(client, each))[0][name] for name in keep} for each in ("text", "file", "page")]
    if before_02:
        with psycopg.connect(owner_url) as connection:
            connection.execute(
                "update documents set loader = null, splitter = null, sent_title = null, sent_type = null"
            )
    client = beside(client, small(services))
    async with Worker(small(services)):
        assert (await rechunk(client, params={"wait": 60}))["counts"]["succeeded"] == 3
        again = (await client.post("/ingest?wait=60", json=body)).json()
    assert again["counts"]["unchanged"] == 1
    after = [{name: (await shown(client, each))[0][name] for name in keep} for each in ("text", "file", "page")]
    assert after == before
    assert [(await shown(client, each))[1][0][:6] for each in ("text", "file", "page")] == [
        "<html>",
        "규장각은 책",
        "Not pa",
    ]


async def test_a_run_over_many_does_not_wait_for_a_worker_that_is_not_there(services, new_tenant, tmp_path):
    client = await filled(services, new_tenant, **{"a.txt": TEXTS["en"]})
    (tmp_path / "a.txt").write_text(TEXTS["en"])
    job = await rechunk(client)
    me = [each for each in rows(services.settings.owner_url, "select slug from tenants order by id desc limit 1")]
    tenant = (await tenant_by_slug(services.database, me[0][0])).number
    complete, cut = asyncio.Event(), small(services)
    complete.set()

    async def engine(claims):
        for claim in claims:
            await ingest(cut, claim)
        return True

    async with asyncio.timeout(30):
        await ingest_in_bulk(cut, tenant, await accepted(services, tenant, tmp_path), engine, complete)
    assert (await client.get(f"/jobs/{job['id']}")).json()["counts"]["succeeded"] == 1
    assert not (await shown(client, "a.txt"))[0]["outdated"]
