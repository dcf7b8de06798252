"""A tenant with too much under way: refused before its body is read, then for a moment before its key is looked up."""

from __future__ import annotations

import asyncio
import dataclasses

import httpx
import pytest

from app.api import job_streams, refusals
from app.errors import TooManyRequests
from app.main import create_app
from app.storage import key_lookups
from app.turns import NO_TENANT
from tests.conftest import ADMIN_KEY, NewTenant, with_encoder
from tests.ingest.working import SlowEncoder


class Full:
    """A retriever whose queue is full for one tenant."""

    def __init__(self, services):
        self._retriever, self.full = services.retriever, None

    def refuse_if_full(self, tenant):
        if tenant == self.full:
            raise TooManyRequests

    async def search(self, *given):
        return await self._retriever.search(*given)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(refusals, "WAIT_S", 0.01)


@pytest.fixture
async def crowded(services, new_tenant: NewTenant):
    """Clients of two tenants, of which the first has too much under way."""
    retriever = Full(services)
    app = create_app(services.settings, dataclasses.replace(services, retriever=retriever))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        clients = [
            httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=(await new_tenant()).headers)
            for _ in range(2)
        ]
        key = clients[0].headers["authorization"].removeprefix("Bearer ")
        retriever.full = (await app.state.key_lookups.authenticate(services.database, key)).number
        yield clients


@pytest.fixture
def looked_up(monkeypatch):
    ids, read = [], key_lookups.read_keys

    async def counted(database, asked):
        ids.extend(asked)
        return await read(database, asked)

    monkeypatch.setattr(key_lookups, "read_keys", counted)
    return ids


@pytest.mark.parametrize("path", ["/search", "/query", "/v1/chat/completions", "/v1/completions", "/v1/responses"])
async def test_too_many_are_refused_before_the_body_is_read(crowded, path):
    received = []

    async def body():
        received.append(1)
        yield b"{"

    refused = await crowded[0].post(path, content=body(), headers={"content-type": "application/json"})
    assert (refused.status_code, received) == (429, [])
    assert int(refused.headers["retry-after"]) > 0


async def test_too_many_texts_to_embed_are_refused_before_they_are_read(services, new_tenant, monkeypatch):
    quick = with_encoder(services, SlowEncoder(0))
    embedder, asked, received = quick.spaces.current.embedder, [], []
    app = create_app(services.settings, quick)
    async with app.router.lifespan_context(app):
        full, other = [
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=(await new_tenant()).headers
            )
            for _ in range(2)
        ]
        embed, body = embedder.embed, {"model": "default", "input": ["하나", "two"]}

        async def noted(texts, kind, tenant=NO_TENANT):
            asked.append(tenant)
            return await embed(texts, kind, tenant)

        def refuse_if_full(tenant):
            if tenant == asked[0]:
                raise TooManyRequests

        async def read():
            received.append(1)
            yield b"{"

        monkeypatch.setattr(embedder, "embed", noted)
        answers = [await client.post("/v1/embeddings", json=body) for client in (full, other)]
        assert [answer.status_code for answer in answers] == [200, 200]
        # Each waits in its own tenant's queue, not in that of the service itself.
        assert len({*asked, NO_TENANT}) == 3
        monkeypatch.setattr(embedder, "refuse_if_full", refuse_if_full)
        refused = await full.post("/v1/embeddings", content=read(), headers={"content-type": "application/json"})
        assert (refused.status_code, received) == (429, [])
        assert (await other.post("/v1/embeddings", json=body)).status_code == 200


async def test_what_was_refused_is_refused_again_without_a_look_at_the_key(crowded, looked_up, short, monkeypatch):
    monkeypatch.setattr(refusals, "REFUSED_FOR_S", 60)
    asking = {"json": {"input": "x"}}
    assert [(await crowded[0].post("/search", **asking)).status_code for _ in range(4)] == [429] * 4
    assert len(looked_up) == 1
    again = await crowded[0].post("/search", **asking)
    assert again.json()["code"] == "too_many_requests"
    assert int(again.headers["retry-after"]) > 0
    assert again.headers["x-request-id"]
    assert (await crowded[1].post("/search", **asking)).status_code == 200
    assert (await crowded[0].get("/v1/models")).status_code == 200
    monkeypatch.setattr(refusals, "monotonic", lambda: 1e9)
    assert (await crowded[0].post("/search", **asking)).status_code == 429
    assert len(looked_up) == 4


