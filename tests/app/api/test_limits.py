"""Limits of a tenant: the operator sets them, all processes hold them, and what is refused names them."""

from __future__ import annotations

import asyncio
import dataclasses

import httpx
import pytest

from app.adapters import registry
from app.errors import TooLarge
from app.main import create_app
from app.metering import EngineCall, TokenUsage
from app.storage import job_creation, jobs, rates, usage
from app.storage.allowances import Allowance, LimitReached
from app.storage.blobs import Blob
from app.storage.database import fetch_one
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
    stocks = {"documents": 0, "bytes": 0, "chunks": 0, "adapters": 0, "jobs_waiting": 0}
    others = ("requests_per_minute", "generated_tokens_per_day", "training_seconds_per_day")
    assert own["used"] == stocks | dict.fromkeys(others, 0)
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


@pytest.fixture
async def processes(services):
    """Two applications over one database, as two API processes are."""
    apps = [create_app(services.settings, services) for _ in range(2)]
    async with apps[0].router.lifespan_context(apps[0]), apps[1].router.lifespan_context(apps[1]):
        yield [httpx.AsyncClient(transport=httpx.ASGITransport(each), base_url="http://kyujang") for each in apps]


async def new_key(anonymous, name: str, **body) -> dict:
    return (await anonymous.post(f"/tenants/{name}/keys", json=body, headers=OPERATOR)).json()


async def test_requests_of_a_minute_are_counted_for_all_processes(limited, anonymous, processes):
    client = await limited("minute", requests_per_minute=4)
    answers = [await each.get("/documents", headers=client.headers) for each in (*processes, *processes)]
    left = [answer.headers["ratelimit"] for answer in answers]
    assert [each.partition(";t=")[0] for each in left] == [f'"requests_per_minute";r={each}' for each in (3, 2, 1, 0)]
    assert answers[0].headers["ratelimit-policy"] == '"requests_per_minute";q=4;w=60'
    refused = await client.get("/jobs")
    assert refusal(refused) == (429, "too_many_requests", "requests_per_minute", 4, 4)
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.headers["ratelimit"].startswith('"requests_per_minute";r=0;t=')
    await limit(anonymous, "minute", requests_per_minute=0)
    assert refusal(await client.get("/prompts")) == (429, "too_many_requests", "requests_per_minute", 0, 4)
    assert (await anonymous.get("/healthz")).status_code == 200
    metrics = (await anonymous.get("/metrics", headers=OPERATOR)).text
    assert 'kyujang_limits_reached_total{limit="requests_per_minute",of="tenant"} 2.0' in metrics


