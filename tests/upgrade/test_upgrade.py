"""What version 0.1 has left in a database and a home, after today's `migrate` and today's worker."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import AsyncIterator

import psycopg
import pytest

from app.settings import Settings
from ingest import tenant_deletion
from ingest.cleanup import remove_noted
from tests.conftest import home_with, with_database
from tests.scripted import Script
from tests.stack import ADMIN_KEY
from tests.upgrade.restoring import DUMP, Upgraded, holds, restore_database, restore_home, upgraded
from tests.upgrade.sending import HOURS, MODEL, REPLIES, WAITING, Said, sent, texts, training

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
# Of each document what finds it and what only it says.
LIBRARY = {
    "hours-en": ("When is the reading room closed?", "Mondays"),
    "hours-ko": ("열람실은 언제 쉬나요?", "월요일에는 쉰다"),
    "doc_6876ef13f2d0fd22968acf381b0f38d3": ("Guide", "Bags stay"),
    "long-en": ("Which shelf holds 588 volumes?", "Shelf 84 of the tower"),
    "long-ko": ("항만 연감 21권은 어느 서가에 있나요?", "3번 서가에는 항만 연감 21권"),
    "again": ("When is the reading room closed?", "Mondays"),
    "first": ("When is the reading room closed?", "Mondays"),
    "second": ("열람실은 언제 쉬나요?", "월요일에는 쉰다"),
    "waiting-en": ("When was the lighthouse of Gadeok lit?", "December 1909"),
    "waiting-ko": ("가덕도 등대는 언제 불을 밝혔나요?", "1909년 12월"),
}
ARCHIVE = {
    "hours-en": ("When does the harbour office open?", "항만청은 열한 시에 연다"),
    "begun": ("열람실은 언제 쉬나요?", "월요일에는 쉰다"),
    "run-en": ("When is the reading room closed?", "Mondays"),
    "run-ko": ("열람실은 언제 쉬나요?", "월요일에는 쉰다"),
}
DOCUMENTS = {"library": LIBRARY, "archive": ARCHIVE}


@pytest.fixture(scope="module")
async def opened(postgres, scratch, models) -> AsyncIterator[Upgraded]:
    name = f"upgrade_{secrets.token_hex(4)}"
    url = with_database(postgres.owner_url, name)
    from tests.ingest.tune import tiny  # torch takes seconds, which collecting need not wait for

    base, home = tiny.make(scratch / f"base-of-{name}"), home_with(models, scratch / name)
    script = await Script(replies=REPLIES, said=Said()).start()
    with psycopg.connect(postgres.owner_url, autocommit=True) as connection:
        connection.execute(f"create database {name}")
        restore_database(DUMP, url)
        restore_home(DUMP, home, base)
        settings = Settings(
            database_url=url, home=home, admin_key=ADMIN_KEY, llm_url=script.url, base_model=base, model=MODEL,
            lease_s=2, chunk_tokens=48, tune_threads=1,
        )  # fmt: skip
        async with upgraded(settings, script, json.loads((DUMP / "expected.json").read_text())) as opened:
            yield opened
        connection.execute(f"drop database {name} with (force)")
    await script.kill()


async def test_what_was_finished_reads_as_before(opened):
    found = opened.expected["finished"]
    kinds = {job["kind"]: job["status"] for job in found.values()}
    assert kinds == {"ingest": "succeeded", "tune": "succeeded", "evaluate": "succeeded"}
    for job_id, then in found.items():
        tenant = "archive" if job_id == opened.expected["jobs"]["other's"] else "library"
        now = sent(await opened.client(tenant).get(f"/jobs/{job_id}"))
        assert holds(now, then), (now, then)


@pytest.mark.parametrize("tenant", DOCUMENTS)
async def test_jobs_are_listed_in_their_old_order(opened, tenant):
    client, listed, cursor = opened.client(tenant), [], ""
    while cursor is not None:
        page = sent(await client.get("/jobs", params={"limit": 3, **({"cursor": cursor} if cursor else {})}))
        listed += [job["id"] for job in page["data"]]
        cursor = page["next_cursor"]
    assert listed == opened.expected["order"][tenant]


@pytest.mark.parametrize(
    ("name", "tenant", "documents"),
    [
        ("half-en", "library", ["long-en"]),
        ("half-ko", "library", ["long-ko"]),
        ("again", "library", ["again"]),
        ("partly", "library", ["first", "second"]),
        ("waiting", "library", ["waiting-en", "waiting-ko"]),
        ("begun", "archive", ["begun"]),
        ("of a run", "archive", ["run-en", "run-ko"]),
        ("newer", "archive", ["hours-en"]),
        ("newest", "archive", ["hours-en"]),
    ],
)
async def test_documents_under_way_are_ingested(opened, name, tenant, documents):
    job = await opened.job(name, tenant)
    assert job["status"] == "succeeded", job
    chunks = [opened.expected["chunks"].get(each, 1) for each in documents]
    assert [
        (each["id"], each["status"], each["chunks"], each["chunks_done"], each["error"]) for each in job["documents"]
    ] == [(each, "succeeded", many, many, None) for each, many in zip(documents, chunks, strict=True)]


async def test_a_document_at_which_workers_died_five_times_has_failed(opened):
    job = await opened.job("worn out", "archive")
    (document,) = job["documents"]
    assert (job["status"], document["status"], document["error"]["code"]) == ("failed", "failed", "internal")


async def test_what_was_cancelled_stays_so(opened):
    for name in ("cancelled", "untrained"):
        assert (await opened.job(name))["status"] == "cancelled"


@pytest.mark.parametrize("tenant", DOCUMENTS)
async def test_every_document_is_there_once_with_each_of_its_chunks(opened, tenant):
    client, total = opened.client(tenant), 0
    documents = {each["id"]: each for each in sent(await client.get("/documents?limit=200"))["data"]}
    assert documents.keys() == DOCUMENTS[tenant].keys()
    for name, document in documents.items():
        chunks = sent(await client.get(f"/documents/{name}/chunks?limit=200"))["data"]
        assert [chunk["ord"] for chunk in chunks] == list(range(opened.expected["chunks"].get(name, 1)))
        assert document["chunks"] == len(chunks)
        total += len(chunks)
    tenants = sent(await opened.anonymous.get("/tenants", headers=OPERATOR))["data"]
    assert {each["id"]: each["chunks"] for each in tenants}[tenant] == total


@pytest.mark.parametrize("tenant", DOCUMENTS)
async def test_each_chunk_is_its_span_of_the_text_which_is_rebuilt_for_those_from_before(opened, tenant):
    client = opened.client(tenant)
    for name in DOCUMENTS[tenant]:
        document, found = [sent(await client.get(f"/documents/{name}{part}")) for part in ("", "/text")]
        chunks = sent(await client.get(f"/documents/{name}/chunks?limit=200"))["data"]
        assert [found["text"][each["span"]["start"] : each["span"]["end"]] for each in chunks] == [
            each["text"] for each in chunks
        ]
        assert found.get("rebuilt", False) == (document["loader"] is None)


@pytest.mark.parametrize("tenant", DOCUMENTS)
@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
async def test_every_document_is_found(opened, tenant, mode):
    client = opened.client(tenant, "query")
    for document, (query, text) in DOCUMENTS[tenant].items():
        # Two have the same text, and copies of a text are found once.
        own = {"key": "document_id", "op": "eq", "value": document}
        asked = {"input": query, "mode": mode, "top_k": 20, "filters": own}
        found = sent(await client.post("/search", json=asked))["contexts"]
        assert [each for each in found if each["document_id"] == document and text in each["text"]], (document, found)


@pytest.mark.parametrize("tenant", DOCUMENTS)
async def test_the_file_of_every_document_is_there_as_it_was_uploaded(opened, tenant):
    with psycopg.connect(opened.services.settings.owner_url) as connection:
        connection.execute("set role kyujang_backup")
        query = "select d.id, d.sha256 from documents d join tenants t on t.id = d.tenant_id where t.slug = %s"
        stored = dict(connection.execute(query, [tenant]).fetchall())
    assert stored.keys() == DOCUMENTS[tenant].keys()
    for document, digest in stored.items():
        content = (await opened.client(tenant).get(f"/documents/{document}/content")).content
        assert hashlib.sha256(content).digest() == digest


async def test_the_last_upload_of_a_document_is_what_stays(opened):
    chunks = sent(await opened.client("archive").get("/documents/hours-en/chunks"))["data"]
    assert [chunk["text"] for chunk in chunks] == ["The harbour office opens at eleven. 항만청은 열한 시에 연다."]
    chunks = sent(await opened.client("library").get("/documents/hours-en/chunks"))["data"]
    assert [chunk["text"] for chunk in chunks] == [HOURS["en"]]


async def test_no_tenant_sees_another_s(opened):
    for one, other in (("library", "archive"), ("archive", "library")):
        client = opened.client(one)
        for job_id in opened.expected["order"][other]:
            assert (await client.get(f"/jobs/{job_id}")).status_code == 404
            assert (await client.delete(f"/jobs/{job_id}")).status_code == 404
        found = sent(await client.post("/search", json={"input": "harbour office lighthouse", "top_k": 100}))
        assert {each["document_id"] for each in found["contexts"]} <= DOCUMENTS[one].keys()
    harbour = {"input": "When does the harbour office open?", "mode": "lexical", "top_k": 100}
    found = sent(await opened.client("library").post("/search", json=harbour))["contexts"]
    assert not [each for each in found if "harbour office" in each["text"]]


async def test_keys_are_worth_what_they_were(opened):
    asking = opened.client("library", "query")
    assert (await asking.post("/search", json={"input": "hours"})).status_code == 200
    refused = await asking.post("/ingest", json={"documents": [{"text": "x"}]})
    assert refused.status_code == 403
    for key in ("revoked", "expired"):
        assert (await opened.client("library", key).post("/search", json={"input": "hours"})).status_code == 401


async def test_a_request_that_comes_again_is_the_old_job(opened):
    client, jobs = opened.client("library"), opened.expected["jobs"]
    again = {
        "stored": await texts(client, key="twice", **{"hours-en": HOURS["en"], "hours-ko": HOURS["ko"]}),
        "waiting": await texts(client, key="waiting", **WAITING),
        "trained": await training(client, "trained", 3, key="trained"),
    }
    assert {name: job["id"] for name, job in again.items()} == {name: jobs[name] for name in again}


async def test_an_evaluation_goes_on_where_it_was(opened):
    report = (await opened.job("evaluating"))["result"]
    assert (report["adapter"], report["cases"], report["summary"]["base"]["errors"]) == ("tone@1", 6, 0)
    assert (await opened.job("to evaluate"))["result"]["cases"] == 2
    # Of the first the last case, of the second both: without the adapter and with it.
    assert len(opened.asked) == 2 * (1 + 2)


async def test_a_training_goes_on_where_it_was(opened):
    job = await opened.job("training")
    assert (job["status"], job["kind"], job["result"]["steps"]) == ("succeeded", "tune", 200), job
    assert 20 <= job["progress"]["resumed_at"] < 200
    steps = [point["step"] for point in job["progress"]["curve"] if "loss" in point]
    assert steps == list(range(1, 201))
    assert (await opened.job("to train"))["adapter"] == {"name": "queued", "version": 1}
    picture = await opened.client("library").get(f"/jobs/{opened.expected['jobs']['trained']}/loss.png")
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/png")


async def test_adapters_are_checked_once(opened):
    found = sent(await opened.client("library").get("/adapters"))["data"]
    assert [(each["name"], each["version"], each["status"], each["active"]) for each in found] == [
        ("broken", 1, "rejected", False),
        ("half", 1, "ready", False),
        ("queued", 1, "ready", False),
        ("resumed", 1, "ready", False),
        ("style", 1, "ready", False),
        ("tone", 2, "ready", False),
        ("tone", 1, "ready", True),
        ("trained", 1, "ready", False),
    ]
    found = sent(await opened.client("archive").get("/adapters"))["data"]
    assert [(each["name"], each["version"], each["status"]) for each in found] == [("tone", 1, "ready")]
    listed = sent(await opened.client("library").get("/adapters/tone/evaluations"))["data"]
    assert len(listed) == 3


async def test_the_active_adapter_and_the_active_prompt_answer(opened):
    client = opened.client("library")
    answer = sent(await client.post("/query", json={"input": "When does the reading room open?"}))
    assert answer["adapter"] == "tone@1"
    assert "Be brief." in json.dumps(opened.script.asked[-1])
    assert "polite" not in json.dumps(opened.script.asked[-1])
    prompts = sent(await client.get("/prompts"))["data"]
    assert prompts == [{"name": "house", "versions": [1, 2], "active": 1, "default": True}]


async def test_no_file_and_no_staged_chunk_is_left(opened):
    settings = opened.services.settings
    await remove_noted(opened.services)
    kept = [path for path in settings.blobs.rglob("*") if path.is_file()]
    assert len(kept) == len(LIBRARY) + len(ARCHIVE)
    assert list(settings.trainings.iterdir()) == []
    with psycopg.connect(settings.owner_url) as connection:
        connection.execute("set role kyujang_service")
        for tenant in range(1, 4):
            connection.execute("select set_config('app.tenant', %s, false)", [str(tenant)])
            assert connection.execute("select count(*) from staged_chunks").fetchone() == (0,)


async def test_a_tenant_goes_with_all_its_jobs(opened, monkeypatch):
    """Last, since the others need it."""
    monkeypatch.setattr(tenant_deletion, "SETTLED_S", -60)
    assert (await opened.anonymous.delete("/tenants/archive", headers=OPERATOR)).status_code == 202
    assert (await opened.client("archive").get("/jobs")).status_code == 401
    assert await tenant_deletion.delete_next(opened.services, "worker")
    deletion = sent(await opened.anonymous.get("/tenants/archive/deletion", headers=OPERATOR))
    assert deletion["status"] == "succeeded", deletion
    assert min(deletion["deleted"][kind] for kind in ("documents", "chunks", "jobs", "keys")) > 0
    listed = sent(await opened.client("library").get("/jobs?limit=200"))["data"]
    assert [job["id"] for job in listed] == opened.expected["order"]["library"]
