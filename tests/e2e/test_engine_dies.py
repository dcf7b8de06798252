"""The real engine is killed while it writes: the stream says so, the documents answer meanwhile, and it comes back."""

from __future__ import annotations

import httpx
import psutil
import pytest

from tests.e2e.test_up import answers, find, wait_for
from tests.e2e.test_way import LONG, events

TEXT = "The annals of the tower were written in 1881 by Ryu Jin."
QUESTION = {"input": "Who wrote the annals of the tower?", "top_k": 1, "max_tokens": 16, "grounding": "mark"}


@pytest.fixture
def shelf(client):
    body = {"documents": [{"id": "tower-annals", "text": TEXT}]}
    assert client.post("/ingest?wait=60", json=body).json()["status"] == "succeeded"
    yield
    client.delete("/documents/tower-annals")


def test_an_engine_that_is_killed(client, stack, shelf):
    engine = find(stack.process, "vllm.entrypoints.openai.api_server")
    assert engine is not None
    seen: list[tuple[str, dict]] = []
    with client.stream("POST", "/query", json={**LONG, "stream": True}) as answer:
        for name, data in events(answer.iter_lines()):
            seen.append((name, data))
            if name == "delta" and engine.is_running():
                for each in [*engine.children(recursive=True), engine]:
                    each.kill()
                psutil.wait_procs([engine], timeout=10)
    assert [name for name, _ in seen][-1] == "error"
    assert (seen[-1][1]["status"], seen[-1][1]["code"]) == (503, "engine_unavailable")

    meanwhile = client.post("/query", json=QUESTION).json()
    assert (meanwhile["answer_mode"], meanwhile["fallback"]) == ("extracted", "engine_unavailable")
    assert "Ryu Jin" in meanwhile["answer"]
    assert client.post("/search", json={"input": QUESTION["input"]}).status_code == 200
    late = httpx.get(f"{stack.url}/readyz", timeout=30)
    assert late.status_code == 503
    assert "engine" in late.json()["detail"]

    wait_for(lambda: answers(stack.url), seconds=240)
    again = client.post("/query", json=QUESTION).json()
    assert (again["answer_mode"], again["fallback"]) == ("generated", None)
