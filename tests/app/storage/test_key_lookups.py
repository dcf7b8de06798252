"""Keys that are asked for together are looked up together, and each still on its own."""

from __future__ import annotations

import asyncio

import pytest

from app.errors import DatabaseUnavailable, Unauthorized
from app.storage import key_lookups
from app.storage.key_lookups import KeyLookups
from app.storage.keys import create_key, revoke_key
from app.storage.tenants import create_tenant, read_keys


@pytest.fixture
async def keys(services):
    made = []
    for slug in ("one", "two"):
        await create_tenant(services.database, slug, slug)
        made.append(await create_key(services.database, slug, ["query"]))
    yield made
    async with services.database.operator() as connection:
        await connection.execute("delete from tenants where slug in ('one', 'two')")


@pytest.fixture
def reads(monkeypatch):
    """The ids of each query, and what holds the queries back."""
    asked, go = [], asyncio.Event()

    async def counted(database, ids):
        asked.append(sorted(ids))
        await go.wait()
        return await read_keys(database, ids)

    monkeypatch.setattr(key_lookups, "read_keys", counted)
    return asked, go


async def begun(*asking):
    tasks = [asyncio.ensure_future(each) for each in asking]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_those_that_wait_are_looked_up_in_one_query(services, keys, reads):
    (asked, go), lookups = reads, KeyLookups()
    ids = [each.record.id for each in keys]

    def ask(number):
        return lookups.authenticate(services.database, keys[number].secret)

    wrong = f"{keys[0].secret}x"
    (first,) = await begun(ask(0))
    others = await begun(ask(0), ask(1), lookups.authenticate(services.database, wrong), ask(0))
    others.pop().cancel()
    go.set()
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert [getattr(each, "slug", type(each)) for each in answers] == ["one", "one", "two", Unauthorized]
    assert asked == [[ids[0]], sorted(ids)]
    assert (await ask(1)).slug == "two"


async def test_a_key_is_refused_from_the_first_request_after_its_revocation_on(services, keys, monkeypatch):
    lookups = KeyLookups()
    read, seen = asyncio.Event(), asyncio.Event()

    async def slow(database, ids):
        rows = await read_keys(database, ids)
        read.set()
        await seen.wait()
        return rows

    monkeypatch.setattr(key_lookups, "read_keys", slow)
    (before,) = await begun(lookups.authenticate(services.database, keys[0].secret))
    await read.wait()
    await revoke_key(services.database, "one", keys[0].record.id)
    (after,) = await begun(lookups.authenticate(services.database, keys[0].secret))
    seen.set()
    assert (await before).slug == "one"
    with pytest.raises(Unauthorized):
        await after


async def test_a_database_that_is_down_fails_those_that_wait_alone(services, keys, monkeypatch):
    lookups = KeyLookups()

    async def down(database, ids):
        raise DatabaseUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(key_lookups, "read_keys", down)
        tasks = await begun(*(lookups.authenticate(services.database, each.secret) for each in keys))
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(each) for each in answers] == [DatabaseUnavailable] * 2
    assert (await lookups.authenticate(services.database, keys[0].secret)).slug == "one"
