"""What callers notice of engines that come and go, and of each other."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import httpx
import pytest
import uvicorn

from app.generation import health
from app.generation.engine import Engine
from app.main import create_app
from app.metrics import Metrics
from tests.app.api.test_job_events import parsed
from tests.app.fake_engine import CHUNK, END, USAGE, FakeEngine, engine_of, fake_engines
from tests.app.generation.test_engine import all_up, until
from tests.conftest import ADMIN_KEY, ingest_text
from tests.stack import free_port

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
QUESTION = {"input": "When does the reading room open?", "grounding": "mark"}


@pytest.fixture
async def two_tenants(new_tenant, worker):
    tenants = [await new_tenant(), await new_tenant()]
    for each in tenants:
        await ingest_text(each, "The reading room opens at nine. It is closed on Mondays.", id="hours")
    return tenants


@pytest.fixture
def clients_of(services, two_tenants):
    """The two tenants' clients of an application with these engines."""

    def make(engine: Engine, metrics: Metrics, **changes: str) -> list[httpx.AsyncClient]:
        settings = services.settings.model_copy(update=changes)
        with_engine = dataclasses.replace(services, settings=settings, engine=engine, metrics=metrics)
        app = create_app(settings, with_engine)
        app.state.services = with_engine
        return [
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=each.headers, timeout=60
            )
            for each in two_tenants
        ]

    return make


async def test_a_replica_that_dies_takes_no_request_that_had_no_token(clients_of):
    go = asyncio.Event()
    one, two = FakeEngine(pieces=(go, CHUNK, END, USAGE)), FakeEngine(pieces=(go, CHUNK, END, USAGE))
    async with fake_engines(one, two):
        metrics = Metrics()
        engine = engine_of(one.replica(), two.replica(), metrics=metrics)
        await all_up(engine)
        clients = clients_of(engine, metrics)
        asked = [
            asyncio.create_task(clients[number % 2].post("/query", json={**QUESTION, "stream": number % 4 > 1}))
            for number in range(12)
        ]
        await until(lambda: one.running + two.running == 12)
        assert one.running == two.running == 6
        await one.kill()
        # The six turn to the other one, which has them all then.
        await until(lambda: two.running == 12)
        go.set()
        answers = await asyncio.gather(*asked)
        assert [each.status_code for each in answers] == [200] * 12
        for number, each in enumerate(answers):
            whole = parsed(each.text)[-1][2] if number % 4 > 1 else each.json()
            assert whole["answer"] == "Thirty days."
        ready = (await clients[0].get("/readyz", headers=OPERATOR)).json()
        assert ready["dependencies"]["engine"] == "ok"
        assert f"engine 1 (127.0.0.1:{one.port})" in ready["dependencies"]
        told = metrics.render().decode()
        assert 'kyujang_engine_requests{state="running"} 0.0' in told
        assert f'kyujang_engine_replica_up{{replica="engine 2 (127.0.0.1:{two.port})"}} 1.0' in told
        await engine.close()


async def test_one_that_dies_after_a_token_ends_in_an_error_and_no_second_answer(clients_of):
    one, two = (FakeEngine(pieces=(CHUNK, asyncio.Event())) for _ in range(2))
    async with fake_engines(one, two):
        engine = engine_of(one.replica(), two.replica())
        await all_up(engine)
        client = clients_of(engine, Metrics())[0]
        asked = [
            asyncio.create_task(client.post("/query", json={**QUESTION, "stream": stream})) for stream in (True, False)
        ]
        await until(lambda: one.running + two.running == 2)
        # Both have sent a token; it is under way.
        await until(lambda: all(each.replica.last_event_at for each in engine._replicas))
        await one.kill()
        await two.kill()
        streamed, plain = await asyncio.gather(*asked)
        assert [name for name, _, _ in parsed(streamed.text)][-1] == "error"
        assert parsed(streamed.text)[-1][2]["code"] == "engine_unavailable"
        assert (plain.status_code, plain.json()["code"]) == (503, "engine_unavailable")
        assert plain.headers["retry-after"]
        assert len(one.chats) + len(two.chats) == 2
        await engine.close()


