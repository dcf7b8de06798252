"""A deletion that is killed, has to wait, or is another worker's."""

from __future__ import annotations

import dataclasses

import psycopg
import pytest

from app.storage import tenant_deletions, tenant_rows
from app.storage.tenants import tenant_by_slug
from ingest import tenant_deletion
from tests.conftest import NewTenant, ingest_text
from tests.deleting import worked_off
from tests.ingest.deletion.filling import OPERATOR, leave_waiting, registered
from tests.ingest.working import Worker

pytestmark = pytest.mark.usefixtures("settled", "no_open_tasks")


async def deletion(anonymous, slug: str) -> dict:
    return (await anonymous.get(f"/tenants/{slug}/deletion", headers=OPERATOR)).json()


async def next_step(services, worker: str = "w") -> None:
    assert await tenant_deletion.delete_next(services, worker)


@pytest.fixture
async def due_at_once(monkeypatch):
    monkeypatch.setattr(tenant_deletion, "WAIT_S", 0)


@pytest.fixture
def dies(monkeypatch):
    """A worker that is killed in each transaction but the first `steps`."""

    class Killed(BaseException):
        pass

    def after(steps: int) -> type[BaseException]:
        done = 0

        async def count(*args):
            nonlocal done
            done += 1
            if done > steps:
                raise Killed
            await tenant_deletions.count(*args)

        monkeypatch.setattr(tenant_rows, "count", count)
        return Killed

    return after


async def test_killed_at_each_step_it_goes_on_and_counts_once(new_tenant: NewTenant, services, monkeypatch, dies):
    client = await new_tenant("killed")
    async with Worker(services):
        await ingest_text(client, *(f"Shelf {n} holds {7 * n} volumes." for n in range(5)))
    few = [dataclasses.replace(table, at_once=2) for table in tenant_rows.TABLES]
    monkeypatch.setattr(tenant_rows, "TABLES", few)
    services = dataclasses.replace(services, settings=services.settings.model_copy(update={"lease_s": 0}))
    await tenant_deletions.accept(services.database, "killed")
    killed, deaths = dies(1), 0
    while True:
        try:
            await next_step(services, f"w{deaths}")
            break
        except killed:
            killed, deaths = dies(1), deaths + 1
    assert deaths > 10
    found = await worked_off(services, "killed")
    assert (found.deleted.documents, found.deleted.chunks, found.deleted.jobs, found.deleted.keys) == (5, 5, 1, 1)


async def test_a_worker_that_has_lost_it_deletes_nothing_more(new_tenant: NewTenant, services, dies, owner_url):
    await new_tenant("taken-over")
    await tenant_deletions.accept(services.database, "taken-over")
    late = await tenant_deletions.claim(services.database, "late", lease_s=0)
    assert await tenant_deletions.claim(services.database, "other", lease_s=60)
    with pytest.raises(tenant_deletions.DeletionLost):
        await tenant_rows.delete_rows(services.database, late)
    with psycopg.connect(owner_url) as owner:
        assert owner.execute("select count(*) from tenants where slug = 'taken-over'").fetchone() == (1,)
        owner.execute("update tenant_deletions set lease_until = null")
    await worked_off(services, "taken-over")


async def test_a_backup_keeps_the_files_and_the_deletion_says_so(
    anonymous, new_tenant: NewTenant, services, owner_url, due_at_once
):
    client = await new_tenant("held")
    async with Worker(services):
        await ingest_text(client, "In the backup.")
    number = (await tenant_by_slug(services.database, "held")).number
    folders = [services.settings.blobs / str(number), services.settings.adapters / str(number) / "version"]
    folders[1].mkdir(parents=True)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("insert into removal_holds values ('test', now() + interval '1 minute')")
        await tenant_deletions.accept(services.database, "held")
        await next_step(services)
        assert "backup" in (await deletion(anonymous, "held"))["waiting_for"]
        assert all(folder.exists() for folder in folders)
        assert (await client.get("/documents")).status_code == 401
        assert owner.execute("select count(*) from tenants where slug = 'held'").fetchone() == (0,)
        refused = await anonymous.post("/tenants", json={"id": "held", "name": "H"}, headers=OPERATOR)
        assert refused.status_code == 409
        owner.execute("delete from removal_holds")
    await worked_off(services, "held")
    assert not any(folder.exists() for folder in folders)


async def test_adapters_files_stay_until_every_engine_has_let_go(anonymous, services, engine, owner_url, due_at_once):
    filled = await registered(anonymous, services, "loaded", "jangseung")
    await leave_waiting(filled, services, engine, owner_url)
    files = services.settings.adapters / str(filled.number)
    await tenant_deletions.accept(services.database, "loaded")
    engine.listed = "no JSON"
    await next_step(services)
    assert str(engine.port) in (await deletion(anonymous, "loaded"))["waiting_for"]
    assert files.exists()
    engine.listed = None
    await worked_off(services, "loaded")
    assert [name for name in engine.adapters if name.startswith(f"t{filled.number}-")] == []
    assert not files.exists()


async def test_what_had_begun_has_time_to_end(anonymous, new_tenant: NewTenant, services, due_at_once, monkeypatch):
    monkeypatch.setattr(tenant_deletion, "SETTLED_S", 60)
    await new_tenant("just-now")
    await tenant_deletions.accept(services.database, "just-now")
    await next_step(services)
    said = await deletion(anonymous, "just-now")
    assert (said["status"], said["waiting_for"]) == ("running", tenant_deletion.BEGUN)
    monkeypatch.setattr(tenant_deletion, "SETTLED_S", -60)
    await worked_off(services, "just-now")
