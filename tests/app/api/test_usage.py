"""What tenants use: counted once, told to them and to the operator."""

from __future__ import annotations

import asyncio
import csv
import dataclasses
import io
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.main import create_app
from app.metering import EngineCall, TokenUsage
from app.storage import usage
from app.storage.meter import Meter
from app.storage.tenants import tenant_by_slug
from app.storage.usage import Usage
from ingest.jobs.queue import LeaseLost
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines
from tests.conftest import ADMIN_KEY, ingest_text

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
TEXT = "The reading room opens at nine. 열람실은 아홉 시에 연다."
QUESTION = {"input": "When does the reading room open?", "grounding": "off"}


def event(text: str, generated: int, finish: str | None = None) -> str:
    choice = {"delta": {"content": text}, "finish_reason": finish}
    said = {"choices": [choice], "usage": {"prompt_tokens": 40, "completion_tokens": generated}}
    return f"data: {json.dumps(said)}\n\n"


DONE = "data: [DONE]\n\n"


async def used(client: httpx.AsyncClient, **params) -> dict:
    """The sums of today and what is not settled, without this request's own."""
    answer = await client.get("/usage", params={"group_by": "day", **params})
    assert answer.status_code == 200, answer.text
    (line,) = answer.json()["data"]
    return line | {"requests": line["requests"] - 1}


async def number_of(services, name: str) -> int:
    return (await tenant_by_slug(services.database, name)).number


@pytest.fixture
def answering(services):
    """The application with an engine whose calls are counted, as a client of the tenant."""

    @asynccontextmanager
    async def start(client: httpx.AsyncClient, fake: FakeEngine):
        async with fake_engines(fake):
            engine = engine_of(fake.replica(meter=services.meter))
            app = create_app(services.settings, dataclasses.replace(services, engine=engine))
            async with app.router.lifespan_context(app):
                transport = httpx.ASGITransport(app)
                yield httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=client.headers)
            await engine.close()

    return start


@pytest.mark.usefixtures("worker")
async def test_requests_and_what_is_stored_are_counted_by_key(new_tenant, anonymous):
    client = await new_tenant("counted")
    await ingest_text(client, TEXT, id="hours")
    first = await used(client)
    assert (first["requests"], first["documents"], first["bytes"]) == (1, 1, len(TEXT.encode()))
    assert first["embedded_tokens"] > 10
    # Unchanged it is not stored again; a search embeds its question; what is refused for its shape is a request too.
    await ingest_text(client, TEXT, id="hours")
    await client.post("/search", json={"input": "When?"})
    await client.post("/search", json={"input": "When?", "mode": "lexical"})
    await client.post("/search", json={})
    then = await used(client)
    assert (then["requests"], then["documents"], then["bytes"]) == (6, 1, len(TEXT.encode()))
    assert 0 < then["embedded_tokens"] - first["embedded_tokens"] < 10
    other = (await anonymous.post("/tenants/counted/keys", json={}, headers=OPERATOR)).json()
    await anonymous.get("/documents", headers={"Authorization": f"Bearer {other['key']}"})
    by_key = (await client.get("/usage", params={"group_by": "key,day"})).json()["data"]
    key_id = client.headers["authorization"].split("_")[1]
    assert {line["key"]: (line["requests"], line["documents"]) for line in by_key} == {
        key_id: (8, 1), other["id"]: (1, 0),
    }  # fmt: skip


async def test_it_comes_as_csv_and_in_pages(new_tenant, services):
    client = await new_tenant("pages")
    number = await number_of(services, "pages")
    async with services.database.transaction(number) as connection:
        for name in ("b@1", "a@2", "가@1"):
            await usage.add(connection, number, "none", Usage(ocr_pages=2, training_seconds=3), adapter=name)
    params = {"group_by": "adapter"}
    text = (await client.get("/usage", params=params, headers={"Accept": "text/csv"})).text
    lines = list(csv.DictReader(io.StringIO(text)))
    assert [line["adapter"] for line in lines] == ["", "a@2", "b@1", "가@1"]
    assert [line["ocr_pages"] for line in lines] == ["0", "2", "2", "2"]
    page, seen = (await client.get("/usage", params={**params, "limit": 2})).json(), []
    while True:
        seen += [line["adapter"] for line in page["data"]]
        if not page["has_more"]:
            break
        page = (await client.get("/usage", params={**params, "limit": 2, "cursor": page["next_cursor"]})).json()
    assert seen == ["", "a@2", "b@1", "가@1"]
    assert set(page["data"][-1]) == {"adapter", *usage.COUNTS}


@pytest.mark.parametrize(
    "params",
    [
        {"group_by": "tenant"}, {"group_by": "day,day"}, {"group_by": ""}, {"from": "2026-02-30"},
        {"from": "2026-01-02", "to": "2026-01-02"}, {"from": "2024-01-01", "to": "2026-01-01"},
        {"to": "0001-01-01"}, {"from": "20260101"}, {"cursor": "WzFd"}, {"day": "2026-01-01"},
    ],
)  # fmt: skip
async def test_what_cannot_be_told_is_refused(tenant, params):
    answer = await tenant.get("/usage", params=params)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input"), answer.text


