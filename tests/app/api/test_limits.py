"""Limits of a tenant: the operator sets them, all processes hold them, and what is refused names them."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from app.adapters import registry
from app.errors import TooLarge
from app.main import create_app
from app.storage import rates
from app.storage.blobs import Blob
from app.storage.tenants import tenant_by_slug
from tests.conftest import ADMIN_KEY, ingest_text
from tests.ingest.made.holding import packed

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
TEXT = "Employees have 23 days of leave."


@pytest.fixture
async def limited(anonymous, new_tenant):
    """Makes a tenant with these limits."""

    async def make(name: str, **limits):
        client = await new_tenant(name, ("query", "read", "ingest", "adapters"))
        await limit(anonymous, name, **limits)
        return client

    return make


async def limit(anonymous, name: str, **limits) -> dict:
    answer = await anonymous.patch(f"/tenants/{name}", json={"limits": limits}, headers=OPERATOR)
    assert answer.status_code == 200, answer.text
    return answer.json()["limits"]


async def send(client, *ids: str, text: str = TEXT) -> httpx.Response:
    documents = [{"id": each, "text": f"{text} {each}"} for each in ids]
    return await client.post("/ingest", json={"documents": documents})


def refusal(answer: httpx.Response) -> tuple:
    body = answer.json()
    return answer.status_code, body["code"], body["limit"]["name"], body["limit"]["value"], body["limit"]["used"]


async def test_the_operator_sets_and_takes_them_away(anonymous, limited):
    client = await limited("set", documents=3, bytes=100)
    assert await limit(anonymous, "set", documents=4, bytes=None) == {"documents": 4}
    listed = (await anonymous.get("/tenants?limit=200", headers=OPERATOR)).json()["data"]
    assert next(each["limits"] for each in listed if each["id"] == "set") == {"documents": 4}
    own = (await client.get("/limits")).json()["tenant"]
    assert own["limits"] == {"documents": 4}
    assert own["used"] == {"documents": 0, "bytes": 0, "chunks": 0, "adapters": 0, "jobs_waiting": 0}
    assert "tenant" not in (await anonymous.get("/limits")).json()
    changes = [each for each in (await client.get("/audit")).json()["data"] if each["act"] == "change"]
    assert [(each["before"], each["after"]) for each in changes] == [
        ({"documents": 3, "bytes": 100}, {"documents": 4}),
        ({}, {"documents": 3, "bytes": 100}),
    ]
    for body in ({"limits": {"documents": -1}}, {"limits": {"pages": 1}}, {}):
        assert (await anonymous.patch("/tenants/set", json=body, headers=OPERATOR)).status_code == 422
    assert (await anonymous.patch("/tenants/nobody", json={"limits": {}}, headers=OPERATOR)).status_code == 404
    assert (await client.patch("/tenants/set", json={"limits": {}})).status_code in (401, 403)


async def test_documents_on_their_way_count(limited):
    client = await limited("documents", documents=3)
    assert (await send(client, "a", "b")).status_code == 202
    assert (await client.get("/limits")).json()["tenant"]["used"]["documents"] == 2
    assert refusal(await send(client, "c", "d")) == (413, "too_large", "documents", 3, 2)
    # One that is on its way is no further document.
    assert (await send(client, "b", "c")).status_code == 202
    assert (await send(client, "a", text="Other.")).status_code == 202


async def test_bytes_are_those_of_files(limited):
    client = await limited("bytes", bytes=100)
    assert (await send(client, "a")).status_code == 202
    assert refusal(await send(client, "b", text="x" * 80)) == (413, "too_large", "bytes", 100, len(TEXT) + 2)
    assert (await send(client, "c")).status_code == 202


async def test_what_waits_is_limited_with_a_time_to_come_back(limited):
    client = await limited("waiting", jobs_waiting=2)
    assert (await send(client, "a")).status_code == 202
    refused = await send(client, "b", "c")
    assert refusal(refused) == (429, "too_many_requests", "jobs_waiting", 2, 1)
    assert int(refused.headers["retry-after"]) > 0


async def test_adapters_are_limited(limited, services):
    await limited("adapters", adapters=1)
    number = (await tenant_by_slug(services.database, "adapters")).number
    await registry.create_version(services.database, number, "tone", Blob(f"{number}/a", 1, b"a"))
    with pytest.raises(TooLarge, match="'adapters' is 1"):
        await registry.create_version(services.database, number, "other", Blob(f"{number}/b", 1, b"b"))


async def test_requests_at_once_do_not_pass_it_together(limited):
    client = await limited("crowd", documents=5)
    answers = await asyncio.gather(*(send(client, f"d{number}") for number in range(12)))
    accepted = [answer.status_code for answer in answers if answer.status_code == 202]
    assert len(accepted) == 5
    assert (await client.get("/limits")).json()["tenant"]["used"]["documents"] == 5


@pytest.mark.usefixtures("worker")
async def test_chunks_are_held_where_they_are_published(limited, anonymous):
    client = await limited("chunks", chunks=2)
    await ingest_text(client, "One.", id="one")
    await ingest_text(client, "Two.", id="two")
    assert refusal(await send(client, "three")) == (413, "too_large", "chunks", 2, 2)
    # The same bytes are no more, and fewer documents make room.
    assert (await client.post("/ingest", json={"documents": [{"id": "one", "text": "One."}]})).status_code == 202
    await client.delete("/documents/two")
    long = "\n\n".join(f"Paragraph {number} says a lot about leave. " * 30 for number in range(4))
    job = (await client.post("/ingest?wait=60", json={"documents": [{"id": "long", "text": long}]})).json()
    assert job["documents"][0]["error"]["code"] == "too_large"
    assert "'chunks' of 2" in job["documents"][0]["error"]["detail"]
    assert {each["id"] for each in (await client.get("/documents")).json()["data"]} == {"one"}
    await limit(anonymous, "chunks", chunks=None)
    await ingest_text(client, long, id="long")


@pytest.mark.usefixtures("worker")
async def test_what_an_archive_holds_counts_too(limited):
    client = await limited("archive", documents=2)
    files = {"file": ("papers.zip", packed({f"{name}.txt": b"Text." for name in "abc"}))}
    job = (await client.post("/ingest?wait=60", files=files, data={"id": "papers.zip"})).json()
    assert job["documents"][0]["error"]["code"] == "too_large"
    assert "'documents' is 2" in job["documents"][0]["error"]["detail"]


async def test_requests_of_a_minute_are_counted_for_all_processes(limited, services, anonymous):
    client = await limited("minute", requests_per_minute=4)
    number = (await tenant_by_slug(services.database, "minute")).number

    other_app = create_app(services.settings, services)
    async with other_app.router.lifespan_context(other_app):
        other = httpx.AsyncClient(
            transport=httpx.ASGITransport(other_app), base_url="http://kyujang", headers=client.headers
        )
        answers = [await each.get("/documents") for each in (client, other, client, other)]
        left = [answer.headers["ratelimit"] for answer in answers]
    counted = [int(each.partition("r=")[2].partition(";")[0]) for each in left]
    # A minute may have begun meanwhile.
    assert counted in ([3, 2, 1, 0], [3, 3, 2, 1], [3, 2, 3, 2], [3, 2, 1, 3])
    assert answers[0].headers["ratelimit-policy"] == '"requests_per_minute";q=4;w=60'
    rate = await rates.count_request(services.database, number, 0)
    with pytest.raises(rates.RateReached) as refused:
        rate.refuse_more()
    assert refused.value.limit == {"name": "requests_per_minute", "value": 0, "used": 0}
    await limit(anonymous, "minute", requests_per_minute=0)
    answer = await client.get("/jobs")
    assert refusal(answer) == (429, "too_many_requests", "requests_per_minute", 0, 0)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert (await anonymous.get("/healthz")).status_code == 200
