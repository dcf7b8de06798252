"""Tasks on the real database: claimed once, leased, retried, cancelled."""

from __future__ import annotations

import asyncio
import secrets

import psycopg
import pytest

from app.errors import DatabaseUnavailable, NotFound
from app.storage import cancellation, job_creation, jobs
from app.storage.idempotency import Idempotency
from ingest.jobs import queue as claims
from ingest.jobs.queue import LeaseLost
from ingest.worker import HANDLERS, Handler
from tests.ingest.working import Worker


@pytest.fixture
async def tenant(new_number) -> int:
    return await new_number()


@pytest.fixture(autouse=True)
def nothing_open(owner_url):
    yield
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("update job_items set status = 'cancelled', lease_until = null")


async def queue(services, tenant, kind="tune", request=None):
    made, new = await job_creation.create_job(
        services.database, tenant, jobs.Task(kind, "tone", spec={"epochs": 1, "words": 3}), request
    )
    assert new
    return made


async def claim(services, kind="tune", lease_s=30, worker="w"):
    return await claims.claim(services.database, worker, kind, lease_s=lease_s)


async def test_a_claim_that_cannot_be_read_is_none(services, tenant, monkeypatch):
    await queue(services, tenant)
    with monkeypatch.context() as patch:
        patch.setattr(claims, "CLAIMED_ITEM", "select 1 / 0")
        with pytest.raises(psycopg.errors.DivisionByZero):
            await claim(services)
    task = await claim(services)
    assert (task.tenant, task.attempt) == (tenant, 1)


async def test_a_task_s_life(services, tenant):
    made = await queue(services, tenant)
    assert (made.status, made.kind, made.adapter.name, made.adapter.version) == ("queued", "tune", "tone", None)
    task = await claim(services)
    assert (task.job_id, task.tenant, task.spec, task.attempt, task.progress) == (
        made.id,
        tenant,
        {"epochs": 1, "words": 3},
        1,
        None,
    )
    await claims.record(services.database, task, progress={"step": 3})
    await claims.record(services.database, task, version=7)
    running = await jobs.get_job(services.database, tenant, made.id)
    assert (running.status, running.progress, running.adapter.version) == ("running", {"step": 3}, 7)
    await claims.finish(services.database, task, {"loss": 0.1})
    done = await jobs.get_job(services.database, tenant, made.id)
    assert (done.status, done.result, done.error) == ("succeeded", {"loss": 0.1}, None)
    assert done.finished_at is not None
    assert await claim(services) is None


async def test_a_task_is_claimed_once_and_by_its_kind(services, tenant):
    made = {(await queue(services, tenant)).id for _ in range(6)}
    assert await claim(services, "check") is await claim(services, "evaluate") is None
    claimed = await asyncio.gather(*(claim(services, worker=f"w{n}") for n in range(8)))
    while None in claimed:
        claimed.remove(None)
    # SKIP LOCKED may pass over a row that another claim has just let go; the next poll takes it.
    while (another := await claim(services)) is not None:
        claimed.append(another)
    assert sorted(task.job_id for task in claimed) == sorted(made)


async def test_tenants_take_turns(services, new_number):
    busy, other = await new_number(), await new_number()
    for _ in range(4):
        await queue(services, busy)
    await queue(services, other)
    order = [(await claim(services)).tenant for _ in range(3)]
    assert order == [busy, other, busy]


async def test_a_dead_worker_s_task_goes_to_the_next_with_what_it_had_done(services, tenant):
    await queue(services, tenant)
    dead = await claim(services, lease_s=0)
    await claims.record(services.database, dead, progress={"checkpoint": 40})
    alive = await claim(services, worker="w2")
    assert (alive.job_id, alive.attempt, alive.progress) == (dead.job_id, 2, {"checkpoint": 40})
    for late in (claims.renew(services.database, dead, lease_s=9), claims.finish(services.database, dead)):
        with pytest.raises(LeaseLost):
            await late
    await claims.renew(services.database, alive, lease_s=9)


async def test_a_passing_fault_is_tried_again(services, tenant):
    await queue(services, tenant)
    first = await claim(services)
    await claims.requeue(services.database, first, delay_s=0)
    second = await claim(services)
    assert second.attempt == 2
    await claims.requeue(services.database, second, delay_s=0, count_attempt=False)
    third = await claim(services)
    assert third.attempt == 2
    await claims.requeue(services.database, third, delay_s=60)
    assert await claim(services) is None


