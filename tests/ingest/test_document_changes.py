"""Another title or other metadata for a stored document: at once, and its chunks embedded again in the background."""

from __future__ import annotations

import asyncio

import httpx
import psycopg
import pytest

from app.bootstrap import open_services
from app.main import create_app
from ingest.jobs import queue
from ingest.pipeline import ingest
from tests.conftest import NewTenant, ingest_text, with_encoder
from tests.ingest.working import SlowEncoder, Worker, accept, rows, until

pytestmark = pytest.mark.usefixtures("nothing_queued")

# Nothing of the titles is in the texts.
TEXTS = {
    "en": ("Lighthouses of the southern coast", "It was built of granite and stands on a cliff."),
    "ko": ("가덕도 등대 안내", "화강암으로 지었고 절벽 위에 서 있다."),
}
SEARCHED = "select title, new_title, sent_title from documents where id = '{}' order by number desc limit 1"


async def filled(services, new_tenant: NewTenant, **fields) -> httpx.AsyncClient:
    client = await new_tenant()
    async with Worker(services):
        for document_id, (_, text) in TEXTS.items():
            await ingest_text(client, text, id=document_id, **fields)
    return client


async def change(client, document_id, status=None, params=None, **body):
    answer = await client.patch(f"/documents/{document_id}", json=body, params=params)
    assert answer.is_success, answer.text
    changed = answer.json()
    assert answer.status_code == status or status is None
    shown = (await client.get(f"/documents/{document_id}")).json()
    assert {name: value for name, value in changed.items() if name != "job"} == shown
    if changed["job"]:
        assert answer.headers["location"] == f"/jobs/{changed['job']['id']}"
    return changed


async def found(client, words, **more):
    answer = await client.post("/search", json={"input": words, **more})
    return [each["document_id"] for each in answer.json()["contexts"]]


async def test_metadata_counts_at_once(services, new_tenant):
    client = await filled(services, new_tenant, metadata={"branch": "Seoul", "year": 1909})
    before = (await client.get("/documents/en")).json()
    changed = await change(client, "en", 200, metadata={"branch": "부산", "tags": ["new"]})
    assert changed["job"] is None
    assert changed["metadata"] == {"branch": "부산", "tags": ["new"]}
    assert changed["updated_at"] > before["updated_at"]
    for key, op, value, those in (
        ("branch", "eq", "부산", ["en"]), ("branch", "eq", "Seoul", ["ko"]), ("year", "gte", 1900, ["ko"]),
        ("tags", "contains", "new", ["en"]),
    ):  # fmt: skip
        assert await found(client, "granite", filters={"key": f"metadata.{key}", "op": op, "value": value}) == those
    assert (await change(client, "en", 200, metadata={}))["metadata"] == {}
    again = await change(client, "en", 200)
    assert again["updated_at"] == (await change(client, "en", 200, metadata={}))["updated_at"]
    assert not again["outdated"]


@pytest.mark.parametrize("index", ["pgvector", "faiss"])
async def test_a_title_is_shown_at_once_and_searched_when_the_chunks_are_embedded_again(services, new_tenant, index):
    client = await filled(services, new_tenant)
    settings = services.settings.model_copy(update={"index": index})
    async with open_services(settings) as opened:
        app = create_app(settings, opened)
        app.state.services = opened
        asking = httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=client.headers, timeout=60
        )
        for document_id, (title, text) in TEXTS.items():
            own = {"filters": {"key": "document_id", "op": "eq", "value": document_id}}
            scores = []
            assert await found(asking, title, mode="lexical") == []
            changed = await change(asking, document_id, 202, title=title)
            assert (changed["title"], changed["outdated"], changed["job"]["kind"]) == (title, True, "rechunk")
            for _ in range(2):
                hit = (await asking.post("/search", json={"input": title, "mode": "dense", **own})).json()["contexts"]
                assert [(each["title"], each["text"]) for each in hit] == [(title, text)]
                scores.append(hit[0]["score"])
                async with Worker(opened):
                    await until(asking, changed["job"]["id"], "succeeded")
            assert scores[1] > scores[0] + 0.01
            assert await found(asking, title, mode="lexical") == [document_id]
            assert not (await asking.get(f"/documents/{document_id}")).json()["outdated"]


async def test_a_caller_may_wait_for_it_and_repeat_it(services, new_tenant, owner_url):
    client = await filled(services, new_tenant, title="Given")
    one = await change(client, "en", 202, title="Another")
    other = await change(client, "en", 202, title="Another", metadata={"a": 1})
    assert (one["job"]["id"], other["metadata"]) == (other["job"]["id"], {"a": 1})
    async with Worker(services):
        done = await change(client, "en", 200, params={"wait": 60}, title="Another")
        assert (done["job"]["id"], done["job"]["status"]) == (one["job"]["id"], "succeeded")
        assert not done["outdated"]
        again = await change(client, "en", 200, params={"wait": 60}, title="Another")
        assert (again["job"], again["updated_at"]) == (None, done["updated_at"])
    assert rows(owner_url, SEARCHED.format("en")) == [("Another", None, "Another")]
    assert len(rows(owner_url, "select from staged_chunks")) == 0