async def test_a_burst_is_bounded_and_leaves_the_other_tenant_its_turn(clients_of):
    go = asyncio.Event()
    fake = FakeEngine(pieces=(go, CHUNK, END, USAGE))
    async with fake_engines(fake):
        metrics = Metrics()
        engine = engine_of(fake.replica(), metrics=metrics, concurrency=3, per_tenant=2, queue=4)
        busy, quiet = clients_of(engine, metrics)
        burst = [asyncio.create_task(busy.post("/query", json=QUESTION)) for _ in range(10)]
        await until(lambda: sum(each.done() for each in burst) == 4)
        refused = [each.result() for each in burst if each.done()]
        assert {(each.status_code, each.json()["code"]) for each in refused} == {(429, "too_many_requests")}
        assert all(each.headers["retry-after"] for each in refused)
        assert fake.running == 2
        other = asyncio.create_task(quiet.post("/query", json=QUESTION))
        await until(lambda: fake.running == 3)
        told = metrics.render().decode()
        assert 'kyujang_engine_requests{state="running"} 3.0' in told
        assert 'kyujang_engine_requests{state="waiting"} 4.0' in told
        assert 'kyujang_engine_rejected_total{reason="queue_full"} 4.0' in told
        go.set()
        assert (await other).status_code == 200
        assert sorted(each.status_code for each in await asyncio.gather(*burst)) == [200] * 6 + [429] * 4
        await engine.close()


async def test_a_full_queue_is_a_status_before_a_stream_begins(clients_of):
    go = asyncio.Event()
    fake = FakeEngine(pieces=(go, CHUNK, END, USAGE))
    async with fake_engines(fake):
        engine = engine_of(fake.replica(), concurrency=1, per_tenant=1, queue=1)
        busy, quiet = clients_of(engine, Metrics())
        asked = [asyncio.create_task(busy.post("/query", json={**QUESTION, "stream": True})) for _ in range(2)]
        await until(lambda: engine._admission.waiting == 1)
        refused = await busy.post("/query", json={**QUESTION, "stream": True})
        assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
        assert refused.headers["retry-after"]
        asked.append(asyncio.create_task(quiet.post("/query", json={**QUESTION, "stream": True})))
        await until(lambda: engine._admission.waiting == 2)
        go.set()
        assert [parsed(each.text)[-1][0] for each in await asyncio.gather(*asked)] == ["done"] * 3
        await engine.close()


@pytest.fixture
async def served_by(services, clients_of):
    """The application with these engines behind a real socket: its address, and a tenant's headers."""
    started: list[tuple[uvicorn.Server, asyncio.Task[None]]] = []

    async def start(engine: Engine) -> tuple[tuple[str, int], str]:
        client = clients_of(engine, Metrics())[0]
        assert isinstance(client._transport, httpx.ASGITransport)
        server = uvicorn.Server(uvicorn.Config(client._transport.app, port=0, lifespan="off", log_level="error"))
        started.append((server, asyncio.create_task(server.serve())))
        await until(lambda: server.started)
        return server.servers[0].sockets[0].getsockname(), client.headers["authorization"]

    yield start
    for server, task in started:
        server.should_exit = True
        await task


MUCH = CHUNK.replace("Thirty", "thirty " * 2000)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("phase", ["waiting for its turn", "before a token", "after a token", "while nobody reads"])
async def test_a_caller_that_hangs_up_gives_its_place_back(served_by, stream, phase):
    never = asyncio.Event()
    fake = FakeEngine()
    async with fake_engines(fake):
        engine = engine_of(fake.replica(), concurrency=1)
        (host, port), authorization = await served_by(engine)
        fake.pieces = {
            "before a token": [never],
            "while nobody reads": [MUCH] * 2000,
        }.get(phase, [CHUNK, never])
        body = json.dumps({**QUESTION, "stream": stream}).encode()
        fields = {"Host": "x", "Content-Type": "application/json", "Authorization": authorization}
        lines = [f"{name}: {value}" for name, value in {**fields, "Content-Length": len(body)}.items()]
        head = "\r\n".join(["POST /query HTTP/1.1", *lines, "", ""])
        callers = []
        for _ in range(3 if phase == "waiting for its turn" else 1):
            _, writer = await asyncio.open_connection(host, port, limit=1024)
            writer.write(head.encode() + body)
            callers.append(writer)
        await until(lambda: fake.running == 1 and engine._admission.waiting == len(callers) - 1)
        for writer in reversed(callers):
            writer.transport.abort()
        await until(lambda: engine._admission.running == engine._admission.waiting == 0)
        await until(lambda: fake.running == 0 or phase != "while nobody reads")
        assert engine._replicas[0].running == 0
        await engine.close()


