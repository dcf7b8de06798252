"""Evaluations of answers over HTTP. No worker runs here."""

from __future__ import annotations

import pytest

from app.storage.tenants import SCOPES
from ingest.jobs import queue
from tests.conftest import NewTenant

pytestmark = pytest.mark.usefixtures("no_open_tasks")

CASES = [
    {"id": "hours", "input": "언제 여나요?", "expected": "아홉 시", "documents": ["hours"]},
    {"input": "Is there coffee?", "answerable": False},
]


async def test_an_evaluation_is_a_task(services, new_tenant: NewTenant):
    client = await new_tenant(scopes=SCOPES)
    assert (await client.put("/prompts/short", json={"persona": "Be brief."})).is_success
    body = {"cases": CASES, "compare": [{}, {"prompt": "short", "top_k": 3}], "repeats": 2}
    headers = {"Idempotency-Key": "once"}
    answer = await client.post("/evaluations", json=body, headers=headers)
    job = answer.json()
    assert (answer.status_code, answer.headers["location"]) == (202, f"/evaluations/{job['id']}")
    assert (job["kind"], job["status"], job["adapter"]) == ("evaluate", "queued", None)
    again = await client.post("/evaluations", json=body, headers=headers)
    assert (again.json()["id"], again.headers["idempotency-replayed"]) == (job["id"], "true")
    task = await queue.claim(services.database, "w", "evaluate", lease_s=60)
    assert (task.name, task.spec["compare"], task.spec["repeats"]) == ("", body["compare"], 2)
    assert task.spec["cases"][0]["expected"] == ["아홉 시"]
    assert (await client.get(answer.headers["location"])).json()["status"] == "running"
    assert (await client.delete(answer.headers["location"])).status_code == 409
    await queue.finish(services.database, task, {"ways": []})
    assert (await client.get(answer.headers["location"])).json()["result"] == {"ways": []}
    assert [each["id"] for each in (await client.get("/evaluations")).json()["data"]] == [job["id"]]
    assert (await client.delete(answer.headers["location"])).status_code == 204
    assert (await client.get("/evaluations")).json()["data"] == []


async def test_another_job_is_no_evaluation(new_tenant: NewTenant):
    client = await new_tenant(scopes=SCOPES)
    upload = (await client.post("/ingest", json={"documents": [{"text": "A text."}]})).json()["id"]
    assert (await client.get(f"/evaluations/{upload}")).status_code == 404
    assert (await client.get("/evaluations")).json()["data"] == []


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"cases": []}, "/cases"),
        ({"cases": [{"input": " "}]}, "/cases/0/input"),
        ({"cases": [{"input": "x", "documents": ["a\x00"]}]}, "/cases/0/documents/0"),
        ({"cases": [{"input": "x", "values": ["1"], "answerable": False}]}, "/cases/0"),
        ({"compare": [{}] * 5}, "/compare"),
        ({"compare": [{"colour": "red"}]}, "/compare/0/colour"),
        ({"compare": [{}, {"prompt": "none"}]}, "/compare/1/prompt"),
        ({"compare": [{"adapter": "none@1"}]}, "/compare/0/adapter"),
        ({"compare": [{"adapter": "no name"}]}, "/compare/0/adapter"),
        ({"cases": [CASES[1]] * 500, "compare": [{}] * 4, "repeats": 3}, ""),
        ({"judge": {"samples": [{"input": "x", "expected": "y", "answer": "z"}]}}, "/judge/samples/0/right"),
    ],
)
async def test_a_bad_evaluation_is_refused_before_it_begins(new_tenant: NewTenant, change, pointer):
    client = await new_tenant(scopes=SCOPES)
    answer = await client.post("/evaluations", json={"cases": CASES} | change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith(pointer)
    assert (await client.get("/evaluations")).json()["data"] == []


async def test_a_judge_needs_an_engine(new_tenant: NewTenant):
    client = await new_tenant(scopes=SCOPES)
    answer = await client.post("/evaluations", json={"cases": CASES, "judge": {}})
    assert (answer.status_code, answer.json()["code"]) == (409, "conflict")