async def test_a_key_that_is_wrong_is_not_remembered(crowded, short):
    for _ in range(2):
        answer = await crowded[0].post("/search", json={"input": "x"}, headers={"Authorization": "Bearer kyu_a_b"})
        assert answer.status_code == 401


async def test_those_that_ask_again_at_once_wait_for_their_answer_and_not_too_many_of_them(monkeypatch):
    held = refusals.Refusals()
    monkeypatch.setattr(refusals, "MAX_WAITING", 3)
    waits = [asyncio.ensure_future(held.wait()) for _ in range(5)]
    await asyncio.sleep(0.01)
    assert [each.done() for each in waits] == [False] * 3 + [True] * 2
    for each in waits:
        each.cancel()
    await asyncio.sleep(0)
    assert held._waiting == 0


async def test_too_many_streams_of_jobs_are_refused_before_the_job_is_read(tenant, looked_up, short, monkeypatch):
    monkeypatch.setattr(job_streams, "MAX_STREAMS", 0)
    monkeypatch.setattr(refusals, "REFUSED_FOR_S", 60)
    answers = [await tenant.get("/jobs/job_of_nobody/events") for _ in range(3)]
    assert [each.status_code for each in answers] == [429] * 3
    assert len(looked_up) == 1


@pytest.fixture
def clock(monkeypatch):
    """Seconds that can be turned on."""
    now = [1000.0]
    monkeypatch.setattr(refusals, "monotonic", lambda: now[0])
    return now


async def test_a_limit_is_reached_until_its_window_slides_and_one_is_looked_at_for_all(
    anonymous, new_tenant, looked_up, short, clock
):
    client, path = await new_tenant("reached"), "/documents"

    async def limit(most: int | None) -> None:
        body = {"limits": {"requests_per_minute": most}}
        await anonymous.patch("/tenants/reached", json=body, headers={"Authorization": f"Bearer {ADMIN_KEY}"})

    async def asked(times: int) -> list[httpx.Response]:
        return [await client.get(path) for _ in range(times)]

    await limit(1)
    let_in, refused, *again = await asked(5)
    assert [each.status_code for each in (let_in, refused, *again)] == [200, *[429] * 4]
    assert len(looked_up) == 2
    clock[0] += 1.5
    (later,) = await asked(1)
    assert later.json()["limit"] == refused.json()["limit"]
    assert later.headers["ratelimit"].startswith('"requests_per_minute";r=0;t=')
    waits = [int(each.headers["retry-after"]) for each in (refused, later)]
    assert waits[1] in (waits[0] - 1, waits[0] - 2)
    clock[0] += 1
    assert len(looked_up) == 2
    await asked(3)
    assert len(looked_up) == 3
    await limit(None)
    clock[0] += 2.5
    assert [each.status_code for each in await asked(3)] == [200] * 3


async def test_a_key_that_is_revoked_after_its_limit_was_reached_is_told_so(anonymous, new_tenant, short, clock):
    client, operator = await new_tenant("revoked"), {"Authorization": f"Bearer {ADMIN_KEY}"}
    body = {"limits": {"requests_per_minute": 0}}
    await anonymous.patch("/tenants/revoked", json=body, headers=operator)
    assert (await client.get("/documents")).status_code == 429
    key = client.headers["authorization"].split("_")[1]
    assert (await anonymous.delete(f"/tenants/revoked/keys/{key}", headers=operator)).status_code == 204
    statuses = []
    for gone in (2.5, 0, 0.5, 0):
        clock[0] += gone
        statuses.append((await client.get("/documents")).status_code)
    assert statuses == [401, 429, 401, 401]
