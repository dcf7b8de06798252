"""The way of an adapter with the real worker and database, up to the engine."""

from __future__ import annotations

import asyncio
import io
import os
import time

import numpy as np
import psycopg
import pytest

from app.adapters import activation, registry
from app.adapters.folders import version_folder
from app.storage.peft_folder import CONFIG, WEIGHTS
from ingest.adapters import check_task
from ingest.adapters.rejection import Rejected
from ingest.cleanup import remove_noted, sweep, sweep_adapters
from ingest.jobs import queue
from tests.ingest.adapters.made import files, tar_gz, tensors
from tests.ingest.working import Worker

FEW = range(2)

pytestmark = pytest.mark.usefixtures("base", "no_open_tasks")


@pytest.fixture
async def tenant(new_number) -> int:
    return await new_number()


async def send(services, tenant, archive, name="tone"):
    blob = await services.blobs.save(tenant, io.BytesIO(archive))
    return (await registry.create_version(services.database, tenant, name, blob))[0]


async def settled(services, tenant, name="tone", version=None, *, until=("loading", "rejected", "failed")):
    async with asyncio.timeout(60):
        while True:
            found = await registry.get(services.database, tenant, name, version)
            if found.status in until:
                return found
            await asyncio.sleep(0.05)


async def claim(services, lease_s=30, worker="w"):
    return await queue.claim(services.database, worker, "check", lease_s=lease_s)


async def on_disk(services, tenant) -> set[str]:
    await remove_noted(services)
    folders = (services.settings.adapters / str(tenant), services.settings.blobs / str(tenant))
    return {path.name for folder in folders for path in folder.rglob("*") if path.is_file()}


def good(seed=0) -> bytes:
    return tar_gz(files(tensors(layers=FEW, seed=seed)))


async def test_a_good_adapter_is_published_and_its_archive_goes(services, tenant):
    sent = await send(services, tenant, good())
    async with Worker(services):
        found = await settled(services, tenant)
    assert found.status == "loading"
    assert (found.base_model, found.rank, found.target_modules) == ("smollm2", 8, ["q_proj", "v_proj"])
    assert [check.name for check in found.checks if check.ok][-1] == "magnitude"
    assert found.bytes == sent.bytes
    assert await on_disk(services, tenant) == {CONFIG, WEIGHTS}
    folder = version_folder(services.settings, tenant, found.engine_name)
    assert folder == services.settings.adapters / str(tenant) / found.engine_name
    assert folder.is_dir()


@pytest.mark.parametrize(
    ("archive", "check"),
    [
        (b"no archive at all", "archive"),
        (tar_gz({CONFIG: b"{}", "adapter_model.bin": b"\x80\x04"}), "archive"),
        (tar_gz(files(tensors(layers=[900]))), "shapes"),
        (tar_gz(files({name: each * np.nan for name, each in tensors(layers=FEW).items()})), "finite"),
    ],
)
async def test_a_bad_one_is_rejected_with_the_reason_and_leaves_nothing(services, tenant, archive, check):
    await send(services, tenant, archive)
    async with Worker(services):
        found = await settled(services, tenant)
        assert await on_disk(services, tenant) == set()
    assert found.status == "rejected"
    assert (found.checks[-1].name, found.checks[-1].ok) == (check, False)
    assert found.error_detail == found.checks[-1].detail


async def test_without_a_base_model_it_is_the_service_s_fault(services, tenant, base):
    (base / "config.json").rename(base / "hidden")
    try:
        await send(services, tenant, good())
        async with Worker(services):
            found = await settled(services, tenant)
    finally:
        (base / "hidden").rename(base / "config.json")
    assert found.status == "failed"
    assert "KYUJANG_BASE_MODEL" in found.error_detail
    assert await on_disk(services, tenant) == set()


async def test_a_check_goes_on_after_a_worker_s_death(services, tenant):
    sent = await send(services, tenant, good())
    dead = await claim(services, lease_s=0)
    folder = services.settings.adapters / str(tenant) / f".{sent.engine_name}.{dead.job_id}-1"
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(b"half of it")
    async with Worker(services):
        found = await settled(services, tenant)
    assert found.status == "loading"
    assert [path.name for path in folder.parent.iterdir() if path != folder] == [found.engine_name]
    os.utime(folder, (0, 0))
    await sweep_adapters(services)
    assert [path.name for path in folder.parent.iterdir()] == [found.engine_name]


