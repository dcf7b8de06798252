"""How a tenant is deleted: at once for callers, some rows at a time, and on after whatever interrupts it."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from app.errors import NotFound
from app.storage import tenant_deletions, tenant_rows
from app.storage.database import Database
from app.storage.request_limits import RequestLimits
from app.storage.tenants import create_tenant, tenant_by_slug
from ingest.cleanup import sweep_jobs
from tests.conftest import NewTenant, ingest_text, with_encoder
from tests.deleting import worked_off
from tests.ingest.deletion.filling import OPERATOR, leave_waiting, registered, store
from tests.ingest.working import LONG, SlowEncoder, Worker, accept, until

pytestmark = pytest.mark.usefixtures("settled", "no_open_tasks")


async def deletion(anonymous, slug: str) -> dict:
    return (await anonymous.get(f"/tenants/{slug}/deletion", headers=OPERATOR)).json()


async def test_what_the_operator_sees_from_the_request_to_the_end(anonymous, services, engine, owner_url):
    filled = await registered(anonymous, services, "namdaemun", "cheonma")
    async with Worker(services):
        await store(filled)
    await leave_waiting(filled, services, engine, owner_url)
    path = "/tenants/namdaemun"
    accepted = await anonymous.delete(path, headers=OPERATOR)
    assert accepted.headers["location"] == f"{path}/deletion"
    first = accepted.json()
    assert (first["tenant"], first["status"], first["finished_at"]) == ("namdaemun", "queued", None)
    assert set(first["deleted"].values()) == {0}

    again = await anonymous.delete(path, headers=OPERATOR)
    assert (again.status_code, again.json()) == (202, first)
    assert (await filled.client.post("/search", json={"input": "Where?"})).status_code == 401
    assert "namdaemun" not in (await anonymous.get("/tenants?limit=200", headers=OPERATOR)).text
    for method, below in (("GET", "keys"), ("POST", "keys"), ("DELETE", f"keys/{filled.key_ids[0]}")):
        sent = {"json": {}} if method == "POST" else {}
        assert (await anonymous.request(method, f"{path}/{below}", headers=OPERATOR, **sent)).status_code == 404
    body = {"id": "namdaemun", "name": "Again"}
    for headers in (OPERATOR, OPERATOR | {"Idempotency-Key": "made-cheonma"}):
        refused = await anonymous.post("/tenants", json=body, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
        assert first["id"] in refused.json()["detail"]

    await worked_off(services, "namdaemun")
    last = await deletion(anonymous, "namdaemun")
    assert (last["id"], last["status"], last["waiting_for"]) == (first["id"], "succeeded", None)
    stored = ["cheonma의 옥새는 다시 찾았다. The seal was found.", "A letter to cheonma."]
    files = [*stored, "cheonma waits.", "cheonma 2", "cheonma"]
    assert last["deleted"] == {
        "documents": 2, "chunks": 2, "files": 5, "prompts": 1, "adapters": 2, "jobs": 6, "keys": 2,
        "bytes": sum(len(text.encode()) for text in files),
    }  # fmt: skip
    assert (await anonymous.delete(path, headers=OPERATOR)).status_code == 404
    assert (await anonymous.post("/tenants", json=body, headers=OPERATOR)).status_code == 201
    assert (await deletion(anonymous, "namdaemun"))["id"] == first["id"]


@pytest.mark.parametrize("path", ["none-such", "none-such/deletion", "A%00B", "A%00B/deletion"])
async def test_a_tenant_that_never_was_is_404(anonymous, path):
    method = "GET" if path.endswith("deletion") else "DELETE"
    assert (await anonymous.request(method, f"/tenants/{path}", headers=OPERATOR)).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}])
async def test_only_the_operator_reads_what_was_deleted(anonymous, new_tenant: NewTenant, headers):
    client = await new_tenant()
    for each in (headers, client.headers):
        assert (await anonymous.get("/tenants/any/deletion", headers=each)).status_code == 401


async def test_a_document_at_work_comes_to_nothing(new_tenant: NewTenant, services, owner_url):
    client = await new_tenant("at-work")
    number = (await tenant_by_slug(services.database, "at-work")).number
    async with Worker(with_encoder(services, SlowEncoder(0.1))):
        job = await accept(client, LONG)
        await until(client, job, "running")
        await tenant_deletions.accept(services.database, "at-work")
        await worked_off(services, "at-work")
    with psycopg.connect(owner_url) as owner:
        for table in ("documents", "chunks", "staged_chunks", "job_items"):
            assert owner.execute(f"select count(*) from {table} where tenant_id = %s", [number]).fetchone() == (0,)
    assert not (services.settings.blobs / str(number)).exists()


async def test_what_waits_is_not_begun(new_tenant: NewTenant, services):
    client = await new_tenant("not-begun")
    await accept(client, "Waits.")
    await tenant_deletions.accept(services.database, "not-begun")
    async with Worker(services):
        await asyncio.sleep(0.5)
    found = await worked_off(services, "not-begun")
    assert (found.deleted.documents, found.deleted.files, found.deleted.jobs) == (0, 1, 1)


async def test_an_upload_that_had_begun_is_told_and_leaves_nothing(new_tenant: NewTenant, services, monkeypatch):
    client, save = await new_tenant("too-late"), services.blobs.save
    number = (await tenant_by_slug(services.database, "too-late")).number

    async def save_late(*args):
        await tenant_deletions.accept(services.database, "too-late")
        await worked_off(services, "too-late")
        return await save(*args)

    monkeypatch.setattr(services.blobs, "save", save_late)
    answer = await client.post("/ingest", json={"documents": [{"text": "Late."}]})
    assert (answer.status_code, answer.json()["detail"]) == (404, "This tenant has been deleted.")
    assert list((services.settings.blobs / str(number)).iterdir()) == []


async def test_others_do_not_wait_for_its_locks(new_tenant: NewTenant, services, settings, monkeypatch):
    client, other = await new_tenant("much"), await new_tenant("beside")
    async with Worker(services):
        await ingest_text(client, "Much.", "More.")
        await ingest_text(other, "Beside.", id="beside")
    mine = (await tenant_by_slug(services.database, "beside")).number
    limits = RequestLimits(per_tenant=2, statement_s=5, lock_s=0.1, idle_s=5)
    database, steps = Database(settings.service_url, pool_size=5, limits=limits), 0
    await database.open()

    async def count(*args):
        """In the middle of each transaction."""
        nonlocal steps
        steps += 1
        await create_tenant(database, f"meanwhile-{steps}", "M")
        await tenant_deletions.accept(database, f"meanwhile-{steps}")
        async with database.transaction(mine) as connection:
            await connection.execute("update documents set title = 'Changed' where tenant_id = %s", [mine])
            await connection.execute("select from tenants where id = %s for update", [mine])
        await tenant_deletions.count(*args)

    monkeypatch.setattr(tenant_rows, "count", count)
    await tenant_deletions.accept(services.database, "much")
    await worked_off(services, "much")
    assert steps > 4
    await database.close()


async def test_what_is_told_of_a_deletion_goes_after_a_while(new_tenant: NewTenant, services, owner_url):
    for slug in ("long-ago", "of-late"):
        await new_tenant(slug)
        await tenant_deletions.accept(services.database, slug)
        await worked_off(services, slug)
    with psycopg.connect(owner_url) as owner:
        owner.execute("update tenant_deletions set finished_at = now() - interval '31 days' where tenant = 'long-ago'")
    await sweep_jobs(services)
    with pytest.raises(NotFound):
        await tenant_deletions.newest(services.database, "long-ago")
    assert (await tenant_deletions.newest(services.database, "of-late")).status == "succeeded"