@pytest.mark.parametrize("last", ["Third", "Given"])
async def test_a_title_that_is_given_while_another_is_embedded_is_what_stays(services, new_tenant, owner_url, last):
    client = await filled(services, new_tenant, title="Given")
    first = await change(client, "en", title="Second")
    claim = await queue.claim(services.database, "slow", "rechunk", lease_s=60)
    read = asyncio.Event()

    class Reading(SlowEncoder):
        def encode(self, texts, kind):
            loop.call_soon_threadsafe(read.set)
            return super().encode(texts, kind)

    loop = asyncio.get_running_loop()
    running = asyncio.create_task(ingest(with_encoder(services, Reading(0.5)), claim))
    await read.wait()
    second = await change(client, "en", 202, title=last)
    assert second["job"]["id"] != first["job"]["id"]
    await running
    assert (await client.get("/documents/en")).json()["title"] == last
    async with Worker(services):
        await until(client, second["job"]["id"], "succeeded")
    assert rows(owner_url, SEARCHED.format("en")) == [(last, None, last)]


@pytest.mark.parametrize("first", ["title", "upload"])
async def test_a_new_version_wins_over_a_title_that_waits(services, new_tenant, owner_url, first):
    client = await filled(services, new_tenant)
    if first == "title":
        changed = await change(client, "en", title="Of the old one")
    upload = await accept(client, "Torn down in 1960.", id="en", title="Of the new one")
    if first == "upload":
        changed = await change(client, "en", title="Of the old one")
    async with Worker(services):
        await until(client, upload, "succeeded")
        await until(client, changed["job"]["id"], "succeeded")
    document = (await client.get("/documents/en")).json()
    chunks = (await client.get("/documents/en/chunks")).json()["data"]
    assert (document["title"], document["outdated"], document["chunks"]) == ("Of the new one", False, 1)
    assert [each["text"] for each in chunks] == ["Torn down in 1960."]
    assert rows(owner_url, SEARCHED.format("en")) == [("Of the new one", None, "Of the new one")]


async def test_it_outlives_a_rechunk_and_the_same_bytes(services, new_tenant):
    client, (title, text) = await filled(services, new_tenant), TEXTS["ko"]
    job = (await change(client, "ko", title=title))["job"]
    await client.delete(f"/jobs/{job['id']}")
    async with Worker(services):
        assert (await ingest_text(client, text, id="ko"))["counts"]["succeeded"] == 1
        assert (await ingest_text(client, text, id="ko"))["counts"]["unchanged"] == 1
        job = (await client.post("/documents/rechunk?wait=60", json={})).json()
        assert job["counts"]["total"] == 0
        assert (await client.get("/documents/ko")).json()["title"] == title
        await ingest_text(client, "다른 글.", id="ko")
    assert (await client.get("/documents/ko")).json()["title"] is None


@pytest.mark.parametrize("before_02", [False, True])
async def test_a_cancelled_job_leaves_a_document_that_a_rechunk_mends(services, new_tenant, owner_url, before_02):
    client, (title, _) = await filled(services, new_tenant, title="Given"), TEXTS["en"]
    if before_02:
        with psycopg.connect(owner_url) as connection:
            connection.execute(
                "update documents set loader = null, splitter = null, sent_title = null, sent_type = null"
            )
    changed = await change(client, "en", title=title)
    assert (await client.delete(f"/jobs/{changed['job']['id']}")).json()["status"] == "cancelled"
    assert (await client.get("/documents/en")).json()["outdated"]
    async with Worker(services):
        job = (await client.post("/documents/rechunk?wait=60", json={})).json()
    assert job["counts"]["succeeded"] == (2 if before_02 else 1)
    document = (await client.get("/documents/en")).json()
    assert (document["title"], document["outdated"]) == (title, False)
    assert rows(owner_url, SEARCHED.format("en")) == [(title, None, title)]
    assert rows(owner_url, SEARCHED.format("ko")) == [("Given", None, "Given")]


async def test_titles_one_after_the_other_wait_in_one_place(services, new_tenant):
    client = await filled(services, new_tenant)
    ids = {(await change(client, "en", title=f"Title {n}"))["job"]["id"] for n in range(5)}
    assert len(ids) == 1
    assert (await change(client, "ko", title="Another"))["job"]["id"] not in ids
    async with Worker(services):
        await until(client, ids.pop(), "succeeded")
    assert await found(client, "Title 4", mode="lexical") == ["en"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"title": None}, "/title"), ({"title": ""}, "/title"), ({"title": " \t"}, "/title"),
        ({"title": "a\nb"}, "/title"), ({"title": "가" * 501}, "/title"), ({"title": 1}, "/title"),
        ({"metadata": None}, "/metadata"), ({"metadata": []}, "/metadata"), ({"metadata": {"": 1}}, "/metadata"),
        ({"metadata": {"a": "x" * 17_000}}, "/metadata"), ({"collection": "c"}, "/collection"),
        ({"text": "t"}, "/text"),
    ],
)  # fmt: skip
async def test_what_does_not_fit_changes_nothing(services, new_tenant, body, pointer):
    client = await new_tenant()
    answer = await client.patch("/documents/none", json=body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_it_takes_the_scope_ingest_and_the_tenants_own_document(services, new_tenant):
    client = await filled(services, new_tenant)
    other, reading = await new_tenant(), await new_tenant(scopes=("query", "read"))
    assert (await other.patch("/documents/en", json={"title": "Mine"})).status_code == 404
    assert (await reading.patch("/documents/en", json={"title": "Mine"})).status_code == 403
    assert (await client.get("/documents/en")).json()["title"] is None