async def test_failure_says_why(services, tenant):
    made = await queue(services, tenant)
    await claims.fail(services.database, await claim(services), "internal", "It broke.")
    failed = await jobs.get_job(services.database, tenant, made.id)
    assert (failed.status, failed.error.code, failed.error.detail) == ("failed", "internal", "It broke.")


async def test_a_cancelled_task_is_its_worker_s_no_more(services, tenant):
    made = await queue(services, tenant)
    task = await claim(services)
    assert (await cancellation.cancel_job(services.database, tenant, made.id)).status == "cancelled"
    with pytest.raises(LeaseLost):
        await claims.record(services.database, task, progress={"step": 4})
    done = await queue(services, tenant)
    await claims.finish(services.database, await claim(services))
    assert (await cancellation.cancel_job(services.database, tenant, done.id)).status == "succeeded"


async def test_the_same_request_again_gives_the_same_task(services, tenant):
    request = Idempotency(secrets.token_hex(4), b"x")
    first = await queue(services, tenant, request=request)
    again, new = await job_creation.create_job(services.database, tenant, jobs.Task("tune", "tone"), request)
    assert (again.id, new) == (first.id, False)


async def test_anothers_task_is_an_unknown_one(services, tenant, new_number):
    made = await queue(services, tenant)
    stranger = await new_number()
    for call in (jobs.get_job, cancellation.cancel_job):
        with pytest.raises(NotFound):
            await call(services.database, stranger, made.id)
    assert await jobs.list_jobs(services.database, stranger, limit=9) == []
    assert (await jobs.get_job(services.database, tenant, made.id)).status == "queued"


async def test_pages_newest_first_by_kind_and_adapter(services, tenant):
    made = [await queue(services, tenant, kind) for kind in ("tune", "evaluate", "tune")]
    async with services.database.transaction(tenant) as connection:
        await job_creation.insert_job(connection, tenant, "job_check", jobs.Task("check", "tone", 1))
    first = await jobs.list_jobs(services.database, tenant, limit=2)
    rest = await jobs.list_jobs(services.database, tenant, limit=9, before=(first[-1].created_at, first[-1].id))
    assert [each.id for each in first + rest] == [each.id for each in reversed(made)]
    found = await jobs.list_jobs(services.database, tenant, limit=9, kinds=["evaluate"], name="tone")
    assert [each.id for each in found] == [made[1].id]


async def test_another_kind_is_a_handler_and_a_line(services, tenant, monkeypatch):
    """As CONTRIBUTING says: the worker leases, retries and ends what it has never heard of."""
    attempts = []

    async def count(_, task):
        attempts.append(task.attempt)
        if task.attempt == 1:
            raise OSError("an odd moment")
        await claims.finish(services.database, task, {"counted": task.spec["words"]})

    monkeypatch.setitem(HANDLERS, "count", Handler(count, "adapters"))
    monkeypatch.setattr("ingest.jobs.retry.RETRY_DELAYS_S", (0, 0, 0, 0))
    made = await queue(services, tenant, "count")
    hopeless = await queue(services, tenant, "hopeless")
    async with Worker(services), asyncio.timeout(30):
        while (done := await jobs.get_job(services.database, tenant, made.id)).finished_at is None:
            await asyncio.sleep(0.05)
    assert (done.kind, done.status, done.result, attempts) == ("count", "succeeded", {"counted": 3}, [1, 2])
    assert (await jobs.get_job(services.database, tenant, hopeless.id)).status == "queued"


async def test_an_outage_of_the_database_costs_a_task_no_attempt(services, tenant, monkeypatch):
    """It goes away while the task is done, more often than attempts are allowed."""
    left = [DatabaseUnavailable("gone for a moment")] * (claims.MAX_ATTEMPTS + 2)

    async def unlucky(_, task):
        if left:
            raise left.pop()
        await claims.finish(services.database, task, {"attempt": task.attempt})

    monkeypatch.setitem(HANDLERS, "count", Handler(unlucky, "adapters"))
    made = await queue(services, tenant, "count")
    async with Worker(services), asyncio.timeout(30):
        while (done := await jobs.get_job(services.database, tenant, made.id)).finished_at is None:
            await asyncio.sleep(0.05)
    assert (done.status, done.result) == ("succeeded", {"attempt": 1})
