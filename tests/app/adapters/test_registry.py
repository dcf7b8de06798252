"""The registry of adapters on the real database: versions, what is active, and whose it is."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from datetime import timedelta

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.adapters import activation, registry
from app.adapters.version import Check
from app.errors import Conflict, InvalidInput, NotFound
from app.storage import jobs
from app.storage.blobs import Blob
from app.storage.idempotency import Idempotency
from app.storage.tenants import create_tenant, delete_tenant, tenant_by_slug


@pytest.fixture
async def tenant(services) -> int:
    record = await create_tenant(services.database, f"t-{secrets.token_hex(4)}", "Adapters")
    return (await tenant_by_slug(services.database, record.id)).number


@pytest.fixture
def database(services):
    return services.database


def blob(content: str) -> Blob:
    return Blob(f"1/{content}", len(content), hashlib.sha256(content.encode()).digest())


async def made(database, tenant, name="tone", content=None, *, status="ready"):
    version, new = await registry.create_version(database, tenant, name, blob(content or secrets.token_hex(8)))
    assert new
    return await registry.set_status(database, tenant, name, version.version, status)


async def in_force(database, tenant):
    async with database.snapshot(tenant) as snapshot:
        found = await activation.resolve(snapshot.connection, tenant, None)
    return found and f"{found.name}@{found.version}"


async def resolve(database, tenant, reference):
    async with database.snapshot(tenant) as snapshot:
        return await activation.resolve(snapshot.connection, tenant, reference)


async def test_a_version_begins_with_its_check(database, tenant, owner_url):
    version, new = await registry.create_version(database, tenant, "tone", blob("a"))
    assert (new, version.version, version.status, version.active) == (True, 1, "checking", False)
    assert version.engine_name == f"t{tenant}--tone--v1--{hashlib.sha256(b'a').hexdigest()[:8]}"
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        found = connection.execute(
            "select kind, name, version from job_items where tenant_id = %s", [tenant]
        ).fetchall()
    assert found == [("check", "tone", 1)]
    assert await jobs.list_jobs(database, tenant, limit=10) == []


async def test_the_same_bytes_again_are_the_same_version(database, tenant):
    first, _ = await registry.create_version(database, tenant, "tone", blob("a"))
    again, new = await registry.create_version(database, tenant, "tone", blob("a"))
    assert (again, new) == (first, False)
    await registry.set_status(database, tenant, "tone", 1, "rejected", checks=[Check("archive", False, "no")])
    anew, new = await registry.create_version(database, tenant, "tone", blob("a"))
    assert (anew.version, new) == (2, True)


async def test_the_same_request_again_gives_the_same_version(database, tenant):
    request = Idempotency("key-1", b"a")
    first, _ = await registry.create_version(database, tenant, "tone", blob("a"), request=request)
    await made(database, tenant)
    again, new = await registry.create_version(database, tenant, "tone", blob("a"), request=request)
    assert (again.version, new) == (first.version, False)
    with pytest.raises(InvalidInput, match="another request"):
        await registry.create_version(database, tenant, "tone", blob("b"), request=Idempotency("key-1", b"b"))
    # What came without a key first and with one afterwards.
    same, new = await registry.create_version(database, tenant, "other", blob("c"))
    for _ in range(2):
        found = await registry.create_version(database, tenant, "other", blob("c"), request=Idempotency("key-2", b"c"))
        assert found == (same, False)


async def test_a_number_never_means_another_version(database, tenant):
    for _ in range(3):
        await made(database, tenant)
    await registry.delete(database, tenant, "tone", 3)
    await registry.delete(database, tenant, "tone")
    assert (await made(database, tenant)).version == 4
    with pytest.raises(NotFound):
        await registry.get(database, tenant, "tone", 1)


async def test_versions_made_at_once_count_up(database, tenant):
    made_ = await asyncio.gather(
        *(registry.create_version(database, tenant, "tone", blob(str(n))) for n in range(8)),
    )
    assert sorted(version.version for version, _ in made_) == list(range(1, 9))


@pytest.mark.parametrize("name", ["", "A", "a--b", "-a", "a-", "auto", "none", "activations", "가", "a/b", "a" * 64])
async def test_a_name_that_would_not_do_is_refused(database, tenant, name):
    with pytest.raises(InvalidInput) as refused:
        await registry.create_version(database, tenant, name, blob("a"))
    assert refused.value.errors[0]["pointer"] == "/name"


async def test_what_checks_find_is_kept_and_the_archive_is_let_go(database, tenant):
    version, _ = await registry.create_version(database, tenant, "tone", blob("a"))
    assert version.blob == "1/a"
    checks = [Check("archive", True, "2 files"), Check("config", True, "LoRA")]
    checking = await registry.set_status(database, tenant, "tone", 1, "checking", checks=checks)
    assert (checking.blob, checking.checks) == ("1/a", checks)
    await registry.set_status(
        database, tenant, "tone", 1, "loading", base_model="m", rank=8, target_modules=["q_proj"], published=True
    )
    ready = await registry.set_status(database, tenant, "tone", 1, "ready", proof={"differs": True})
    assert (ready.status, ready.checks, ready.rank, ready.target_modules) == ("ready", checks, 8, ["q_proj"])
    assert ready.proof == {"differs": True}
    assert ready.ready_at is not None
    assert ready.blob is None


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


async def test_anothers_adapter_is_an_unknown_one(database, tenant):
    await made(database, tenant)
    await activation.activate(database, tenant, "tone", 1)
    record = await create_tenant(database, f"s-{secrets.token_hex(4)}", "Stranger")
    stranger = (await tenant_by_slug(database, record.id)).number
    calls = [
        lambda name: registry.get(database, stranger, name, 1),
        lambda name: activation.activate(database, stranger, name, 1),
        lambda name: registry.delete(database, stranger, name),
        lambda name: registry.set_status(database, stranger, name, 1, "ready"),
        lambda name: resolve(database, stranger, name),
    ]
    for call in calls:
        details = set()
        for name in ("tone", "no-such"):
            with pytest.raises(NotFound) as refused:
                await call(name)
            details.add(refused.value.detail)
        assert len(details) == 1
    assert await in_force(database, stranger) is None
    assert await registry.versions(database, stranger, limit=10) == []
    assert await activation.trail(database, stranger, limit=10) == []
    assert (await made(database, stranger)).version == 1


@pytest.mark.parametrize("table", ["adapters", "adapter_versions", "adapter_activations", "job_items"])
async def test_row_level_security_holds_without_the_query_s_help(database, tenant, settings, table):
    await made(database, tenant)
    await activation.activate(database, tenant, "tone", 1)
    with psycopg.connect(settings.service_url) as connection:
        assert connection.execute(f"select count(*) from {table}").fetchone() == (0,)
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        assert connection.execute(f"select count(*) from {table}").fetchone() == (1,)
        connection.execute("select set_config('app.tenant', '1', true)")
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            connection.execute("insert into adapters (tenant_id, name, newest) values (%s, 'x', 1)", [tenant])


async def test_the_trail_cannot_be_changed(database, tenant):
    for change in ("update adapter_activations set name = 'x'", "delete from adapter_activations"):
        with pytest.raises(InsufficientPrivilege):
            async with database.transaction(tenant) as connection:
                await connection.execute(change)


async def test_pages_of_versions(database, tenant):
    for name in ("b", "a", "b", "b"):
        await made(database, tenant, name)
    first = await registry.versions(database, tenant, limit=2)
    rest = await registry.versions(database, tenant, limit=9, after=(first[-1].name, first[-1].version))
    assert [(each.name, each.version) for each in first + rest] == [("a", 1), ("b", 3), ("b", 2), ("b", 1)]
    assert [each.version for each in await registry.versions(database, tenant, limit=9, name="b")] == [3, 2, 1]


async def test_what_engines_should_have_and_what_they_should_forget(database, tenant):
    for number in (1, 2):
        await made(database, tenant)
        await registry.set_status(database, tenant, "tone", number, "ready", published=True)
    await activation.activate(database, tenant, "tone", 2)
    mine = [name for number, name in await activation.desired(database) if number == tenant]
    assert mine == [(await registry.get(database, tenant, "tone", 2)).engine_name]
    gone = (await registry.get(database, tenant, "tone", 1)).engine_name
    await registry.delete(database, tenant, "tone", 1)
    assert await activation.of_use(database, [*mine, gone, "t9--unknown--v1"]) == set(mine)
    assert gone in await activation.kept(database, timedelta(hours=24))
    assert gone not in await activation.kept(database, timedelta(0))
    await activation.files_removed(database, tenant, gone)
    assert await activation.kept(database, timedelta(hours=24)) >= set(mine)
    assert gone not in await activation.kept(database, timedelta(hours=24))


async def test_a_deleted_tenant_takes_all_along(database):
    record = await create_tenant(database, f"t-{secrets.token_hex(4)}", "Gone")
    number = (await tenant_by_slug(database, record.id)).number
    await made(database, number)
    await activation.activate(database, number, "tone", 1)
    await activation.deactivate(database, number)
    await activation.rollback(database, number)
    await delete_tenant(database, record.id)
    assert number not in dict(await activation.desired(database))
