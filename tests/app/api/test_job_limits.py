"""How many documents and tasks of a tenant may be unfinished, and how many requests may wait for a job."""

from __future__ import annotations

import asyncio
import dataclasses
import secrets

import httpx
import pytest

from app.adapters import registry
from app.api import async_work
from app.errors import TooManyRequests
from app.main import create_app
from app.storage.blobs import Blob
from app.storage.job_creation import create_job
from app.storage.jobs import Task
from app.storage.tenants import tenant_numbers
from tests.conftest import NewTenant

MOST = 3


@pytest.fixture
async def limited(services):
    """Gives a client of a tenant the same service with low limits."""
    settings = services.settings.model_copy(update={"tenant_documents": MOST, "tenant_tasks": 1})
    app = create_app(settings, dataclasses.replace(services, settings=settings))
    async with app.router.lifespan_context(app):

        def as_client(client: httpx.AsyncClient) -> httpx.AsyncClient:
            transport = httpx.ASGITransport(app)
            return httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=client.headers)

        yield as_client


async def send(client, *texts, **headers):
    documents = [{"text": text} for text in texts]
    return await client.post("/ingest", json={"documents": documents}, headers=headers)


async def test_a_tenant_s_unfinished_documents_are_limited(new_tenant: NewTenant, limited, services):
    client, other = limited(await new_tenant()), limited(await new_tenant())
    first = await send(client, "하나", "둘", **{"Idempotency-Key": "first"})
    files = {path for path in services.settings.blobs.rglob("*") if path.is_file()}
    refused = await send(client, "셋", "넷")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert "At most 3 documents" in refused.json()["detail"]
    assert int(refused.headers["retry-after"]) > 0
    assert {path for path in services.settings.blobs.rglob("*") if path.is_file()} == files
    again = await send(client, "하나", "둘", **{"Idempotency-Key": "first"})
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert (await send(client, "셋")).status_code == 202
    assert (await send(client, "넷")).status_code == 429
    assert (await send(other, "하나", "둘", "셋")).status_code == 202
    await client.delete(f"/jobs/{first.json()['id']}")
    assert (await send(client, "넷")).status_code == 202
    published = (await client.get("/limits")).json()
    assert (published["max_unfinished_documents"], published["max_unfinished_tasks"]) == (MOST, 1)
    assert 0 < published["usual_ocr_page_seconds"] < published["max_ocr_page_seconds"]


async def test_a_tenant_s_unfinished_tasks_are_limited(services, new_tenant: NewTenant):
    await new_tenant()
    await new_tenant()
    one, other = sorted(await tenant_numbers(services.database))[-2:]
    await create_job(services.database, one, Task("tune", "tone"), most=1)
    blob = Blob("1/x", 8, secrets.token_bytes(32))
    with pytest.raises(TooManyRequests, match="At most 1 checks, evaluations and trainings"):
        await create_job(services.database, one, Task("evaluate", "tone", 1), most=1)
    with pytest.raises(TooManyRequests):
        await registry.create_version(services.database, one, "tone", blob, most=1)
    await registry.create_version(services.database, other, "tone", blob, most=1)


async def test_who_waits_too_often_at_once_is_answered_at_once(new_tenant: NewTenant, monkeypatch):
    monkeypatch.setattr(async_work, "MAX_WAITS", 2)
    client, other = await new_tenant(), await new_tenant()
    body = {"documents": [{"text": "Nobody takes this in."}]}
    waiting = [asyncio.create_task(client.post("/ingest?wait=60", json=body)) for _ in range(2)]
    async with asyncio.timeout(30):
        while len((await client.get("/jobs")).json()["data"]) < 2:
            await asyncio.sleep(0.05)
        assert (await client.post("/ingest?wait=60", json=body)).status_code == 202
        assert (await other.post("/ingest?wait=0.1", json=body)).status_code == 202
        for job in (await client.get("/jobs")).json()["data"]:
            await client.delete(f"/jobs/{job['id']}")
        assert [(await each).json()["status"] for each in waiting] == ["cancelled"] * 2


async def test_requests_at_once_do_not_pass_the_limit_together(new_tenant: NewTenant, limited):
    client = limited(await new_tenant())
    answers = await asyncio.gather(*(send(client, f"{n}") for n in range(12)))
    assert sorted(each.status_code for each in answers) == [202] * MOST + [429] * (12 - MOST)
