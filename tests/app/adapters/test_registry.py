"""The registry of adapters on the real database: versions, and whose they are."""

from __future__ import annotations

import asyncio
import hashlib
import secrets

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from app.adapters import activation, registry
from app.adapters.version import Check
from app.errors import InvalidInput, NotFound
from app.storage import jobs
from app.storage.idempotency import Idempotency
from app.storage.tenants import create_tenant, tenant_by_slug
from tests.app.adapters.versions import blob, in_force, made, resolve
from tests.deleting import without_rows


async def test_a_version_begins_with_its_check(database, tenant, owner_url):
    version, new = await registry.create_version(database, tenant, "tone", blob("a"))
    assert (new, version.version, version.status, version.active) == (True, 1, "checking", False)
    assert version.engine_name == f"t{tenant}--tone--v1--{hashlib.sha256(b'a').hexdigest()[:8]}"
    with psycopg.connect(owner_url) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
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


async def test_anothers_adapter_is_an_unknown_one(database, tenant):
    await made(database, tenant)
    await activation.activate(database, tenant, "tone", 1)
    record, _ = await create_tenant(database, f"s-{secrets.token_hex(4)}", "Stranger")
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
        connection.execute(
            "select set_config('app.tenant', %s, true), set_config('app.part', 'all', true)", [str(tenant)]
        )
        assert connection.execute(f"select count(*) from {table}").fetchone() == (1,)
        connection.execute("select set_config('app.tenant', '1', true)")
        with pytest.raises(InsufficientPrivilege, match="row-level security"):
            connection.execute("insert into adapters (tenant_id, name, newest) values (%s, 'x', 1)", [tenant])


async def test_pages_of_versions(database, tenant):
    for name in ("b", "a", "b", "b"):
        await made(database, tenant, name)
    first = await registry.versions(database, tenant, limit=2)
    rest = await registry.versions(database, tenant, limit=9, after=(first[-1].name, first[-1].version))
    assert [(each.name, each.version) for each in first + rest] == [("a", 1), ("b", 3), ("b", 2), ("b", 1)]
    assert [each.version for each in await registry.versions(database, tenant, limit=9, name="b")] == [3, 2, 1]


async def test_a_deleted_tenant_takes_all_along(database):
    record, _ = await create_tenant(database, f"t-{secrets.token_hex(4)}", "Gone")
    number = (await tenant_by_slug(database, record.id)).number
    await made(database, number)
    await activation.activate(database, number, "tone", 1)
    await activation.deactivate(database, number)
    await activation.rollback(database, number)
    await without_rows(database, record.id)
    assert number not in {each.tenant for each in await activation.desired(database)}
