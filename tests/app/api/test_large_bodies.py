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
