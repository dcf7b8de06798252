"""A run that claims many documents at once: what its engine leaves goes back, and what is stored never reaches it."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from app.errors import KyujangError
from ingest import bulk_worker
from ingest.bulk_worker import ingest_in_bulk
from ingest.pipeline import ingest
from tests.ingest.jobs.claiming import MANY, accepted, outcomes, query, whole

pytestmark = pytest.mark.usefixtures("nothing_queued")


@pytest.fixture
def many(tmp_path):
    """Short ones: who has them at which time is what matters here."""
    for n in range(MANY):
        (tmp_path / f"{n:02}.txt").write_text(f"Shelf {n} holds {n * 7} volumes. 서가 {n}에는 {n * 7}권이 있다.")
    return tmp_path


async def run(services, tenant, job_ids, engine):
    complete = asyncio.Event()
    complete.set()
    async with asyncio.timeout(120):
        await ingest_in_bulk(services, tenant, job_ids, engine, complete)


async def test_an_engine_that_breaks_off_is_given_the_rest_again(services, new_number, many):
    tenant = await new_number()
    job_ids, given = await accepted(services, tenant, many), []

    async def breaks_off_once(claims):
        given.append([claim.document_id for claim in claims])
        for claim in claims[:5] if len(given) == 1 else claims:
            await ingest(services, claim)
        return len(given) > 1

    await run(services, tenant, job_ids, breaks_off_once)
    assert [len(ids) for ids in given] == [MANY, MANY - 5]
    assert set(given[1]) == set(given[0][5:])
    rows = await query(services, tenant, "select status, attempt from job_items")
    assert {(row["status"], row["attempt"]) for row in rows} == {("succeeded", 1)}
    await whole(services, tenant, MANY)

    async def is_not_asked(claims):
        raise AssertionError(claims)

    again = await accepted(services, tenant, many)
    await run(services, tenant, again, is_not_asked)
    assert set((await outcomes(services, tenant, again)).values()) == {"unchanged"}


async def test_a_run_in_which_nothing_moves_ends_in_an_error_and_nothing_is_lost(
    services, new_number, many, monkeypatch
):
    tenant, ended = await new_number(), asyncio.Event()
    job_ids = await accepted(services, tenant, many)
    monkeypatch.setattr(bulk_worker, "STALL_LIMIT_S", 0.2)
    hasty = services.settings.model_copy(update={"lease_s": 0.9, "load_timeout_s": 0.1})

    async def stands_still(claims):
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    with pytest.raises(KyujangError, match="stalled"):
        await run(dataclasses.replace(services, settings=hasty), tenant, job_ids, stands_still)
    assert ended.is_set()
    rows = await query(services, tenant, "select status, attempt from job_items")
    assert [(row["status"], row["attempt"]) for row in rows] == [("queued", 0)] * MANY