async def test_a_stuck_engine_shows_in_readyz_within_its_limit(clients_of, monkeypatch):
    monkeypatch.setattr(health, "CHECK_TIMEOUT_S", 2)
    stuck, broken = FakeEngine(gate=asyncio.Event()), FakeEngine(canary=500)
    async with fake_engines(stuck, broken):
        engine = engine_of(stuck.replica(), broken.replica())
        client = clients_of(engine, Metrics())[0]
        answer = await client.get("/readyz", headers=OPERATOR)
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        found = answer.json()["dependencies"]
        assert found[f"engine 1 (127.0.0.1:{stuck.port})"] == "no answer within 2 s"
        assert "answered 500" in found[f"engine 2 (127.0.0.1:{broken.port})"]
        assert found["engine"] == "1: no answer within 2 s; 2: The engine answered 500: no reason given"
        await engine.close()


@pytest.mark.parametrize("fallback", ["extract", "none"])
async def test_until_an_engine_is_reached_the_documents_answer_where_they_may(clients_of, monkeypatch, fallback):
    monkeypatch.setattr("app.api.readiness.KEPT_S", 0)
    fake = FakeEngine(port=free_port())
    engine = engine_of(fake.replica())
    client = clients_of(engine, Metrics(), fallback=fallback)[0]
    meanwhile = [await client.post("/query", json={**QUESTION, "stream": stream}) for stream in (False, True)]
    ready = await client.get("/readyz", headers=OPERATOR)
    told = await client.get("/readyz")
    if fallback == "extract":
        for answer in (meanwhile[0].json(), parsed(meanwhile[1].text)[-1][2]):
            assert (answer["answer_mode"], answer["fallback"]) == ("extracted", "engine_starting")
            assert answer["citations"]
        assert (ready.status_code, ready.json()["dependencies"]["engine"]) == (200, "starting")
        assert told.json() == {"status": "ready"}
    else:
        assert (meanwhile[0].status_code, meanwhile[0].json()["code"]) == (503, "engine_starting")
        assert "cannot be reached" in ready.json()["dependencies"]["engine"]
        assert told.status_code == 503
    async with fake_engines(fake):
        assert (await client.get("/readyz", headers=OPERATOR)).json()["dependencies"]["engine"] == "ok"
        assert (await client.post("/query", json=QUESTION)).json()["answer_mode"] == "generated"
    # It has been there: now it is down.
    assert (await client.get("/readyz")).status_code == 503
    down = (await client.post("/query", json=QUESTION)).json()
    assert "engine_unavailable" in (down.get("fallback"), down.get("code"))
    await engine.close()


@pytest.mark.parametrize("broken", [{"canary": 500}, {"model": "another"}])
async def test_an_engine_that_is_reached_and_does_not_work_is_not_starting(clients_of, broken):
    fake = FakeEngine(**broken)
    async with fake_engines(fake):
        engine = engine_of(fake.replica(model="smollm2"))
        client = clients_of(engine, Metrics(), fallback="extract")[0]
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.post("/query", json=QUESTION)).json()["fallback"] == "engine_unavailable"
        await engine.close()


async def test_the_limits_are_published(anonymous, settings):
    limits = (await anonymous.get("/limits")).json()
    assert limits["max_concurrent_answers"] == settings.tenant_concurrency
    assert limits["max_waiting_answers"] == settings.tenant_queue
    assert limits["max_wait_seconds"] == settings.queue_timeout_s
