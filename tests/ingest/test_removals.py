"""Files go soon after the last row that names them, in whatever way it went; none while a backup holds them."""

from __future__ import annotations

import io

import psycopg
import pytest

from app.adapters import registry
from app.storage import removals
from app.storage.removals import RemovalsHeld
from app.storage.tenants import create_tenant, tenant_by_slug
from ingest.cleanup import remove_noted, sweep, sweep_adapters
from ingest.jobs import queue
from tests.conftest import NewTenant, ingest_text
from tests.deleting import without_rows
from tests.ingest.test_cleanup import blobs
from tests.ingest.working import Worker, accept

pytestmark = pytest.mark.usefixtures("nothing_queued")


async def stored(services, client, text: str, *, id: str) -> None:
    async with Worker(services):
        await ingest_text(client, text, id=id)


@pytest.fixture
async def kept(services):
    """The files that are there before the test."""
    await remove_noted(services)
    return blobs(services.settings)


@pytest.fixture
def held(owner_url):
    """As while a backup copies."""
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("insert into removal_holds values ('test', now() + interval '1 minute')")
        yield
        owner.execute("delete from removal_holds")


async def test_a_replaced_file_goes_and_the_new_one_stays(services, kept, new_tenant: NewTenant):
    client = await new_tenant()
    await stored(services, client, "Old.", id="file")
    (old,) = blobs(services.settings) - kept
    await stored(services, client, "New.", id="file")
    assert await remove_noted(services) == 1
    (new,) = blobs(services.settings) - kept
    assert new != old
    assert new.read_text() == "New."


async def test_unchanged_bytes_leave_no_second_file(services, kept, new_tenant: NewTenant):
    client = await new_tenant()
    for _ in range(2):
        await stored(services, client, "같은 글", id="file")
    assert await remove_noted(services) == 1
    assert len(blobs(services.settings) - kept) == 1


@pytest.mark.parametrize("way", ["failed", "cancelled", "job deleted"])
async def test_an_upload_that_comes_to_nothing_leaves_no_file(services, kept, owner_url, new_tenant: NewTenant, way):
    client = await new_tenant()
    job = await accept(client, "Nothing comes of it.", id="file")
    assert await remove_noted(services) == 0
    if way == "failed":
        claimed = await queue.claim(services.database, "w", "ingest", lease_s=60)
        await queue.fail(services.database, claimed, "corrupt", "It is damaged.")
    elif way == "cancelled":
        await client.delete(f"/jobs/{job}")
    else:
        with psycopg.connect(owner_url, autocommit=True) as owner:
            owner.execute("delete from jobs where id = %s", [job])
    assert await remove_noted(services) == 1
    assert blobs(services.settings) == kept


async def test_an_adapters_archive_goes_after_its_check_and_with_the_adapter(services, kept):
    await create_tenant(services.database, "outbox", "O")
    tenant = (await tenant_by_slug(services.database, "outbox")).number
    for version, end in enumerate(("checked", "deleted"), start=1):
        blob = await services.blobs.save(tenant, io.BytesIO(b"%d" % version))
        await registry.create_version(services.database, tenant, "tone", blob)
        if end == "checked":
            await registry.set_status(services.database, tenant, "tone", version, "loading")
        else:
            await registry.delete(services.database, tenant, "tone", version)
        assert await remove_noted(services) == 1
        assert blobs(services.settings) == kept


async def test_a_deleted_tenants_folder_goes_as_a_whole(services, kept, new_tenant: NewTenant):
    client = await new_tenant("outbox-folder")
    await stored(services, client, "One.", id="one")
    await stored(services, client, "Two.", id="two")
    (folder,) = {path.parent for path in blobs(services.settings) - kept}
    await without_rows(services.database, "outbox-folder")
    assert await remove_noted(services) == 3, "each file, and the folder with what else is in it"
    assert not folder.exists()


async def test_nothing_goes_while_a_backup_holds_it(held, services, kept, new_tenant: NewTenant):
    client = await new_tenant()
    await stored(services, client, "Old.", id="file")
    await stored(services, client, "New.", id="file")
    files = blobs(services.settings) - kept
    assert len(files) == 2
    assert await remove_noted(services) == 0
    for sweeping in (sweep(services, older_than_s=-1), sweep_adapters(services, unfinished_s=-1)):
        with pytest.raises(RemovalsHeld):
            await sweeping
    assert blobs(services.settings) - kept == files


async def test_a_hold_ends_by_itself(services, kept, owner_url):
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("insert into removal_holds values ('dead', now() - interval '1 second')")
        owner.execute("insert into removals (tenant_id, path) values (1, '1/nothing')")
    assert [each.path for each in await removals.list_due(services.database, limit=1)] == ["1/nothing"]
    assert await sweep(services) == 0


async def test_a_tenant_reads_no_row_of_the_outbox(services, new_tenant: NewTenant, owner_url):
    tenant = (await tenant_by_slug(services.database, "default")).number
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        async with services.database.transaction(tenant) as connection:
            await connection.execute("select from removals")
