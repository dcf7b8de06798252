"""Adapters through object storage: checked here, stored by their digest, sent to engines that share no folder."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import os
import tarfile
from pathlib import Path

import psycopg
import pytest

from app.adapters import activation, registry
from app.adapters.folders import adapter_of
from app.adapters.reconciler import AdapterReconciler
from app.metrics import Metrics
from app.storage.moving_adapters import move_adapters
from app.storage.object_storage import ObjectStorage
from app.storage.peft_folder import CONFIG, FILES, WEIGHTS
from app.storage.removals import RemovalsHeld
from ingest.adapters import check_task
from ingest.adapters.removal import sweep_archives
from ingest.cleanup import remove_noted, sweep_adapters
from ingest.jobs import queue
from ingest.jobs.queue import LeaseLost
from tests.app.fake_engine import FakeEngine, engine_guard, engine_of, fake_engines
from tests.deleting import without_rows
from tests.ingest.adapters.made import files, tar_gz, tensors
from tests.s3 import new_bucket

pytestmark = pytest.mark.usefixtures("base", "no_open_tasks")
BASE, OTHER = {"yes": 0.9, "no": 0.1}, {"no": 0.8, "yes": 0.2}


@pytest.fixture
def remote(services, s3, monkeypatch):
    """The services of an installation whose files lie in object storage."""
    return dataclasses.replace(services, storage=ObjectStorage(new_bucket(s3, monkeypatch)))


@pytest.fixture
async def number(new_number, remote) -> int:
    await remove_noted(remote)
    return await new_number()


@pytest.fixture
async def engines(tmp_path):
    """Two replicas on hosts of their own."""
    guard = engine_guard()
    fakes = [FakeEngine(held=guard.Adapters(tmp_path / f"host-{number}")) for number in range(2)]
    async with fake_engines(*fakes):
        yield fakes


async def send(services, number, seed=0):
    blob = await services.blobs.save(number, io.BytesIO(tar_gz(files(tensors(layers=range(2), seed=seed)))))
    return (await registry.create_version(services.database, number, "tone", blob))[0]


async def check(services, engines) -> None:
    engine = engine_of(*(fake.replica() for fake in engines))
    while (task := await queue.claim(services.database, "w", "check", lease_s=60)) is None:
        await asyncio.sleep(0.05)
    for fake in engines:
        fake.said = {"smollm2": BASE, **dict.fromkeys(await names(services, task.tenant), OTHER)}
    try:
        await check_task.check_adapter(dataclasses.replace(services, engine=engine), task)
    finally:
        await engine.close()


async def names(services, number) -> list[str]:
    return [each.engine_name for each in await registry.versions(services.database, number, limit=100)]


async def archives(services) -> dict[str, bytes]:
    paths = [each.path async for each in services.storage.list("adapters")]
    return {path: b"".join([part async for part in services.storage.read(path)]) for path in paths}


def unpacked(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {name: tar.extractfile(name).read() for name in tar.getnames()}


def told(fake: FakeEngine, name: str) -> dict[str, bytes]:
    """What lies in the folder that the engine was told."""
    return {each.name: each.read_bytes() for each in Path(fake.adapters[name]).iterdir()}


async def test_a_checked_adapter_is_stored_by_its_digest_and_each_engine_gets_these_bytes(remote, number, engines):
    sent = await send(remote, number)
    await check(remote, engines)
    found = await registry.get(remote.database, number, "tone")
    assert (found.status, found.error_detail) == ("ready", None)
    ((path, archive),) = (await archives(remote)).items()
    assert path == f"adapters/{number}/{sent.engine_name}/{hashlib.sha256(archive).hexdigest()}.tar"
    assert found.digest == hashlib.sha256(archive).hexdigest()
    content = unpacked(archive)
    assert set(content) == set(FILES)
    assert content[WEIGHTS] == files(tensors(layers=range(2)))[WEIGHTS]
    assert content[CONFIG] != files(tensors(layers=range(2)))[CONFIG]
    for fake in engines:
        assert told(fake, found.engine_name) == content
    assert len({fake.adapters[found.engine_name] for fake in engines}) == 2
    # Nothing but the archive is kept here.
    assert [each for each in remote.settings.adapters.rglob("*") if each.is_file()] == []


async def test_an_engine_that_starts_elsewhere_gets_what_is_active(remote, number, engines, tmp_path):
    await send(remote, number)
    await check(remote, engines)
    await activation.activate(remote.database, number, "tone", 1)
    (name,) = await names(remote, number)
    started = FakeEngine(held=engine_guard().Adapters(tmp_path / "another host"), said={name: OTHER})
    async with fake_engines(started):
        engine = engine_of(started.replica())
        await AdapterReconciler(remote.settings, remote.storage, remote.database, engine, Metrics()).once()
        await engine.close()
    assert told(started, name) == told(engines[0], name)


async def test_one_that_is_damaged_is_not_loaded_and_keeps_no_other_from_it(remote, number, engines, new_number):
    await send(remote, number, seed=2)
    await check(remote, engines)
    await activation.activate(remote.database, number, "tone", 1)
    other = await new_number()
    await send(remote, other, seed=1)
    await check(remote, engines)
    await activation.activate(remote.database, other, "tone", 1)
    for path, archive in (await archives(remote)).items():
        if path.startswith(f"adapters/{number}/"):
            await remote.storage.put(path, io.BytesIO(archive[:-1] + b"x"))
    for fake in engines:
        fake.adapters.clear()
        fake.held = engine_guard().Adapters(Path(fake.held.folder).parent / "restarted")
    engine = engine_of(*(fake.replica() for fake in engines))
    await AdapterReconciler(remote.settings, remote.storage, remote.database, engine, Metrics()).once()
    await engine.close()
    for fake in engines:
        assert set(await names(remote, other)) <= fake.adapters.keys()
        assert not set(await names(remote, number)) & fake.adapters.keys()


async def test_what_is_deleted_goes_from_the_storage_by_the_outbox(remote, number, engines):
    for seed in range(2):
        await send(remote, number, seed)
        await check(remote, engines)
    both = await archives(remote)
    assert len(both) == 2
    await registry.delete(remote.database, number, "tone", 1)
    await remove_noted(remote)
    (left,) = await archives(remote)
    assert "--v2--" in left
    # An engine that has it open goes on with its own copy.
    assert all(told(fake, name) for fake in engines for name in fake.adapters)


async def test_what_is_rejected_after_it_was_stored_goes_too(remote, number, engines):
    for fake in engines:
        fake.load_status = 500
    await send(remote, number)
    await check(remote, engines)
    assert (await registry.get(remote.database, number, "tone")).status == "rejected"
    await remove_noted(remote)
    assert await archives(remote) == {}


async def test_nothing_goes_while_a_backup_holds_it(remote, number, engines, owner_url):
    await send(remote, number)
    await check(remote, engines)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("insert into removal_holds values ('test', now() + interval '1 minute')")
        try:
            await registry.delete(remote.database, number, "tone")
            assert await remove_noted(remote) == 0
            with pytest.raises(RemovalsHeld):
                await sweep_archives(remote, older_than_s=-60)
        finally:
            owner.execute("delete from removal_holds")
    assert len(await archives(remote)) == 1
    await remove_noted(remote)
    assert await archives(remote) == {}


async def test_a_deleted_tenants_archives_go(remote, number, engines, owner_url):
    await send(remote, number)
    await check(remote, engines)
    with psycopg.connect(owner_url, autocommit=True) as owner:
        owner.execute("set role kyujang_operator")
        (slug,) = owner.execute("select slug from tenants where id = %s", [number]).fetchone()
    await without_rows(remote.database, slug)
    await remove_noted(remote)
    assert await archives(remote) == {}


async def test_what_no_version_names_is_swept_and_what_one_names_stays(remote, number, engines, monkeypatch):
    await send(remote, number)
    await check(remote, engines)
    real = check_task.check_archive

    async def deleted_meanwhile(settings, archive, folder, report):
        found = await real(settings, archive, folder, report)
        await registry.delete(remote.database, number, "tone", 2)
        return found

    monkeypatch.setattr(check_task, "check_archive", deleted_meanwhile)
    monkeypatch.setattr(queue, "renew", lambda *_, **__: asyncio.sleep(0))
    await send(remote, number, seed=1)
    with pytest.raises(LeaseLost):
        await check(remote, engines)
    assert len(await archives(remote)) == 2
    assert await sweep_archives(remote) == 0
    assert await sweep_archives(remote, older_than_s=-60) == 1
    (left,) = await archives(remote)
    assert "--v1--" in left


async def test_a_death_between_storing_and_commit_is_made_good(remote, number, engines, monkeypatch):
    await send(remote, number)
    real = registry.set_status

    async def dies(*arguments, **values):
        if arguments[4] == "loading":
            raise RuntimeError("killed")
        return await real(*arguments, **values)

    with monkeypatch.context() as patch:
        patch.setattr(registry, "set_status", dies)
        task = await queue.claim(remote.database, "dead", "check", lease_s=0)
        with pytest.raises(RuntimeError):
            await check_task.check_adapter(remote, task)
    before = await archives(remote)
    await check(remote, engines)
    assert (await registry.get(remote.database, number, "tone")).status == "ready"
    assert await archives(remote) == before


async def test_what_lies_in_the_folder_is_moved_while_it_is_served(remote, number, engines, services):
    await send(services, number)
    await check(services, engines)
    (name,) = await names(services, number)
    folder = services.settings.adapters / str(number) / name
    before = {each.name: each.read_bytes() for each in folder.iterdir()}
    os.utime(folder, (0, 0))
    assert await move_adapters(services.database, services.settings.adapters, remote.storage) >= 1
    assert await move_adapters(services.database, services.settings.adapters, remote.storage) == 0
    (archive,) = [content for path, content in (await archives(remote)).items() if name in path]
    assert unpacked(archive) == before
    # Engines that run go on with the folder.
    await sweep_adapters(services)
    assert folder.is_dir()
    for fake in engines:
        fake.adapters.clear()
    await activation.activate(services.database, number, "tone", 1)
    engine = engine_of(*(fake.replica() for fake in engines))
    await AdapterReconciler(remote.settings, remote.storage, remote.database, engine, Metrics()).once()
    await engine.close()
    assert [told(fake, name) for fake in engines] == [before] * 2
    os.utime(folder, (0, 0))
    await sweep_adapters(services)
    assert not folder.exists()


async def test_what_still_lies_in_the_folder_is_read_from_there(remote, number, engines, services):
    """As after a change of KYUJANG_STORAGE."""
    await send(services, number)
    await check(services, engines)
    found = await registry.get(services.database, number, "tone")
    assert (found.status, found.digest) == ("ready", None)
    handle = adapter_of(remote.settings, remote.storage, found.published(number))
    assert handle.files == str(remote.settings.adapters / str(number) / found.engine_name)
