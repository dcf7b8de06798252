"""A caller that hangs up before its answer: nothing goes on for it."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import httpx
import pytest

from app.api import sse
from app.main import create_app
from app.storage import tenant_deletions
from tests.conftest import NewTenant


class Endless:
    """A search that only its cancellation ends."""

    def __init__(self) -> None:
        self.begun, self.ended = asyncio.Event(), asyncio.Event()

    def refuse_if_full(self, _):
        pass

    async def search(self, *_):
        self.begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/search", {}), ("/query", {}), ("/query", {"stream": True}), ("/query", {"dry_run": True})],
    ids=["search", "query", "stream", "dry run"],
)
async def test_an_abandoned_search_ends(services, tenant, path, fields):
    retriever = Endless()
    with_retriever = dataclasses.replace(services, retriever=retriever)
    app = create_app(services.settings, with_retriever)
    app.state.services = with_retriever
    body = json.dumps({"input": "Where?", **fields}).encode()
    messages = [{"type": "http.request", "body": body}]
    headers = {"host": "kyujang", "content-type": "application/json", "authorization": tenant.headers["authorization"]}
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": "POST"},
        **{"path": path, "raw_path": path.encode(), "root_path": "", "query_string": b"", "client": ("::1", 1)},
        **{"server": ("kyujang", 80), "headers": [(name.encode(), value.encode()) for name, value in headers.items()]},
    }

    async def receive():
        if messages:
            return messages.pop()
        await retriever.begun.wait()
        return {"type": "http.disconnect"}

    async def send(_):
        pass

    await asyncio.wait_for(app(scope, receive, send), 20)
    await asyncio.wait_for(retriever.ended.wait(), 20)


@pytest.mark.parametrize("fields", [{}, {"stream": True}], ids=["query", "stream"])
async def test_a_request_under_way_ends_with_its_tenant(services, new_tenant: NewTenant, monkeypatch, fields):
    """A stream that has not begun, too."""
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.1)
    slug, retriever = f"ends-{len(fields)}", Endless()
    client = await new_tenant(slug)
    with_retriever = dataclasses.replace(services, retriever=retriever)
    app = create_app(services.settings, with_retriever)
    app.state.services = with_retriever
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=client.headers) as asking:
        answer = asyncio.create_task(asking.post("/query", json={"input": "Where?", **fields}))
        await retriever.begun.wait()
        await asyncio.sleep(0.3)
        assert not answer.done()
        await tenant_deletions.accept(services.database, slug)
        assert (await asyncio.wait_for(answer, 20)).status_code == 401
    await asyncio.wait_for(retriever.ended.wait(), 20)
