"""The query log: what is in it, who reads it, for how long, and that no answer waits for it."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from datetime import UTC, datetime

import psycopg
import pytest

from app.api.query_logging import QueryLog
from app.errors import DatabaseUnavailable
from app.storage import query_log
from app.storage.query_log import LoggedContext, LoggedQuery
from app.storage.tenants import authenticate
from tests.app.api.test_job_events import parsed
from tests.conftest import ADMIN_KEY, NewTenant, ingest_text

pytestmark = pytest.mark.usefixtures("worker")

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
ASKED = {"input": "When does the archive open?"}
NOTHING = {"input": "When does the archive open?", "mode": "lexical", "min_score": 1000}


async def turned(client, slug, days):
    answer = await client.patch(f"/tenants/{slug}", json={"query_log_days": days}, headers=OPERATOR)
    assert (answer.status_code, answer.json()["query_log_days"]) == (200, days)


async def listed(client, **params):
    answer = await client.get("/queries", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@pytest.fixture(scope="module")
async def archive(new_tenant: NewTenant):
    client = await new_tenant("archive-log")
    await ingest_text(client, "The archive opens at nine. 자료실은 아홉 시에 연다.", id="hours", source="hours.txt")
    return client


async def test_nothing_is_logged_unless_the_tenant_wants_it(archive):
    await turned(archive, "archive-log", None)
    asked = (await archive.post("/query", json=ASKED)).json()
    refused = await archive.post(f"/queries/{asked['id']}/feedback", json={"vote": "up"})
    assert (asked["logged"], refused.status_code, refused.json()["code"]) == (False, 409, "query_log_off")
    await turned(archive, "archive-log", 30)
    assert await listed(archive) == []
    assert (await archive.post(f"/queries/{asked['id']}/feedback", json={"vote": "up"})).status_code == 404


async def test_every_way_of_asking_is_logged(archive):
    await turned(archive, "archive-log", 30)
    answer = (await archive.post("/query", json=ASKED)).json()
    stream = parsed((await archive.post("/query", json={**ASKED, "stream": True})).text)
    nothing = (await archive.post("/query", json=NOTHING)).json()
    said = {"model": "default", "messages": [{"role": "user", "content": "자료실은 언제 여나요?"}]}
    for path, body in (
        ("/v1/chat/completions", said),
        ("/v1/chat/completions", {**said, "stream": True}),
        ("/v1/responses", {"model": "default", "input": "자료실은 언제 여나요?"}),
    ):
        assert (await archive.post(path, json=body)).is_success
    for path, body in (("/search", ASKED), ("/query", {**ASKED, "dry_run": True})):
        assert (await archive.post(path, json=body)).is_success
    rows = (await listed(archive))[::-1]
    assert [row["id"] for row in rows[:3]] == [answer["id"], stream[-1][-1]["id"], nothing["id"]]
    assert [each["logged"] for each in (answer, stream[-1][-1], nothing)] == [True] * 3
    assert [row["question"] for row in rows[3:]] == ["자료실은 언제 여나요?"] * 3
    first, refused = rows[0], rows[2]
    for name in ("answer", "answer_mode", "citations", "unsupported", "search_query", "model", "timings_ms"):
        assert first[name] == answer[name], name
    assert [each["chunk_id"] for each in first["contexts"]] == [each["chunk_id"] for each in answer["contexts"]]
    assert (first["verdict"], first["by"] is not None, first["feedback"]) == ("supported", True, None)
    assert (refused["verdict"], refused["contexts"]) == ("no_answer", [])
    assert refused["no_answer_reason"] in ("below_min_score", "nothing_retrieved")
    assert [row["id"] for row in await listed(archive, verdict="no_answer")] == [nothing["id"]]
    assert await listed(archive, to=first["at"]) == []
    page = (await archive.get("/queries", params={"limit": 4})).json()
    rest = await listed(archive, cursor=page["next_cursor"])
    assert [row["id"] for row in page["data"] + rest] == [row["id"] for row in rows[::-1]]


async def test_users_say_what_was_good(archive):
    await turned(archive, "archive-log", 30)
    asked = (await archive.post("/query", json=ASKED)).json()
    path = f"/queries/{asked['id']}/feedback"
    assert (await archive.post(path, json={"vote": "up"})).json()["vote"] == "up"
    feedback = {"vote": "down", "comment": "열 시였습니다.", "right_answer": "At ten."}
    given = (await archive.post(path, json=feedback)).json()
    assert feedback.items() <= given.items()
    assert [row["feedback"] for row in await listed(archive, vote="down")] == [given]
    assert await listed(archive, vote="up") == []
    assert asked["id"] not in {row["id"] for row in await listed(archive, vote="none")}
    assert [row["id"] for row in await listed(archive, vote="any")] == [asked["id"]]
    for body in ({}, {"vote": "so-so"}, {"vote": "up", "comment": "a\x00"}):
        assert (await archive.post(path, json=body)).status_code == 422


async def test_what_is_old_or_not_wanted_any_more_goes(archive, services, owner_url):
    await turned(archive, "archive-log", 30)
    number = (await authenticate(services.database, archive.headers["authorization"].split()[1])).number
    old, new = [(await archive.post("/query", json=ASKED)).json()["id"] for _ in range(2)]
    await listed(archive)
    with psycopg.connect(owner_url) as owner:
        owner.execute("select set_config('app.tenant', %s, false)", [str(number)])
        owner.execute("update queries set at = now() - interval '8 days' where id = %s", [old])
    await turned(archive, "archive-log", 7)
    assert old not in {row["id"] for row in await listed(archive)}
    assert (await archive.post(f"/queries/{old}/feedback", json={"vote": "up"})).status_code == 404
    assert await query_log.remove_old(services.database, number) == 1
    assert new in {row["id"] for row in await listed(archive)}
    await turned(archive, "archive-log", None)
    assert await listed(archive) == []
    assert await query_log.remove_old(services.database, number) > 0
    await turned(archive, "archive-log", 7)
    assert await listed(archive) == []
    trail = (await archive.get("/audit", params={"object": "archive-log"})).json()["data"]
    assert (trail[0]["before"], trail[0]["after"]) == ({"query_log_days": None}, {"query_log_days": 7})


@pytest.mark.parametrize("days", [0, -1, 3651, "30"])
async def test_the_days_are_bounded(archive, days):
    answer = await archive.patch("/tenants/archive-log", json={"query_log_days": days}, headers=OPERATOR)
    assert answer.status_code == 422


async def test_an_answer_does_not_wait_and_a_shutdown_does(archive, services, monkeypatch):
    """Neither for a database that is slow nor for one that is away for a while."""
    await turned(archive, "archive-log", 30)
    held, tries, write = asyncio.Event(), [], query_log.write

    async def slow(*arguments):
        await held.wait()
        tries.append(arguments)
        if len(tries) == 1:
            raise DatabaseUnavailable
        await write(*arguments)

    monkeypatch.setattr(query_log, "write", slow)
    app = archive._transport.app
    async with app.router.lifespan_context(app):
        asked = (await archive.post("/query", json=ASKED)).json()
        assert tries == []
        held.set()
    assert len(tries) == 2
    assert asked["id"] in {row["id"] for row in await listed(archive)}


def a_query(name: str, **fields) -> LoggedQuery:
    query = LoggedQuery(
        name, datetime.now(UTC), None, "q", "q", [LoggedContext("chk_0000000000000001", "d", 0.5)], "a", "generated",
        [], [], "supported", None, None, None, None, {},
    )  # fmt: skip
    return dataclasses.replace(query, **fields)


async def test_one_that_cannot_be_written_keeps_no_other_waiting(services, new_tenant: NewTenant):
    client = await new_tenant("poison-log")
    await turned(client, "poison-log", 30)
    number = (await authenticate(services.database, client.headers["authorization"].split()[1])).number
    log = QueryLog()
    bad = a_query("bad", contexts=[LoggedContext("chk_ffffffffffffffffff", "d", 1.0)])
    odd = a_query("odd", answer="a\x00\ud83d", citations=[{"quote": "b\x00\udc00"}])
    for each in (a_query("first"), bad, odd, a_query("last")):
        log.add(services.database, number, each)
    log.add(services.database, 2**31 - 1, a_query("gone"))
    assert await log.flush()
    rows = await listed(client)
    assert {row["id"] for row in rows} == {"first", "odd", "last"}
    assert "\x00" not in json.dumps(rows)
