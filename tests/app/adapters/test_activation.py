"""Which adapter answers, on the real database: switched, switched back, and at the same time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from psycopg.errors import InsufficientPrivilege

from app.adapters import activation, registry
from app.errors import Conflict, InvalidInput, NotFound
from tests.app.adapters.versions import in_force, made, resolve


async def test_activation_is_a_stack(database, tenant):
    for name in ("a", "b", "c"):
        await made(database, tenant, name)
    with pytest.raises(Conflict, match="nothing to roll back"):
        await activation.rollback(database, tenant)
    for name in ("a", "b", "b", "c"):
        assert (await activation.activate(database, tenant, name, 1, "key-7")).active
    assert await in_force(database, tenant) == "c@1"
    await activation.rollback(database, tenant)
    assert await in_force(database, tenant) == "b@1"
    await activation.activate(database, tenant, "c", 1)
    assert (await activation.rollback(database, tenant)).name == "b"
    assert (await activation.rollback(database, tenant)).name == "a"
    assert await activation.rollback(database, tenant) is None
    assert await in_force(database, tenant) is None
    with pytest.raises(Conflict, match="nothing to roll back"):
        await activation.rollback(database, tenant)
    trail = await activation.trail(database, tenant, limit=3)
    assert [(line.action, line.name) for line in trail] == [("rollback", None), ("rollback", "a"), ("rollback", "b")]
    older = await activation.trail(database, tenant, limit=10, before=trail[-1].seq)
    assert [(line.action, line.name, line.by) for line in older][-1] == ("activate", "a", "key-7")
    assert len(older) == 5


async def test_deactivation_is_a_step_like_others(database, tenant):
    await made(database, tenant)
    await activation.deactivate(database, tenant)
    assert await activation.trail(database, tenant, limit=5) == []
    await activation.activate(database, tenant, "tone", 1)
    await activation.deactivate(database, tenant)
    await activation.deactivate(database, tenant)
    assert await in_force(database, tenant) is None
    assert (await activation.rollback(database, tenant)).version == 1
    assert await in_force(database, tenant) == "tone@1"


async def test_activations_at_once_leave_one_line_each_and_one_way_back(database, tenant):
    for _ in range(6):
        await made(database, tenant)
    await asyncio.gather(*(activation.activate(database, tenant, "tone", number) for number in range(1, 7)))
    trail = await activation.trail(database, tenant, limit=20)
    assert sorted(line.version for line in trail) == list(range(1, 7))
    back = [f"tone@{line.version}" for line in trail[1:]]
    for expected in back:
        await activation.rollback(database, tenant)
        assert await in_force(database, tenant) == expected
    assert await activation.rollback(database, tenant) is None


@pytest.mark.parametrize("status", ["checking", "loading", "proving", "rejected", "failed"])
async def test_only_a_ready_version_can_be_activated(database, tenant, status):
    await made(database, tenant, status=status)
    with pytest.raises(Conflict, match=status):
        await activation.activate(database, tenant, "tone", 1)
    with pytest.raises(InvalidInput, match=status):
        await resolve(database, tenant, "tone@1")


async def test_an_active_version_is_not_deleted_and_a_deleted_one_not_rolled_back_to(database, tenant):
    await made(database, tenant)
    await made(database, tenant)
    await activation.activate(database, tenant, "tone", 1)
    await activation.activate(database, tenant, "tone", 2)
    for version in (2, None):
        with pytest.raises(Conflict, match="active"):
            await registry.delete(database, tenant, "tone", version)
    await registry.delete(database, tenant, "tone", 1)
    with pytest.raises(Conflict, match=r"tone@1.*deleted"):
        await activation.rollback(database, tenant)
    assert await in_force(database, tenant) == "tone@2"


async def test_deletion_or_activation_at_once_never_leaves_a_deleted_one_active(database, tenant):
    for number in range(1, 9):
        await made(database, tenant)
        await asyncio.gather(
            activation.activate(database, tenant, "tone", number),
            registry.delete(database, tenant, "tone", number),
            return_exceptions=True,
        )
        active = await in_force(database, tenant)
        assert active is None or await resolve(database, tenant, active)
        await activation.deactivate(database, tenant)


async def test_what_a_query_means(database, tenant):
    assert await resolve(database, tenant, "auto") is None
    await made(database, tenant)
    await made(database, tenant)
    await made(database, tenant, status="proving")
    assert (await resolve(database, tenant, "tone")).version == 2
    await activation.activate(database, tenant, "tone", 1)
    assert (await resolve(database, tenant, "tone")).version == 1
    assert (await resolve(database, tenant, "auto")).version == 1
    assert (await resolve(database, tenant, "tone@2")).version == 2
    assert await resolve(database, tenant, "none") is None
    for unknown in ("no-such", "tone@9"):
        with pytest.raises(NotFound):
            await resolve(database, tenant, unknown)
    for odd in ("Tone", "tone@", "tone@0", "t1--tone--v1", "../x", ""):
        with pytest.raises(InvalidInput):
            await resolve(database, tenant, odd)


async def test_the_trail_cannot_be_changed(database, tenant):
    for change in ("update adapter_activations set name = 'x'", "delete from adapter_activations"):
        with pytest.raises(InsufficientPrivilege):
            async with database.transaction(tenant) as connection:
                await connection.execute(change)


async def test_what_engines_should_have_and_what_they_should_forget(database, tenant):
    for number in (1, 2):
        await made(database, tenant)
        await registry.set_status(database, tenant, "tone", number, "ready", published=True)
    await activation.activate(database, tenant, "tone", 2)
    mine = [each.engine_name for each in await activation.desired(database) if each.tenant == tenant]
    assert mine == [(await registry.get(database, tenant, "tone", 2)).engine_name]
    gone = (await registry.get(database, tenant, "tone", 1)).engine_name
    await registry.delete(database, tenant, "tone", 1)
    assert await activation.of_use(database, [*mine, gone, "t9--unknown--v1"]) == set(mine)
    assert gone in await activation.kept(database, timedelta(hours=24))
    assert gone not in await activation.kept(database, timedelta(0))
    await activation.files_removed(database, tenant, gone)
    assert await activation.kept(database, timedelta(hours=24)) >= set(mine)
    assert gone not in await activation.kept(database, timedelta(hours=24))
