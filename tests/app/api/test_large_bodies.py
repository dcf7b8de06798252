"""A large body is read in a thread: the other requests do not wait for it."""

from __future__ import annotations

import json
import time

MOST_S = 0.05


async def test_a_large_body_does_not_hold_the_event_loop(tenant):
    documents = [{"text": "규장각은 1776년에 세워졌다. " * 200_000}, {"text": "x", "colour": 1}]
    sent = json.dumps({"documents": documents}, ensure_ascii=False).encode()
    seconds = []
    for _ in range(5):
        started = time.thread_time()
        answer = await tenant.post("/ingest", content=sent, headers={"content-type": "application/json"})
        seconds.append(time.thread_time() - started)
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["pointer"] == "/documents/1/colour"
    assert min(seconds) < MOST_S, seconds


async def test_more_errors_than_anyone_reads_are_counted_and_not_named(tenant):
    for count in (3, 2000, 60_000):
        body = {"input": "x", **{f"k{n}": n for n in range(count)}}
        problem = (await tenant.post("/search", json=body)).json()
        assert (problem["status"], problem["code"]) == (422, "invalid_input")
        assert len(problem["errors"]) <= 100
        assert f"{count} errors" in problem["detail"] or count < 2001
    many = {"documents": [{"text": "x", **{f"k{n}": n for n in range(3000)}}]}
    assert "3000 errors" in (await tenant.post("/ingest", json=many)).json()["detail"]
    deep = {"input": "x", "filters": {"key": "source", "op": "in", "value": ["a" * 10_001] * 10}}
    assert "100000 characters" in (await tenant.post("/search", json=deep)).json()["detail"]
