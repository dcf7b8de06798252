"""When postings are merged, and what becomes of a merge that others meet or that is killed."""

from __future__ import annotations

import asyncio

import numpy as np
import psycopg
import pytest

from app.errors import DatabaseUnavailable
from app.storage import posting_merges, posting_tables
from app.storage.posting_blocks import MAX_CHUNKS
from app.storage.posting_merges import DELETED_ONE_IN, FEWEST_CHUNKS, SMALL_SEGMENTS, outworn, smallest
from app.storage.posting_tables import Stored
from tests.contract.in_postgres import new_tenant
from tests.contract.indexed import indexed
from tests.contract.texts import load_terms, merge_all, remove_terms

FEW = [["shared", f"own{n}"] for n in range(20)]


@pytest.mark.parametrize(
    ("sizes", "due"),
    [
        ([600] * SMALL_SEGMENTS, []),
        ([600] * (SMALL_SEGMENTS + 1), list(range(SMALL_SEGMENTS + 1))),
        ([MAX_CHUNKS // 2] * 20, []),
        ([30_000, *[2000] * SMALL_SEGMENTS], list(range(SMALL_SEGMENTS + 1))),
        ([30_000] * (SMALL_SEGMENTS + 1), [0, 1]),
    ],
)
def test_the_smallest_are_due_once_there_are_many(sizes, due):
    assert sorted(smallest({n: np.arange(size) for n, size in enumerate(sizes)})) == due


@pytest.mark.parametrize(
    ("gone", "overdue", "due"),
    [(0, True, []), (1, True, [1]), (1, False, []), (1000 // DELETED_ONE_IN + 1, False, [1])],
)
def test_a_segment_is_due_once_much_of_it_is_gone_or_some_for_long(gone, overdue, due):
    segments = {0: np.arange(1000), 1: np.arange(1000, 2000)}
    assert outworn(Stored(0, segments, np.arange(1500, 1500 + gone), overdue)) == due


async def test_rows_are_merged_once_there_are_enough(services, owner_url):
    tenant = await new_tenant(services.database)
    await load_terms(services.database, tenant, [["shared"]] * (FEWEST_CHUNKS - 1))
    assert not await posting_merges.merge_due(services.database, tenant)
    assert indexed(owner_url, tenant).segments == []
    await load_terms(services.database, tenant, [["shared"]], first=FEWEST_CHUNKS)
    assert not await posting_merges.merge_due(services.database, tenant)
    found = indexed(owner_url, tenant)
    assert (len(found.segments), found.rows, found.lexicon) == (1, {}, {"shared": FEWEST_CHUNKS})


@pytest.mark.parametrize("where", ["write_segment", "forget_deletions"])
async def test_writers_do_not_wait_for_a_merge_and_lose_nothing(services, owner_url, monkeypatch, where):
    """They come after what it has read, before it writes or before it ends."""
    tenant = await new_tenant(services.database)
    await load_terms(services.database, tenant, FEW)
    reached, going_on = asyncio.Event(), asyncio.Event()
    step = getattr(posting_tables, where)

    async def waiting(*arguments) -> None:
        reached.set()
        await going_on.wait()
        await step(*arguments)

    monkeypatch.setattr(posting_tables, where, waiting)
    merging = asyncio.create_task(merge_all(services.database, tenant))
    await reached.wait()
    await remove_terms(services.database, tenant, [3])
    await load_terms(services.database, tenant, [["late"]], first=100)
    assert await posting_merges.merge_due(services.database, tenant), "another merges"
    left = {*range(20), 100} - {3}
    indexed(owner_url, tenant).assert_sound(left)
    going_on.set()
    await merging
    indexed(owner_url, tenant).assert_sound(left)


async def test_a_killed_merge_leaves_all_as_it_was(services, owner_url, monkeypatch):
    tenant = await new_tenant(services.database)
    await load_terms(services.database, tenant, FEW)
    await remove_terms(services.database, tenant, [3])
    before = indexed(owner_url, tenant)

    async def killed(connection, *_) -> None:
        with psycopg.connect(owner_url) as owner:
            owner.execute("select pg_terminate_backend(%s)", [connection.info.backend_pid])
        await connection.execute("select")

    with monkeypatch.context() as patch:
        patch.setattr(posting_tables, "forget_deletions", killed)
        with pytest.raises(DatabaseUnavailable):
            await merge_all(services.database, tenant)
    assert indexed(owner_url, tenant) == before
    await merge_all(services.database, tenant)
    indexed(owner_url, tenant).assert_sound({*range(20)} - {3})