async def test_a_death_between_rename_and_commit_is_made_good(services, tenant, monkeypatch):
    await send(services, tenant, good())
    task = await claim(services, lease_s=0)
    real = registry.set_status

    async def dies(*arguments, **values):
        if arguments[4] == "loading":
            raise RuntimeError("killed")
        return await real(*arguments, **values)

    with monkeypatch.context() as patch:
        patch.setattr(registry, "set_status", dies)
        with pytest.raises(RuntimeError):
            await check_task.check_adapter(services, task)
    async with Worker(services):
        found = await settled(services, tenant)
    assert found.status == "loading"
    assert await on_disk(services, tenant) == {CONFIG, WEIGHTS}


async def test_a_version_deleted_while_it_is_checked_is_left(services, tenant, monkeypatch):
    await send(services, tenant, good())
    task = await claim(services)
    real = check_task.check_archive

    async def slow(settings, archive, folder, report):
        found = await real(settings, archive, folder, report)
        await registry.delete(services.database, tenant, "tone")
        return found

    monkeypatch.setattr(check_task, "check_archive", slow)
    with pytest.raises(queue.LeaseLost):
        await check_task.check_adapter(services, task)
    assert await on_disk(services, tenant) == set()


async def test_a_passing_fault_is_tried_again_and_in_the_end_it_has_failed(services, tenant, monkeypatch):
    async def broken(*_):
        raise OSError("the disk has an odd moment")

    monkeypatch.setattr(check_task, "check_archive", broken)
    monkeypatch.setattr("ingest.jobs.retry.RETRY_DELAYS_S", (0, 0, 0, 0))
    await send(services, tenant, good())
    async with Worker(services):
        found = await settled(services, tenant)
    assert found.status == "failed"
    assert "log" in found.error_detail
    assert "odd moment" not in found.error_detail
    assert await on_disk(services, tenant) == set()


async def test_what_an_engine_refuses_is_rejected_and_its_files_go_later(services, tenant, monkeypatch):
    async def refused(*_):
        raise Rejected("loaded", "The engine does not take it.")

    monkeypatch.setattr(check_task, "load", refused)
    await send(services, tenant, good())
    async with Worker(services):
        found = await settled(services, tenant, until=("rejected",))
    assert found.checks[-1].name == "loaded"
    # An engine may have them open.
    assert await on_disk(services, tenant) == {CONFIG, WEIGHTS}
    assert await activation.of_use(services.database, [found.engine_name]) == set()


async def test_an_archive_that_waits_is_not_swept_away(services, tenant):
    await send(services, tenant, good())
    await sweep(services, older_than_s=-1)
    assert len(await on_disk(services, tenant)) == 1
    async with Worker(services):
        assert (await settled(services, tenant)).status == "loading"


async def test_a_deleted_adapter_s_files_go_after_the_grace_and_no_other_s(services, tenant):
    for seed in (1, 2):
        await send(services, tenant, good(seed))
    async with Worker(services):
        for version in (1, 2):
            await settled(services, tenant, version=version)
    await registry.delete(services.database, tenant, "tone", 1)
    root = services.settings.adapters / str(tenant)
    old = time.time() - 25 * 3600
    for folder in root.iterdir():
        os.utime(folder, (old, old))
    gone, stays = sorted(root.iterdir())
    await sweep_adapters(services)
    assert gone.is_dir()
    with psycopg.connect(services.settings.owner_url) as connection:
        connection.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
        connection.execute(
            "update adapter_versions set deleted_at = now() - interval '25 hours' where tenant_id = %s and version = 1",
            [tenant],
        )
    assert await sweep_adapters(services) == 1
    assert not gone.exists()
    assert stays.is_dir()
    assert await activation.of_use(services.database, [gone.name, stays.name]) == {stays.name}


async def test_a_deleted_tenant_s_files_go_after_the_grace(services):
    folder = services.settings.adapters / "999999" / "t999999--tone--v1"
    folder.mkdir(parents=True)
    assert await sweep_adapters(services) == 0
    old = time.time() - 25 * 3600
    os.utime(folder, (old, old))
    assert await sweep_adapters(services) == 1
    assert not folder.exists()
