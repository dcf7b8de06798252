"""Collections: a document is in exactly one, questions are asked in one, and each has defaults of its own."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import Conflict
from app.storage import collection_moves, collections, job_creation
from app.storage.jobs import Upload
from app.storage.tenants import tenant_by_slug
from tests.conftest import ingest_text
from tests.ingest.made.holding import mail

pytestmark = pytest.mark.usefixtures("worker")

LEAVE = "Employees have 23 days of leave a year."
DIET = "The canteen serves soup on Fridays."


async def made(new_tenant, *ids: str, **fields):
    client = await new_tenant()
    for each in ids:
        answer = await client.post("/collections", json={"id": each, **fields})
        assert answer.status_code == 201, answer.text
    return client


async def placed(client, **query) -> dict[str, str]:
    """Which collection each document is in."""
    found = (await client.get("/documents", params={"limit": 200, **query})).json()["data"]
    return {each["id"]: each["collection"] for each in found}


async def among(client, key: str, op: str, value) -> set[str]:
    body = {"input": "How many days of leave are there?", "filters": {"key": key, "op": op, "value": value}}
    return {each["document_id"] for each in (await client.post("/search", json=body)).json()["contexts"]}


async def test_the_life_of_a_collection(new_tenant):
    client = await made(new_tenant, "인사", name="인사팀", defaults={"top_k": 3, "language": "ko"})
    again = await client.post("/collections", json={"id": "인사"})
    assert (again.status_code, again.json()["code"]) == (409, "conflict")
    assert (await client.post("/collections", json={"id": "default"})).status_code == 409
    shown = (await client.get("/collections/인사")).json()
    assert (shown["name"], shown["defaults"], shown["documents"]) == ("인사팀", {"top_k": 3, "language": "ko"}, 0)
    listed = (await client.get("/collections?limit=1")).json()
    assert [each["id"] for each in listed["data"]] == ["default"]
    rest = (await client.get("/collections", params={"cursor": listed["next_cursor"]})).json()
    assert [each["id"] for each in rest["data"]] == ["인사"]
    changed = await client.patch("/collections/인사", json={"defaults": {"mode": "lexical"}})
    assert (changed.json()["name"], changed.json()["defaults"]) == ("인사팀", {"mode": "lexical"})
    assert (await client.patch("/collections/인사", json={"name": None})).json()["name"] is None
    assert (await client.patch("/collections/default", json={"name": "Everything else"})).status_code == 200
    assert (await client.get("/collections/default")).json()["name"] == "Everything else"
    assert (await client.delete("/collections/인사")).status_code == 204
    assert (await client.get("/collections/인사")).status_code == 404


async def test_the_same_request_makes_it_once(new_tenant):
    client = await new_tenant()
    headers = {"Idempotency-Key": "once"}
    answers = [await client.post("/collections", json={"id": "hr"}, headers=headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert [each.headers.get("Idempotency-Replayed") for each in answers] == [None, "true"]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"id": "a/b"}, "/id"),
        ({"id": ""}, "/id"),
        ({"id": "x" * 64}, "/id"),
        ({"id": "hr", "defaults": {"top_k": 0}}, "/defaults/top_k"),
        ({"id": "hr", "defaults": {"temperature": 1}}, "/defaults/temperature"),
        ({"id": "hr", "defaults": {"prompt": "no-such"}}, "/defaults/prompt"),
    ],
)
async def test_what_is_no_collection_is_refused(tenant, body, pointer):
    refused = await tenant.post("/collections", json=body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)


async def test_a_document_is_in_exactly_one(new_tenant):
    client = await made(new_tenant, "hr", "kitchen")
    await ingest_text(client, LEAVE, id="leave", collection="hr")
    await ingest_text(client, DIET, id="diet")
    assert await placed(client) == {"leave": "hr", "diet": "default"}
    # The same bytes, named for another place, are moved; other bytes stay where the document is.
    await ingest_text(client, LEAVE, id="leave", collection="kitchen")
    assert await placed(client) == {"leave": "kitchen", "diet": "default"}
    await ingest_text(client, f"{LEAVE} Ask early.", id="leave")
    assert await placed(client) == {"leave": "kitchen", "diet": "default"}
    await ingest_text(client, f"{LEAVE} Ask late.", id="leave", collection="default")
    assert await placed(client) == {"leave": "default", "diet": "default"}
    patched = await client.patch("/documents/leave", json={"collection": "hr"})
    assert (patched.json()["collection"], patched.json()["job"]) == ("hr", None)
    counts = {each["id"]: each["documents"] for each in (await client.get("/collections")).json()["data"]}
    assert counts == {"default": 1, "hr": 1, "kitchen": 0}


async def test_an_unknown_collection_is_refused(new_tenant):
    client = await made(new_tenant, "hr")
    stranger = await made(new_tenant, "secret")
    await ingest_text(client, LEAVE, id="leave")
    for each in ("secret", "no-such"):
        filters = {"key": "collection", "op": "eq", "value": each}
        answers = [
            await client.post("/ingest", json={"documents": [{"text": "x", "collection": each}]}),
            await client.post("/ingest", files={"file": ("x.txt", b"x")}, data={"collection": each}),
            await client.patch("/documents/leave", json={"collection": each}),
            await client.post("/search", json={"input": "leave", "collection": each}),
            await client.post("/query", json={"input": "leave", "collection": each}),
        ]
        assert [(answer.status_code, answer.json()["errors"][0]["pointer"]) for answer in answers] == [
            (422, "/collection")
        ] * 5
        moved = await client.post(f"/collections/{each}/documents", json={"filters": filters})
        assert moved.status_code == 422
        assert (await client.post("/search", json={"input": "leave", "filters": filters})).json()["contexts"] == []
    assert (await stranger.get("/collections/secret")).status_code == 200


async def test_filters_and_questions_keep_to_it(new_tenant):
    client = await made(new_tenant, "hr", "kitchen")
    await ingest_text(client, LEAVE, id="leave", collection="hr")
    await ingest_text(client, DIET, id="diet", collection="kitchen")
    await ingest_text(client, "Leave the door open.", id="door")
    assert await among(client, "collection", "eq", "hr") == {"leave"}
    assert await among(client, "collection", "in", ["hr", "default"]) == {"leave", "door"}
    assert await among(client, "collection", "ne", "default") == {"leave", "diet"}
    assert set(await placed(client, filters='{"key": "collection", "op": "eq", "value": "default"}')) == {"door"}
    refused = await client.post(
        "/search", json={"input": "x", "filters": {"key": "collection", "op": "gt", "value": "a"}}
    )
    assert refused.status_code == 422
    for mode in ("dense", "lexical", "hybrid"):
        body = {"input": "How many days of leave are there?", "collection": "kitchen", "mode": mode}
        found = (await client.post("/search", json=body)).json()["contexts"]
        assert {each["document_id"] for each in found} <= {"diet"}
    both = {"collection": "hr", "filters": {"key": "document_id", "op": "eq", "value": "diet"}}
    assert (await client.post("/search", json={"input": "soup", **both})).json()["contexts"] == []
    asked = {"model": "default", "messages": [{"role": "user", "content": "How many days of leave?"}]}
    answer = (await client.post("/v1/chat/completions", json={**asked, "collection": "kitchen"})).json()
    assert "23" not in str(answer["choices"])
    answer = (await client.post("/v1/chat/completions", json={**asked, "collection": "hr"})).json()
    assert "23" in str(answer["choices"])


async def test_its_defaults_fill_what_a_question_leaves_out(new_tenant):
    client = await new_tenant()
    await client.put("/prompts/desk", json={"persona": "You keep the desk of the personnel office."})
    defaults = {"prompt": "desk", "top_k": 1, "mode": "lexical", "min_score": 0.01, "language": "ko"}
    await client.post("/collections", json={"id": "hr", "defaults": defaults})
    for number in range(3):
        await ingest_text(client, f"Rule {number}: leave is booked in March.", id=f"rule-{number}", collection="hr")
    asked = {"input": "When is leave booked?", "collection": "hr"}
    assert len((await client.post("/search", json=asked)).json()["contexts"]) == 1
    assert len((await client.post("/search", json={**asked, "top_k": 3})).json()["contexts"]) == 3
    # By words nothing is found that stands in none of them, by meaning something always is.
    other = {**asked, "input": "xylophone"}
    assert (await client.post("/search", json=other)).json()["contexts"] == []
    assert len((await client.post("/search", json={**other, "mode": "dense", "min_score": None})).json()["contexts"])
    shown = (await client.post("/query", json={**asked, "dry_run": True})).json()
    assert (shown["prompt"]["name"], len(shown["contexts"])) == ("desk", 1)
    assert "personnel office" in str(shown["messages"])
    own = (await client.post("/query", json={**asked, "prompt": None, "dry_run": True})).json()
    assert own["prompt"]["name"] is None


async def test_many_documents_move_in_one_call_with_what_they_hold(new_tenant):
    client = await made(new_tenant, "old", "new")
    letter = mail(("notes.txt", b"The lock code is 8831."))
    sent = await client.post(
        "/ingest?wait=60", files={"file": ("letter.eml", letter)}, data={"id": "letter", "collection": "old"}
    )
    assert sent.json()["counts"]["succeeded"] == 2
    for number in range(3):
        await ingest_text(client, f"Page {number}.", id=f"page-{number}", collection="old")
    assert await placed(client) == dict.fromkeys(("letter", "letter/notes.txt", "page-0", "page-1", "page-2"), "old")
    filters = {"key": "document_id", "op": "in", "value": ["letter", "page-0", "no-such"]}
    moved = await client.post("/collections/new/documents", json={"filters": filters})
    assert moved.json() == {"moved": 2}
    assert await placed(client, filters='{"key": "collection", "op": "eq", "value": "new"}') == dict.fromkeys(
        ("letter", "letter/notes.txt", "page-0"), "new"
    )
    await client.patch("/documents/letter", json={"collection": "default"})
    assert (await placed(client))["letter/notes.txt"] == "default"


async def test_only_an_empty_one_is_deleted_unasked(new_tenant):
    client = await made(new_tenant, "hr", "kitchen")
    await ingest_text(client, LEAVE, id="leave", collection="hr")
    await ingest_text(client, DIET, id="diet", collection="kitchen")
    refused = await client.delete("/collections/hr")
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert (await client.delete("/collections/default?documents=delete")).status_code == 409
    assert (await client.delete("/collections/hr?documents=delete")).status_code == 204
    assert await placed(client) == {"diet": "kitchen"}
    found = (await client.post("/search", json={"input": "How many days of leave?"})).json()["contexts"]
    assert {each["document_id"] for each in found} == {"diet"}
    assert (await client.delete("/collections/hr?documents=delete")).status_code == 404


async def test_what_is_accepted_for_it_keeps_it(new_tenant, services):
    """Deleted while an upload to it is being accepted, it waits for that one and stays."""
    client = await new_tenant("racing")
    await client.post("/collections", json={"id": "hr"})
    number = (await tenant_by_slug(services.database, "racing")).number
    upload = Upload("late", f"{number}/none", 1, b"late", None, collection="hr")
    async with services.database.transaction(number) as connection:
        await collections.keep(connection, number, ["hr"])
        deletion = asyncio.create_task(
            collection_moves.delete_collection(services.database, number, "hr", with_documents=False)
        )
        await asyncio.sleep(0.2)
        assert not deletion.done()
        await job_creation.insert_job(connection, number, job_creation.new_id(), [upload])
    with pytest.raises(Conflict):
        await deletion
    assert (await client.delete("/collections/hr?documents=delete")).status_code == 204
    job = (await client.get("/jobs")).json()["data"][0]
    assert job["counts"]["cancelled"] == 1