async def test_a_period_leaves_out_other_days(new_tenant):
    client = await new_tenant()
    today = datetime.now(UTC).date()
    past = {"from": str(today - timedelta(days=9)), "to": str(today - timedelta(days=1))}
    assert (await client.get("/usage", params=past)).json()["data"] == []


@pytest.mark.usefixtures("worker")
async def test_tokens_are_the_engine_s_own(new_tenant, answering):
    client = await new_tenant("asked")
    await ingest_text(client, TEXT, id="hours")
    fake = FakeEngine(pieces=(event("At", 1), event(" nine.", 3, "stop"), DONE))
    async with answering(client, fake) as asking:
        answer = (await asking.post("/query", json=QUESTION)).json()
        assert (await asking.post("/query", json={**QUESTION, "dry_run": True})).status_code == 200
    assert answer["usage"] == {"prompt_tokens": 40, "completion_tokens": 3}
    sums = await used(client)
    assert (sums["engine_calls"], sums["prompt_tokens"], sums["completion_tokens"]) == (1, 40, 3)
    assert json.loads(fake.chats[0])["stream_options"]["continuous_usage_stats"] is True


@pytest.mark.usefixtures("worker")
async def test_an_aborted_answer_counts_what_was_generated(new_tenant, answering):
    client = await new_tenant("aborted")
    await ingest_text(client, TEXT, id="hours")
    fake = FakeEngine(pieces=(event("At", 1), event(" nine", 2), asyncio.Event()))
    async with answering(client, fake) as asking:
        hung_up = asyncio.create_task(asking.post("/query", json=QUESTION))
        while not (open_ := (await client.get("/usage")).json()["unsettled"])["engine_calls"] or not fake.running:
            await asyncio.sleep(0.01)
        assert open_ == {"engine_calls": 1, "prompt_tokens": 4096, "completion_tokens": 256}
        await asyncio.sleep(0.05)
        hung_up.cancel()
        await asyncio.gather(hung_up, return_exceptions=True)
        while (await client.get("/usage")).json()["unsettled"]["engine_calls"]:
            await asyncio.sleep(0.01)
    sums = await used(client)
    assert sums["prompt_tokens"] == 40
    assert sums["completion_tokens"] in (1, 2)


@pytest.mark.usefixtures("worker")
async def test_the_service_s_own_calls_are_no_tenant_s(new_tenant, answering, anonymous):
    client = await new_tenant("rewritten")
    await ingest_text(client, TEXT, id="hours")
    asked = {"params": {"group_by": "tenant"}, "headers": OPERATOR}
    before = {line["tenant"]: line for line in (await anonymous.get("/usage", **asked)).json()["data"]}
    fake = FakeEngine(model="scripted-7b", pieces=(event("When does it open?", 5, "stop"), DONE))
    turns = [{"role": "user", "content": "What is the reading room?"}, {"role": "assistant", "content": "A room."}]
    async with answering(client, fake) as asking:
        body = {**QUESTION, "input": "When does it open?", "messages": turns}
        assert (await asking.post("/query", json=body)).status_code == 200
    lines = {line["tenant"]: line for line in (await anonymous.get("/usage", **asked)).json()["data"]}
    assert lines["rewritten"]["engine_calls"] == 1
    assert len(fake.chats) == 2
    assert lines[""]["engine_calls"] - before.get("", {"engine_calls": 0})["engine_calls"] == 1
    assert lines[""]["requests"] == 0


async def test_what_a_killed_process_leaves_is_shown_and_counted_once_at_most(new_tenant, services):
    client = await new_tenant("killed")
    number = await number_of(services, "killed")
    killed = Meter(services.database)
    lost, settled = (EngineCall(number, 4096, 99, f"t{number}--tone--v3--0123abcd") for _ in range(2))
    for call in (lost, settled):
        await killed.begin(call)
    for _ in range(2):
        await killed.settle(settled, TokenUsage(7, 5))
    shown = (await client.get("/usage", params={"group_by": "adapter"})).json()
    assert shown["unsettled"] == {"engine_calls": 1, "prompt_tokens": 4096, "completion_tokens": 99}
    sums = {line["adapter"]: (line["engine_calls"], line["prompt_tokens"]) for line in shown["data"]}
    assert sums == {"": (0, 0), "tone@3": (1, 7)}


async def test_what_is_not_published_is_not_counted(new_tenant, services):
    client = await new_tenant("broken")
    number = await number_of(services, "broken")

    async def publish() -> None:
        async with services.database.transaction(number) as connection:
            await usage.add(connection, number, "none", Usage(documents=1))
            raise LeaseLost

    with pytest.raises(LeaseLost):
        await publish()
    assert (await used(client))["documents"] == 0
