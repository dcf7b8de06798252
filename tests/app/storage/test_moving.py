"""python -m app storage move: from the folder to object storage, while the files are used."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import psycopg
import pytest

from app.__main__ import main
from app.storage.blobs import FolderBlobs
from app.storage.moving import Moved, move_blobs
from app.storage.object_blobs import ObjectBlobs
from app.storage.object_storage import ObjectStorage, StorageUnavailable
from ingest.cleanup import remove_noted
from tests.conftest import ingest_text
from tests.s3 import breaking_proxy, new_bucket

TEXTS = [f"Document {n}: 문서 {n}." for n in range(5)]


@pytest.fixture
def storage(s3, monkeypatch) -> ObjectStorage:
    return ObjectStorage(new_bucket(s3, monkeypatch))


@pytest.fixture(scope="module")
async def named(services, worker, new_tenant) -> dict[str, bytes]:
    """The files of two tenants' documents, and their hashes."""
    for _ in range(2):
        await ingest_text(await new_tenant(), *TEXTS)
    while await remove_noted(services):
        pass
    with psycopg.connect(services.settings.owner_url) as owner:
        return dict(owner.execute("select blob, sha256 from documents").fetchall())


@pytest.fixture
def folder(named, services, tmp_path) -> Path:
    """A copy of the files for each test."""
    return shutil.copytree(services.settings.blobs, tmp_path / "blobs")


def move(services, folder, storage, *, remove: bool):
    return move_blobs(services.database, folder, storage, remove=remove, tell=lambda *_: None)


async def read(blobs, path: str) -> bytes:
    return b"".join([part async for part in blobs.read(path)])


async def objects(storage) -> set[str]:
    return {each.path.removeprefix("blobs/") async for each in storage.list()}


async def test_files_are_copied_then_removed_and_readable_all_the_time(services, storage, named, folder, tmp_path):
    contents = {path: (folder / path).read_bytes() for path in named}
    both = ObjectBlobs(storage, FolderBlobs(folder), tmp_path / "scratch")
    assert {path: await read(both, path) for path in named} == contents

    (folder / "2" / "of-no-row").write_text("left behind")
    copied = await move(services, folder, storage, remove=False)
    assert (copied.copied, copied.removed_from_folder, copied.damaged) == (len(named), 0, [])
    assert await objects(storage) == named.keys()
    assert {path: await read(both, path) for path in named} == contents

    moved = await move(services, folder, storage, remove=True)
    assert (moved.copied, moved.there_already, moved.removed_from_folder) == (0, len(named), len(named))
    assert [path.name for path in folder.rglob("*") if path.is_file()] == ["of-no-row"]
    assert {path: await read(both, path) for path in named} == contents
    assert await move(services, folder, storage, remove=True) == Moved()


async def test_one_that_was_stopped_goes_on_where_it_was(services, s3, monkeypatch, named, folder):
    url = new_bucket(s3, monkeypatch)
    with breaking_proxy(s3) as (address, broken):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        storage, puts = ObjectStorage(url), []

        def third_fails(method: str, path: str) -> str | None:
            if method == "PUT":
                puts.append(path)
            return "403" if method == "PUT" and len(puts) > 2 else None

        broken.rule = third_fails
        with pytest.raises(StorageUnavailable):
            await move(services, folder, storage, remove=False)
        there = await objects(storage)
        assert 0 < len(there) < len(named)
        broken.rule = lambda method, path: None
        again = await move(services, folder, storage, remove=False)
        assert (again.there_already, again.copied) == (len(there), len(named) - len(there))


async def test_a_damaged_file_is_named_and_stays(services, storage, named, folder):
    first = min(named)
    damaged = folder / first
    content = damaged.read_bytes()
    damaged.write_bytes(b"X" + content[1:])
    moved = await move(services, folder, storage, remove=True)
    assert moved.damaged == [first]
    assert damaged.exists()
    assert await objects(storage) == named.keys() - {first}
    damaged.write_bytes(content)
    assert (await move(services, folder, storage, remove=False)).copied == 1


async def test_nothing_goes_while_a_backup_copies(services, storage, named, folder):
    with psycopg.connect(services.settings.owner_url) as owner:
        owner.execute("insert into removal_holds (id, until) values ('a backup', now() + interval '1 minute')")
        owner.commit()
        moved = await move(services, folder, storage, remove=True)
        owner.execute("delete from removal_holds")
    assert (moved.removed_from_folder, moved.held_by_backup) == (0, len(named))
    assert all((folder / path).exists() for path in named)


async def test_the_command_says_what_comes_next(services, storage, named, capsys, monkeypatch):
    monkeypatch.setenv("KYUJANG_HOME", str(services.settings.home))
    monkeypatch.setenv("DATABASE_URL", services.settings.owner_url)
    url = str(storage.url)
    assert await asyncio.to_thread(main, ["storage", "move", url, "--json"]) == 0
    out = capsys.readouterr()
    assert json.loads(out.out)["copied"] == len(named)
    assert f"KYUJANG_STORAGE={url}" in out.err
    monkeypatch.setenv("KYUJANG_STORAGE", url)
    assert await asyncio.to_thread(main, ["storage", "move", url]) == 0
    assert f"{len(named)} removed from the folder" in capsys.readouterr().out
    assert await asyncio.to_thread(main, ["storage", "move", url + "-other"]) == 1
    monkeypatch.delenv("KYUJANG_STORAGE")
    assert await asyncio.to_thread(main, ["storage", "move", "s3://no-such-bucket"]) == 1
    assert "no such bucket" in capsys.readouterr().err
