"""A bad export, a full disk or a killed import leaves nothing behind, and a clear error."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace

import psycopg
import pytest

from app.bootstrap import open_services
from app.errors import Conflict, InvalidInput, NotFound
from app.storage.backup import reading
from app.storage.backup.destinations import FolderDestination, list_backups
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import make_backup
from app.storage.backup.manifest import Manifest, load_manifest
from app.storage.backup.reading import open_backup
from app.storage.backup.restore import restore
from ingest.cleanup import remove_noted, sweep_adapters
from tests.app.storage.export.moving import MOVED, bring_back, export, query, silent
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def documents() -> int:
    return 3


@pytest.fixture(scope="module")
async def exported(tenants, settings, tmp_path_factory):
    place = tmp_path_factory.mktemp("exports") / "library"
    await asyncio.to_thread(export, settings, place)
    return place


@pytest.fixture
def copy(exported, tmp_path):
    """A copy of the export that may be spoilt, and its own folder."""
    shutil.copytree(exported, tmp_path / "copy")
    return tmp_path / "copy"


def own(copy):
    return copy / "backups" / list_backups(copy)[0]


def files(settings) -> list[str]:
    folders = (settings.blobs, settings.adapters)
    return [str(path) for folder in folders for path in folder.rglob("*") if path.is_file()]


def nothing_there(settings) -> bool:
    return [*query(settings, "select slug from tenants"), *files(settings)] == [("default",)]


def forge(copy, change) -> None:
    """Change rows, and give the manifest and its hashes what fits them."""
    rows = own(copy) / "rows.jsonl"
    rows.write_text(change(rows.read_text()))
    manifest = load_manifest((own(copy) / "manifest.json").read_bytes())
    content = rows.read_bytes()
    file = replace(manifest.database, size=len(content), sha256=hashlib.sha256(content).hexdigest())
    (own(copy) / "manifest.json").write_bytes(replace(manifest, database=file).dump())


@pytest.mark.parametrize("part", ["blobs", "adapters", "rows.jsonl", "files.jsonl", "manifest.json"])
async def test_a_changed_byte_is_named(copy, elsewhere, part):
    tampered = next(path for path in sorted(copy.rglob("*")) if path.is_file() and part in str(path.relative_to(copy)))
    content = bytearray(tampered.read_bytes())
    content[len(content) // 2] ^= 1
    tampered.write_bytes(content)
    with pytest.raises(BackupDamaged, match=f"manifest|{tampered.name}"):
        await bring_back(elsewhere, copy)
    assert nothing_there(elsewhere)


async def test_a_missing_file_is_named(copy, elsewhere):
    gone = next(path for path in (copy / "blobs").rglob("*") if path.is_file())
    gone.unlink()
    with pytest.raises(BackupDamaged, match=gone.name):
        await bring_back(elsewhere, copy)


async def test_a_tar_that_is_cut_off_is_refused(tenants, settings, elsewhere, tmp_path):
    await asyncio.to_thread(export, settings, tmp_path / "e.tar")
    content = (tmp_path / "e.tar").read_bytes()
    (tmp_path / "e.tar").write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupFailed, match=r"whole \.tar|holds no backup"):
        await bring_back(elsewhere, tmp_path / "e.tar")
    assert nothing_there(elsewhere)
    assert [path.name for path in elsewhere.home.iterdir()] == ["models"]


async def test_an_export_and_a_backup_are_not_taken_for_each_other(exported, settings, elsewhere, tmp_path):
    await asyncio.to_thread(make_backup, settings, tmp_path / "backups", silent)
    with pytest.raises(BackupFailed, match="whole installation"):
        await bring_back(elsewhere, tmp_path / "backups")
    with open_backup(exported, None, tmp_path) as backup, pytest.raises(BackupFailed, match="tenant import"):
        restore(elsewhere, backup, replace=True, tell=silent)
    assert nothing_there(elsewhere)


async def test_an_export_of_a_newer_version_is_refused(exported, elsewhere, monkeypatch):
    monkeypatch.setattr("app.storage.export.load.newest_schema", lambda: "0001")
    with pytest.raises(BackupFailed, match="import it with that version, or a newer one"):
        await bring_back(elsewhere, exported)


async def test_a_column_that_this_database_lacks_is_named(copy, elsewhere):
    forge(copy, lambda rows: rows.replace('["documents", ["id",', '["documents", ["shelf", "id",'))
    with pytest.raises(BackupFailed, match="lacks shelf of documents"):
        await bring_back(elsewhere, copy)
    assert nothing_there(elsewhere)


@pytest.mark.parametrize("slug", ["", "Library", "a/b", "-a", "a" * 64, "도서관", "default", MOVED])
async def test_an_id_that_is_none_or_in_use_is_refused(exported, settings, slug):
    before = query(settings, "select count(*) from documents"), files(settings)
    error = Conflict if slug in ("default", MOVED) else InvalidInput
    with pytest.raises(error, match="already" if error is Conflict else "tenant's id"):
        await bring_back(settings, exported, slug)
    assert (query(settings, "select count(*) from documents"), files(settings)) == before


def test_an_unknown_tenant_is_not_exported(settings, tmp_path):
    with pytest.raises(NotFound, match="no tenant 'nobody'"):
        export(settings, tmp_path / "export", "nobody")
    assert list(tmp_path.iterdir()) == []


def test_an_export_shares_its_folder_with_nothing(exported, settings, tmp_path):
    (tmp_path / "mine").write_text("mine")
    for place in (tmp_path, exported):
        with pytest.raises(BackupFailed, match="not empty"):
            export(settings, place)
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("there", [True, False])
async def test_a_full_disk_leaves_no_export(tenants, settings, tmp_path, monkeypatch, there):
    place = tmp_path / "export"
    if there:
        place.mkdir()
    real = FolderDestination.add

    def full(self, source, path):
        if path.startswith("adapters/"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, source, path)

    monkeypatch.setattr(FolderDestination, "add", full)
    with pytest.raises(BackupFailed, match="no room left"):
        await asyncio.to_thread(export, settings, place)
    assert not place.exists() or list(place.iterdir()) == []


async def test_a_full_disk_leaves_no_import(exported, elsewhere, monkeypatch):
    real = reading.copy_file

    def full(source, target, path):
        if target.suffix == ".safetensors":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(source, target, path)

    monkeypatch.setattr(reading, "copy_file", full)
    with pytest.raises(BackupFailed, match="no room left"):
        await bring_back(elsewhere, exported)
    assert nothing_there(elsewhere)


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows.replace('"blob":"', '"blob":"9/../../'),
        lambda rows: rows.replace('"engine_name":"t', '"engine_name":"../t'),
        lambda rows: rows.replace('["documents", ["id",', '["documents", ["tenant_id", "id",'),
        lambda rows: rows.replace('["documents", [', '["tenants", ['),
        lambda rows: rows.replace('"ord":0', '"ord":1'),
        lambda rows: rows.replace('"media_type":', '"media_type":null,"was":'),
    ],
)
async def test_forged_rows_are_refused(copy, elsewhere, change):
    """The hashes fit, and still nothing of it reaches another tenant or another folder."""
    forge(copy, change)
    with pytest.raises((BackupDamaged, BackupFailed)):
        await bring_back(elsewhere, copy)
    assert nothing_there(elsewhere)


@pytest.mark.parametrize("path", ["blobs/../secret", "blobs/1/a/b", "adapters/1/t1--a--v1--00/x"])
async def test_a_forged_path_of_a_file_is_refused(copy, elsewhere, path):
    manifest = load_manifest((own(copy) / "manifest.json").read_bytes())
    secret = copy / path
    secret.parent.mkdir(parents=True, exist_ok=True)
    secret.write_text("of the machine")
    digest = hashlib.sha256(secret.read_bytes()).hexdigest()
    listed = (own(copy) / "files.jsonl").read_text()
    listed += json.dumps({"path": path, "size": 14, "sha256": digest}) + "\n"
    (own(copy) / "files.jsonl").write_text(listed)
    file = replace(manifest.files, size=len(listed.encode()), sha256=hashlib.sha256(listed.encode()).hexdigest())
    (own(copy) / "manifest.json").write_bytes(replace(manifest, files=file).dump())
    with pytest.raises(BackupDamaged, match=r"no Kyujang has written|keeps no file"):
        await bring_back(elsewhere, copy)
    assert nothing_there(elsewhere)


def test_a_manifest_is_read_as_it_was_written(exported):
    content = (own(exported) / "manifest.json").read_bytes()
    manifest = load_manifest(content)
    assert isinstance(manifest, Manifest)
    assert manifest.dump() == content
    assert asdict(manifest)["export"]["keys"][0]["scopes"]


KILLED = """
import asyncio, os, sys
from app.__main__ import main
from app.storage.export import load
owner = load.removals if sys.argv[1] == "withdraw" else load.Loading
setattr(owner, sys.argv[1], lambda *_, **__: os._exit(9))
main(["tenant", "import", "--as", "moved", sys.argv[2]])
"""


@pytest.mark.parametrize("step", ["compare", "refuse_unfit", "withdraw"])
async def test_of_an_import_that_was_killed_nothing_stays(exported, elsewhere, step):
    env = os.environ | {"DATABASE_URL": elsewhere.owner_url, "KYUJANG_HOME": str(elsewhere.home)}
    env["KYUJANG_ENGINE"] = "none"
    killed = [sys.executable, "-c", KILLED, step, str(exported)]
    done = await asyncio.to_thread(subprocess.run, killed, env=env, cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 9, done.stderr.decode()
    assert query(elsewhere, "select slug from tenants") == [("default",)]
    assert len(files(elsewhere)) > 3
    # Its hold ends by itself.
    with psycopg.connect(elsewhere.owner_url) as owner:
        owner.execute("update removal_holds set until = now()")
    async with open_services(elsewhere.model_copy(update={"adapter_grace_h": 0})) as services:
        await remove_noted(services)
        await sweep_adapters(services, unfinished_s=0)
    assert nothing_there(elsewhere)
    await bring_back(elsewhere, exported)
    assert query(elsewhere, "select slug from tenants order by id") == [("default",), ("moved",)]