async def test_sixteen_clients_of_two_processes_get_no_more_than_the_limit(limited, anonymous, processes):
    """The tenant's limit holds over its keys, and a key's own beside it."""
    client = await limited("sixteen", requests_per_minute=20)
    second = await new_key(anonymous, "sixteen", limits={"requests_per_minute": 5})
    keys = [client.headers["authorization"], f"Bearer {second['key']}"]

    async def ask(number: int) -> list[tuple[int, int]]:
        # Each at paths of its own: what was refused a moment ago is refused again without being counted.
        headers, process = {"Authorization": keys[number % 2]}, processes[number // 8]
        paths = [f"/jobs/job_{number}-{again}" for again in range(2)]
        return [(number % 2, (await process.get(path, headers=headers)).status_code) for path in paths]

    answers = [each for found in await asyncio.gather(*map(ask, range(16))) for each in found]
    let_in = [key for key, status in answers if status != 429]
    assert len(let_in) == 20
    assert let_in.count(1) <= 5


async def test_what_one_limit_refuses_the_other_does_not_count(services, limited):
    await limited("both")
    tenant = (await tenant_by_slug(services.database, "both")).number
    counter, key = rates.RequestCounter(), Allowance("key", 5)

    async def count(most: int) -> list[tuple[str, int]]:
        found = await counter.count(services.database, tenant, "k1", [Allowance("tenant", most), key])
        return [(each.of, each.used) for each in found]

    assert [await count(2) for _ in range(2)] == [[("key", used), ("tenant", used)] for used in (1, 2)]
    with pytest.raises(LimitReached, match="tenant's limit 'requests_per_minute' is 2"):
        await count(2)
    # A limit that was raised counts at once.
    assert await count(9) == [("key", 3), ("tenant", 3)]


async def test_a_limit_that_is_reached_is_remembered_until_a_request_may_have_room(services, limited, monkeypatch):
    await limited("remembered")
    tenant = (await tenant_by_slug(services.database, "remembered")).number
    counter, asked, now = rates.RequestCounter(), [], [100.0]
    monkeypatch.setattr(rates, "monotonic", lambda: now[0])

    class Counting:
        async def at_once(self, *given):
            asked.append(1)
            return await services.database.at_once(*given)

    async def reset_s() -> int:
        with pytest.raises(LimitReached) as refused:
            await counter.count(Counting(), tenant, None, [Allowance("tenant", 1)])
        return refused.value.allowed.reset_s

    await counter.count(Counting(), tenant, None, [Allowance("tenant", 1)])
    first, before = await reset_s(), len(asked)
    now[0] += 10.5
    assert await reset_s() == first - 10
    assert len(asked) == before
    now[0] += first - 11.5
    await reset_s()
    assert len(asked) == before + 1


async def test_a_minute_is_the_last_sixty_seconds(services):
    ring = [0] * 61
    ring[100 % 61], ring[130 % 61] = 2, 3
    found = {}
    async with services.database.operator() as connection:
        for now in (130, 160, 161, 190, 191, 1000):
            query = "select requests_since(%(ring)s, 130, %(now)s) as ring"
            row = await fetch_one(connection, query, {"ring": ring, "now": now})
            found[now] = sum(row["ring"])
    assert found == {130: 5, 160: 5, 161: 3, 190: 3, 191: 0, 1000: 0}
    assert rates.Window(130, ring).reset_s == 31


async def test_a_key_s_limits_change_and_its_secret_stays(limited, anonymous):
    client = await limited("keyed")
    made = await new_key(anonymous, "keyed", scopes=["read"])
    assert made["limits"] == {}
    own, path = {"Authorization": f"Bearer {made['key']}"}, f"/tenants/keyed/keys/{made['id']}"
    changed = await anonymous.patch(path, json={"limits": {"requests_per_minute": 1}}, headers=OPERATOR)
    assert changed.json()["limits"] == {"requests_per_minute": 1}
    shown = await anonymous.get("/limits", headers=own)
    assert shown.json()["key"]["limits"] == {"requests_per_minute": 1}
    assert shown.json()["key"]["used"] == {"requests_per_minute": 1, "generated_tokens_per_day": 0}
    assert shown.headers["ratelimit-policy"] == '"key_requests_per_minute";q=1;w=60'
    refused = await anonymous.get("/documents", headers=own)
    assert refusal(refused) == (429, "too_many_requests", "requests_per_minute", 1, 1)
    assert refused.json()["limit"]["of"] == "key"
    assert (await client.get("/documents")).status_code == 200
    await anonymous.patch(path, json={"limits": {"requests_per_minute": None}}, headers=OPERATOR)
    assert (await anonymous.get("/jobs", headers=own)).status_code == 200
    listed = (await anonymous.get("/tenants/keyed/keys", headers=OPERATOR)).json()["data"]
    assert {each["id"]: each["limits"] for each in listed}[made["id"]] == {}
    changes = [each for each in (await client.get("/audit")).json()["data"] if each["kind"] == "key"][:2]
    assert [each["after"] for each in changes] == [{"limits": {}}, {"limits": {"requests_per_minute": 1}}]
    for wrong in ("none", "no-key", "가"):
        answer = await anonymous.patch(f"/tenants/keyed/keys/{wrong}", json={"limits": {}}, headers=OPERATOR)
        assert answer.status_code == 404
    body = {"limits": {"documents": 3}}
    assert (await anonymous.patch(path, json=body, headers=OPERATOR)).status_code == 422


async def test_todays_tokens_are_limited_by_tenant_and_by_key(limited, anonymous, services):
    client = await limited("tokens", generated_tokens_per_day=100)
    number = (await tenant_by_slug(services.database, "tokens")).number
    key = await new_key(anonymous, "tokens", limits={"generated_tokens_per_day": 10})
    by_key = {"Authorization": f"Bearer {key['key']}"}
    question = {"input": "How many days of leave?"}
    first = await client.post("/query", json=question)
    assert first.headers["ratelimit"].startswith('"generated_tokens_per_day";r=100;')

    async def generate(payer: str, tokens: int) -> None:
        call = EngineCall(number, 4096, 256)
        usage.payer.set(payer)
        await services.meter.begin(call)
        await services.meter.settle(call, TokenUsage(1, tokens))

    await generate(key["id"], 12)
    refused = await anonymous.post("/query", json=question, headers=by_key)
    assert refusal(refused) == (429, "too_many_requests", "generated_tokens_per_day", 10, 12)
    assert refused.json()["limit"]["of"] == "key"
    assert 0 < int(refused.headers["retry-after"]) <= 86400
    # A search generates nothing.
    assert (await anonymous.post("/search", json=question, headers=by_key)).status_code == 200
    assert (await client.post("/query", json=question)).status_code == 200
    await generate("", 90)
    chat = {"model": "default", "messages": [{"role": "user", "content": "How many?"}]}
    response = {"model": "default", "input": "How many?"}
    for path, body in {"/query": question, "/v1/chat/completions": chat, "/v1/responses": response}.items():
        assert (await client.post(path, json=body)).status_code == 429, path
    assert (await client.get("/limits")).json()["tenant"]["used"]["generated_tokens_per_day"] == 102


async def test_todays_training_is_limited(limited, services):
    await limited("training", training_seconds_per_day=60)
    number = (await tenant_by_slug(services.database, "training")).number
    job, _ = await job_creation.create_job(services.database, number, jobs.Task("tune", "tone"))
    async with services.database.transaction(number) as connection:
        await usage.add(connection, number, job.id, usage.Usage(training_seconds=61))
    with pytest.raises(LimitReached, match="'training_seconds_per_day' is 60"):
        await job_creation.create_job(services.database, number, jobs.Task("tune", "tone"))
    await job_creation.create_job(services.database, number, jobs.Task("evaluate", "tone", 1))


async def test_new_tenants_get_the_limits_of_the_settings(services):
    settings = services.settings.model_copy(update={"limits_of_new_tenants": {"documents": 7}})
    app = create_app(settings, dataclasses.replace(services, settings=settings))
    async with app.router.lifespan_context(app):
        client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=OPERATOR)
        made = await client.post("/tenants", json={"id": "newcomer", "name": "Newcomer"})
    assert made.json()["limits"] == {"documents": 7}
