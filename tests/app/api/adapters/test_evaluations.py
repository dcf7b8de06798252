"""Evaluations of adapters over HTTP: jobs like those of documents."""

from __future__ import annotations

import pytest

from ingest.jobs import queue
from tests.app.api.adapters.sending import ready
from tests.app.api.test_job_events import parsed

pytestmark = pytest.mark.usefixtures("no_open_tasks")


async def test_an_evaluation_is_a_job(client, services, number):
    await ready(services, number)
    cases = [{"input": "언제 여나요?", "expected": "아홉 시"}, {"input": "When?", "expected": ["nine", "9"]}]
    body = {"cases": cases, "max_tokens": 40}
    headers = {"Idempotency-Key": "eval-1"}
    answer = await client.post("/adapters/tone/evaluate", json=body, headers=headers)
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    assert (job["kind"], job["status"], job["adapter"]) == ("evaluate", "queued", {"name": "tone", "version": 1})
    assert (job["counts"]["queued"], job["counts"]["total"], job["documents"]) == (1, 1, [])
    again = await client.post("/adapters/tone/evaluate", json=body, headers=headers)
    assert again.json()["id"] == job["id"]
    task = await queue.claim(services.database, "w", "evaluate", lease_s=60)
    assert task.spec.items() >= body.items()
    await queue.record(services.database, task, progress={"done": 1, "total": 2})
    assert (await client.get(f"/jobs/{job['id']}")).json()["progress"] == {"done": 1, "total": 2}
    await queue.finish(services.database, task, {"base": {"f1": 0.1}, "adapter": {"f1": 0.9}})
    done = (await client.get(f"/jobs/{job['id']}")).json()
    assert (done["status"], done["result"]["adapter"]["f1"]) == ("succeeded", 0.9)
    listed = (await client.get("/adapters/tone/evaluations")).json()["data"]
    assert [each["id"] for each in listed] == [job["id"]]
    events = parsed((await client.get(f"/jobs/{job['id']}/events")).text)
    assert events[-1][0] == "done"
    assert events[-1][-1]["result"] == done["result"]


async def test_jobs_of_both_kinds_are_one_list(client, services, number):
    await ready(services, number)
    made = []
    for n in range(3):
        made.append((await client.post("/ingest", json={"documents": [{"text": f"{n}"}]})).json()["id"])
        made.append((await client.post("/adapters/tone/evaluate", json={"cases": [{"input": "x"}]})).json()["id"])
    found, cursor = [], None
    while True:
        page = (await client.get("/jobs", params={"limit": 4, **({"cursor": cursor} if cursor else {})})).json()
        found += page["data"]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
    assert [each["id"] for each in found] == made[::-1]
    assert [each["kind"] for each in found] == ["evaluate", "ingest"] * 3
    cancelled = await client.delete(f"/jobs/{made[1]}")
    assert cancelled.json()["status"] == "cancelled"


BAD_CASES = [
    {"cases": []},
    {"cases": [{"input": "x"}] * 501},
    {"cases": [{"input": " "}]},
    {"cases": [{"input": "x", "colour": "red"}]},
    {"cases": [{"input": "x", "expected": [""]}]},
    {"cases": [{"input": "x"}], "max_tokens": 0},
    {"cases": [{"input": "x"}], "version": 0},
    {"version": 1},
]


@pytest.mark.parametrize("body", BAD_CASES)
async def test_bad_cases_are_refused(client, body):
    answer = await client.post("/adapters/tone/evaluate", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")
