"""The way of a document where uploaded files are kept in object storage."""

from __future__ import annotations

import asyncio
import io
import secrets

import psycopg
import pytest

from app.settings import Settings
from app.storage.backup.make import make_backup
from app.storage.backup.reading import open_backup
from app.storage.object_storage import open_object_storage
from app.storage.tenants import tenant_by_slug
from ingest import tenant_deletion
from ingest.cleanup import remove_noted, sweep
from tests.conftest import ADMIN_KEY, NewTenant, home_with, ingest_text
from tests.s3 import breaking_proxy, new_bucket

FILE = "해자는 깊이가 9미터이다. The moat is nine metres deep.\n" * 20


@pytest.fixture(scope="module")
def broken(s3):
    with pytest.MonkeyPatch.context() as patch, breaking_proxy(s3) as (address, broken):
        broken.url = str(new_bucket(s3, patch))
        patch.setenv("AWS_ENDPOINT_URL", address)
        yield broken


@pytest.fixture(scope="module")
def settings(owner_url, scratch, models, broken) -> Settings:
    home = home_with(models, scratch / secrets.token_hex(4))
    return Settings(
        database_url=owner_url, home=home, engine="none", admin_key=ADMIN_KEY, lease_s=2, storage=broken.url
    )


async def objects(settings, tenant: int | str = "") -> list[str]:
    return [each.path async for each in open_object_storage(settings.storage).list(f"blobs/{tenant}")]


def files(settings) -> list:
    return [path for folder in (settings.blobs, settings.scratch) for path in folder.rglob("*") if path.is_file()]


async def test_a_document_is_taken_in_read_replaced_and_deleted(worker, services, new_tenant: NewTenant, tmp_path):
    client = await new_tenant("shelf")
    number = (await tenant_by_slug(services.database, "shelf")).number
    sent = await client.post("/ingest?wait=60", data={"id": "moat"}, files={"file": ("해자.txt", FILE.encode())})
    assert sent.json()["status"] == "succeeded", sent.text
    (first,) = await objects(services.settings, number)
    whole = await client.get("/documents/moat/content")
    assert (whole.status_code, whole.text) == (200, FILE)
    part = await client.get("/documents/moat/content", headers={"Range": "bytes=-9"})
    assert (part.status_code, part.content) == (206, FILE.encode()[-9:])

    manifest = await asyncio.to_thread(make_backup, services.settings, tmp_path, lambda *_: None)
    assert (manifest.file_count, manifest.damaged) == (1, [])
    with open_backup(tmp_path, None, services.settings.home) as backup:
        backup.check(lambda *_: None)

    await ingest_text(client, "It is filled in now.", id="moat")
    while await remove_noted(services):
        pass
    (second,) = await objects(services.settings, number)
    assert second != first
    assert (await client.delete("/documents/moat")).status_code == 204
    while await remove_noted(services):
        pass
    assert await objects(services.settings, number) == []
    assert (await client.get("/documents/moat/content")).status_code == 404
    assert files(services.settings) == []


async def test_an_outage_refuses_uploads_and_holds_accepted_ones(worker, services, new_tenant: NewTenant, broken):
    client = await new_tenant("outage")
    number = (await tenant_by_slug(services.database, "outage")).number
    broken.rule = lambda method, path: "403"
    try:
        refused = await client.post("/ingest", json={"documents": [{"id": "lost", "text": "Never stored."}]})
        assert (refused.status_code, refused.json()["code"]) == (503, "storage_unavailable")
        assert "retry-after" in refused.headers
        assert "s3" not in refused.json()["detail"]
        # Accepted, and out of reach when the worker would read it.
        broken.rule = lambda method, path: "403" if method == "GET" else None
        accepted = (await client.post("/ingest", json={"documents": [{"id": "kept", "text": "Stored."}]})).json()
        assert accepted["status"] in ("queued", "running")
        while not any(method == "GET" and fault for method, _, fault in broken.seen):
            await asyncio.sleep(0.05)
        job = (await client.get(f"/jobs/{accepted['id']}")).json()
        assert job["counts"]["failed"] == 0
    finally:
        broken.rule = lambda method, path: None
    with psycopg.connect(services.settings.owner_url) as owner:
        owner.execute("set role kyujang_operator")
        owner.execute("update job_items set not_before = now() where status = 'queued'")
    while (await client.get(f"/jobs/{accepted['id']}")).json()["status"] != "succeeded":
        await asyncio.sleep(0.1)
    assert len(await objects(services.settings, number)) == 1


async def test_what_nothing_refers_to_is_swept_and_the_rest_stays(worker, services, new_tenant: NewTenant):
    client = await new_tenant("sweep")
    await ingest_text(client, "Stored.", id="stored")
    while await remove_noted(services):
        pass
    before = await objects(services.settings)
    number = (await tenant_by_slug(services.database, "sweep")).number
    left = [await services.blobs.save(tenant, io.BytesIO(b"left")) for tenant in (number, 999_999)]
    assert await sweep(services) == 0
    assert await sweep(services, older_than_s=-5) == len(left)
    assert sorted(await objects(services.settings)) == sorted(before)


async def test_a_deleted_tenant_leaves_no_object(worker, settled, services, anonymous, new_tenant: NewTenant):
    client = await new_tenant("leaving")
    number = (await tenant_by_slug(services.database, "leaving")).number
    await ingest_text(client, "Stored.", "Stored too.")
    assert len(await objects(services.settings, number)) == 2
    gone = await anonymous.delete("/tenants/leaving", headers={"Authorization": f"Bearer {ADMIN_KEY}"})
    assert gone.status_code == 202
    assert await tenant_deletion.delete_next(services, "worker")
    assert await objects(services.settings, number) == []
