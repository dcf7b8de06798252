"""A job's progress as server-sent events."""

from __future__ import annotations

import asyncio
import json

import pytest

from app.api import job_streams, sse
from app.storage import cancellation, jobs
from ingest.jobs import queue
from tests.conftest import ADMIN_KEY, NewTenant
from tests.deleting import without_rows
from tests.ingest.working import Worker

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
TEXTS = ["규장각에는 책이 많다.", "The archive keeps annals.", "세 번째 문서이다."]


def parsed(stream: str) -> list[tuple[str, int, dict]]:
    """(event, id, data), in their order; comments are left out."""
    found = []
    for block in stream.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], int(lines["id"]), json.loads(lines["data"])))
    return found


async def accept(client) -> str:
    answer = await client.post("/ingest", json={"documents": [{"text": text} for text in TEXTS]})
    return answer.json()["id"]


async def test_a_job_is_followed_to_its_end(new_tenant: NewTenant, services):
    client = await new_tenant()
    job = await accept(client)
    async with Worker(services):
        answer = await client.get(f"/jobs/{job}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-accel-buffering"] == "no"
    seen = parsed(answer.text)
    assert [number for _, number, _ in seen] == list(range(1, len(seen) + 1))
    assert {name for name, _, _ in seen[:-1]} <= {"progress"}
    name, _, last = seen[-1]
    assert name == "done"
    assert last == (await client.get(f"/jobs/{job}")).json()
    assert last["counts"]["succeeded"] == 3


async def test_only_what_has_changed_is_told(new_tenant: NewTenant, services):
    client = await new_tenant()
    job = await accept(client)
    stream = asyncio.create_task(client.get(f"/jobs/{job}/events"))
    await asyncio.sleep(1)
    await client.delete(f"/jobs/{job}")
    seen = parsed((await stream).text)
    assert [name for name, _, _ in seen] == ["progress", "done"]
    assert len(seen[0][2]["documents"]) == 3
    assert seen[0][2]["counts"]["queued"] == 3
    assert seen[1][2]["status"] == "cancelled"


async def test_a_quiet_stream_has_a_heartbeat(new_tenant: NewTenant, monkeypatch):
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.1)
    client = await new_tenant()
    job = await accept(client)
    stream = asyncio.create_task(client.get(f"/jobs/{job}/events"))
    await asyncio.sleep(1)
    await client.delete(f"/jobs/{job}")
    assert "\n: still there\n" in (await stream).text


@pytest.mark.parametrize("ended", ["key", "tenant", "part"])
async def test_a_stream_ends_with_its_key_or_its_tenant_or_its_part(
    new_tenant: NewTenant, anonymous, services, monkeypatch, ended
):
    """Also one that has something to say all the time."""
    monkeypatch.setattr(sse, "HEARTBEAT_S", 0.3)
    client = await new_tenant(f"stream-{ended}")
    key = client.headers["authorization"].split("_")[1]
    job = await accept(client)
    streams = [asyncio.create_task(client.get(f"/jobs/{job}/events")) for _ in range(2)]
    await asyncio.sleep(1)
    assert not any(stream.done() for stream in streams)
    path = f"/tenants/stream-{ended}" + ("" if ended == "tenant" else f"/keys/{key}")
    only = {"json": {"only": {"key": "source", "op": "eq", "value": "a.txt"}}} if ended == "part" else {}
    assert (await anonymous.request("PATCH" if only else "DELETE", path, headers=OPERATOR, **only)).is_success
    async with asyncio.timeout(20):
        for stream in streams:
            name, _, said = parsed((await stream).text)[-1]
            assert (name, said["status"]) == ("error", 403 if ended == "part" else 401)
    await without_rows(services.database, f"stream-{ended}")


async def test_what_goes_wrong_on_the_way_is_the_last_event(new_tenant: NewTenant, services):
    client = await new_tenant("ends-early")
    job = await accept(client)
    stream = asyncio.create_task(client.get(f"/jobs/{job}/events"))
    await asyncio.sleep(0.5)
    await without_rows(services.database, "ends-early")
    name, _, problem = parsed((await stream).text)[-1]
    assert name == "error"
    assert (problem["status"], problem["code"]) == (404, "not_found")


async def test_an_unknown_job_is_a_plain_404(new_tenant: NewTenant):
    client = await new_tenant()
    answer = await client.get("/jobs/job_nothing/events")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_job_that_many_streams_show_is_read_once_a_second(new_tenant: NewTenant, monkeypatch):
    client, other = await new_tenant(), await new_tenant()
    job, reads, read_again = await accept(client), [], jobs.read_again

    async def counted(*args):
        reads.append(args)
        return await read_again(*args)

    monkeypatch.setattr(jobs, "read_again", counted)
    streams = [asyncio.create_task(client.get(f"/jobs/{job}/events")) for _ in range(job_streams.MAX_STREAMS)]
    await asyncio.sleep(2.5)
    one_more = await client.get(f"/jobs/{job}/events")
    assert (one_more.status_code, one_more.json()["code"]) == (429, "too_many_requests")
    theirs = await accept(other)
    streams.append(asyncio.create_task(other.get(f"/jobs/{theirs}/events")))
    before = len(reads)
    for each, id in ((client, job), (other, theirs)):
        await each.delete(f"/jobs/{id}")
    assert [parsed((await stream).text)[-1][0] for stream in streams] == ["done"] * len(streams)
    assert before < job_streams.MAX_STREAMS
    assert (await client.get(f"/jobs/{job}/events")).status_code == 200, "those that have ended count no more"


async def test_only_documents_that_may_have_changed_are_read_again(new_tenant: NewTenant, services):
    job = await accept(await new_tenant())
    claimed = await queue.claim(services.database, "w", "ingest", lease_s=60)
    assert (claimed.job_id, claimed.item_number) == (job, 0)
    known = await jobs.get_job(services.database, claimed.tenant, job)

    async def changed(known):
        again = await jobs.read_again(services.database, claimed.tenant, known)
        assert again == await jobs.get_job(services.database, claimed.tenant, job) != known
        # What is the same object was not read.
        assert [item is old for item, old in zip(again.documents, known.documents, strict=True)] == [False, True, True]
        return again

    await queue.record(services.database, claimed, stage="split", chunks=7)
    known = await changed(known)
    await queue.requeue(services.database, claimed, delay_s=0)
    known = await changed(known)
    claimed = await queue.claim(services.database, "w", "ingest", lease_s=60)
    await queue.fail(services.database, claimed, "corrupt", "It is damaged.")
    known = await changed(known)
    cancelled = await cancellation.cancel_job(services.database, claimed.tenant, job)
    assert cancelled.counts["cancelled"] == 2
