"""What a run of the Ray engine holds, without Ray: the jobs it names, and what a run before it has left."""

from __future__ import annotations

import pytest

from ingest.jobs import bulk, queue
from ingest.jobs.queue import LeaseLost
from tests.ingest.jobs.claiming import MANY, accepted


async def test_the_next_run_resumes_what_the_one_before_has_left(services, new_number, many):
    tenant = await new_number()
    before = await accepted(services, tenant, many)
    first = await bulk.claim(services.database, tenant, before, "ray-1", lease_s=0, limit=3)
    now = await accepted(services, tenant, many)
    again = await bulk.claim(services.database, tenant, now, "ray-2", lease_s=30, limit=100)
    assert [work.document_id for work in first] == ["00.txt", "01.txt", "02.txt"]
    assert {work.job_id for work in again} == set(before)
    assert len({work.document_id for work in again}) == len(again) == MANY
    # A dead run is no attempt of its documents.
    assert {work.attempt for work in again} == {1}
    with pytest.raises(LeaseLost):
        await queue.record(services.database, first[0], stage="split")
    for work in again:
        await queue.fail(services.database, work, "corrupt", "as good as any end")
    assert len(await bulk.claim(services.database, tenant, now, "ray-3", lease_s=30, limit=100)) == MANY


async def test_a_claim_is_of_the_jobs_named_alone_and_is_given_back_whole(services, new_number, many):
    tenant = await new_number()
    named, other = await accepted(services, tenant, many), await accepted(services, await new_number(), many)
    assert len(await bulk.claim(services.database, tenant, named, "ray-1", lease_s=30, limit=100)) == MANY
    assert await bulk.claim(services.database, tenant, named + other, "ray-2", lease_s=30, limit=100) == []
    await bulk.requeue(services.database, tenant, "ray-1", delay_s=0, count_attempt=False)
    again = await bulk.claim(services.database, tenant, named, "ray-3", lease_s=30, limit=100)
    assert [work.attempt for work in again] == [1] * MANY
