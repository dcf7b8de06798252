"""Each line of the API's log names the request and the tenant."""

from __future__ import annotations

import json
import logging

import pytest

from app.logs import JsonFormatter


@pytest.fixture
def lines():
    """As they are written: the formatter reads whose they are."""
    written: list[dict[str, str]] = []

    class Keep(logging.Handler):
        def emit(self, record):
            written.append(json.loads(self.format(record)))

    handler, root = Keep(), logging.getLogger()
    handler.setFormatter(JsonFormatter())
    level = root.level
    root.addHandler(handler)
    root.setLevel("INFO")
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


async def test_lines_of_a_request_name_its_tenant_and_those_of_the_next_do_not(
    new_tenant, anonymous, lines, monkeypatch
):
    async def broken(*_, **__):
        logging.getLogger("kyujang.test").warning("on the way")
        raise RuntimeError

    monkeypatch.setattr("app.storage.documents.list_documents", broken)
    for slug in ("logged-one", "logged-two"):
        client = await new_tenant(slug)
        lines.clear()
        answer = await client.get("/documents", headers={"X-Request-Id": f"of-{slug}"})
        assert answer.status_code == 500
        own = [line for line in lines if line["logger"].startswith("kyujang")]
        assert {line["message"] for line in own} >= {"on the way", "request"}
        assert len(own) >= 3
        assert {(line["tenant"], line["request_id"]) for line in own} == {(slug, f"of-{slug}")}
    lines.clear()
    await anonymous.get("/documents")
    assert [line["tenant"] for line in lines if line["message"] == "request"] == [""]


async def test_lines_of_a_stream_name_its_tenant(new_tenant, lines, monkeypatch):
    async def broken(*_, **__):
        yield None
        raise RuntimeError

    client = await new_tenant("logged-stream")
    monkeypatch.setattr("app.pipeline.answer_events", broken)
    monkeypatch.setattr("app.api.query._events", lambda *_: iter([("delta", {})]))
    answer = await client.post("/query", json={"input": "x", "stream": True})
    assert "event: error" in answer.text
    (error,) = [line for line in lines if line["message"] == "unexpected error"]
    assert (error["tenant"], error["request_id"]) == ("logged-stream", answer.headers["x-request-id"])
