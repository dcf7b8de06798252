"""A backup of a running service is one point in time, and its restore gives the same service elsewhere."""

from __future__ import annotations

import asyncio
import errno
import importlib.metadata
import json
import tarfile
import tomllib
from pathlib import Path

import httpx
import psycopg
import pytest

from app.bootstrap import open_services
from app.main import create_app
from app.storage.backup import make
from app.storage.backup.bucket_destination import BucketDestination
from app.storage.backup.destinations import FolderDestination, keep_newest, open_destination
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import make_backup
from app.storage.migrate import migrate
from ingest.cleanup import remove_noted
from tests.app.storage.backup.backing import back_up, check, chunks, files, put_back, silent, tables
from tests.app.storage.backup.conftest import SHELF
from tests.app.storage.backup.kept import as_command, paths, read, write
from tests.conftest import ROOT, ingest_text
from tests.ingest.working import Worker


async def served(settings, client, method, path, **body):
    """What the restored service answers to the tenant's own key."""
    await asyncio.to_thread(migrate, settings, dimension=lambda: 384)
    async with open_services(settings) as services:
        app = create_app(settings, services)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=client.headers) as own:
                answer = await own.request(method, path, **body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_restored_service_answers_as_before(library, settings, elsewhere, any_place):
    manifest = back_up(settings, any_place)
    assert [(each.id, each.documents, each.adapters) for each in manifest.tenants] == [
        ("default", 0, 0), ("library", 2, 1), ("archive", 1, 0)
    ]  # fmt: skip
    assert manifest.damaged == []
    assert not isinstance(any_place, Path) or any_place.stat().st_mode & 0o077 == 0
    question = {"json": {"input": "규장각은 언제 세워졌나요?", "mode": "dense"}}
    before = (await library.post("/search", **question)).json()["contexts"]
    put_back(elsewhere, any_place)
    assert chunks(elsewhere) == chunks(settings)
    assert files(elsewhere) == files(settings)
    assert (await served(elsewhere, library, "POST", "/search", **question))["contexts"] == before
    adapter = next(elsewhere.adapters.glob("*/*"))
    assert adapter.stat().st_mode & 0o777 == 0o555
    # Nothing is left of what was on its way.
    assert not [each for home in (settings.home, elsewhere.home) for each in home.iterdir() if each.name[0] == "."]


async def test_the_version_needs_no_metadata_which_an_image_lacks(library, settings, tmp_path, monkeypatch):
    def lacking(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", lacking)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert back_up(settings, tmp_path).software == project["version"]


async def test_a_second_backup_copies_only_what_is_new(library, settings, services, elsewhere, place, monkeypatch):
    first = back_up(settings, place)
    async with Worker(services):
        await ingest_text(library, "The drawbridge was rebuilt.", id="bridge")
    copied = []
    for destination in (FolderDestination, BucketDestination):
        real = destination.add

        def noted(self, source, path, real=real):
            copied.append(path)
            return real(self, source, path)

        monkeypatch.setattr(destination, "add", noted)
    second = back_up(settings, place)
    assert second.file_count == first.file_count + 1
    assert len([path for path in copied if path.startswith(("blobs/", "adapters/"))]) == 1
    assert {path.split("/")[1] for path in paths(place) if path.endswith("manifest.json")} == {first.name, second.name}
    put_back(elsewhere, place, name=first.name)
    assert {row[1] for row in chunks(elsewhere)} == {*SHELF, "fire"}
    assert as_command(keep_newest, place, 1, settings.home) == 1
    put_back(elsewhere, place, replace=True)
    assert {row[1] for row in chunks(elsewhere)} == {*SHELF, "fire", "bridge"}
    await library.delete("/documents/bridge")
    last = back_up(settings, place)
    as_command(keep_newest, place, 1, settings.home)
    check(place)
    own = {f"backups/{last.name}/{name}" for name in ("manifest.json", "files.jsonl", "database.dump")}
    listed = read(place, f"backups/{last.name}/files.jsonl").decode().splitlines()
    assert paths(place) == own | {json.loads(line)["path"] for line in listed}


async def test_what_is_deleted_while_it_is_copied_is_still_in_it(
    library, settings, services, elsewhere, tmp_path, monkeypatch
):
    async with Worker(services):
        await ingest_text(library, "Gone in a moment.", id="short-lived")
    await remove_noted(services)
    before, held = chunks(settings), files(settings)
    loop = asyncio.get_running_loop()
    real = make._dump

    def dump(*arguments):
        """The snapshot stands, and nothing is copied yet."""
        answer = asyncio.run_coroutine_threadsafe(library.delete("/documents/short-lived"), loop).result()
        assert answer.status_code == 204
        assert asyncio.run_coroutine_threadsafe(remove_noted(services), loop).result() == 0
        return real(*arguments)

    monkeypatch.setattr(make, "_dump", dump)
    await asyncio.to_thread(back_up, settings, tmp_path)
    assert await remove_noted(services) == 1
    put_back(elsewhere, tmp_path)
    assert chunks(elsewhere) == before
    assert files(elsewhere) == held


def damage(place, folder: Path) -> str:
    """Change a byte of a file; return its path in the backup."""
    if isinstance(place, Path) and place.suffix == ".tar":
        with tarfile.open(place) as tar:
            tar.extractall(folder, filter="data")
        path = damage(folder, folder)
        place.unlink()
        with tarfile.open(place, "w") as tar:
            for each in folder.rglob("*"):
                tar.add(each, each.relative_to(folder), recursive=False)
        return path
    path = min(each for each in paths(place) if each.startswith("blobs/"))
    content = read(place, path)
    write(place, path, bytes([content[0] ^ 1]) + content[1:])
    return path


async def test_a_changed_byte_is_named_and_nothing_is_restored(library, settings, elsewhere, any_place, tmp_path):
    manifest = back_up(settings, any_place)
    name = damage(any_place, tmp_path / "unpacked")
    with pytest.raises(BackupDamaged, match=name):
        check(any_place)
    with pytest.raises(BackupDamaged, match=name):
        put_back(elsewhere, any_place)
    assert files(elsewhere) == {}
    assert tables(elsewhere) == []
    assert manifest.damaged == []


@pytest.mark.parametrize("part", ["database.dump", "files.jsonl", "manifest.json"])
async def test_its_own_files_are_checked_too(library, settings, place, part):
    path = f"backups/{back_up(settings, place).name}/{part}"
    write(place, path, read(place, path).replace(b"a", b"b", 1))
    with pytest.raises(BackupDamaged, match="manifest|" + part):
        check(place)


async def test_a_tar_that_is_cut_off_is_refused(library, settings, elsewhere, tmp_path):
    back_up(settings, tmp_path / "b.tar")
    content = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "b.tar").write_bytes(content[: len(content) // 2])
    with pytest.raises(BackupFailed, match=r"whole \.tar|no backup"):
        put_back(elsewhere, tmp_path / "b.tar")
    assert tables(elsewhere) == []
    assert [path.name for path in elsewhere.home.iterdir()] == ["models"]


async def test_a_missing_file_is_named_and_the_rest_is_backed_up(library, settings, services, tmp_path):
    async with Worker(services):
        await ingest_text(library, "Lost.", id="lost")
    with psycopg.connect(settings.owner_url) as owner:
        (blob,) = owner.execute("select blob from documents where id = 'lost'").fetchone()
    services.blobs.locate(blob).unlink()
    manifest = back_up(settings, tmp_path)
    assert manifest.damaged == [f"blobs/{blob}"]
    assert manifest.file_count == len(files(settings))
    await library.delete("/documents/lost")


async def test_a_full_disk_leaves_no_backup(library, settings, tmp_path, monkeypatch):
    def full(self, source, path):
        raise OSError(errno.ENOSPC, "No space left on device")

    back_up(settings, tmp_path)
    monkeypatch.setattr(FolderDestination, "add", full)
    with pytest.raises(BackupFailed, match="no room left"):
        back_up(settings, tmp_path)
    assert len(list((tmp_path / "backups").iterdir())) == 1


async def test_a_filled_installation_is_refused_and_a_failed_restore_changes_nothing(
    library, settings, elsewhere, tmp_path, monkeypatch
):
    back_up(settings, tmp_path)
    put_back(elsewhere, tmp_path)
    before, held = chunks(elsewhere), files(elsewhere)
    with pytest.raises(BackupFailed, match="not empty"):
        put_back(elsewhere, tmp_path)

    def wrong(*_):
        raise BackupFailed("does not compare")

    monkeypatch.setattr("app.storage.backup.restore._compare", wrong)
    with pytest.raises(BackupFailed, match="does not compare"):
        put_back(elsewhere, tmp_path, replace=True)
    assert chunks(elsewhere) == before
    assert files(elsewhere) == held


async def test_a_service_that_runs_is_not_restored_over(library, settings, tmp_path):
    back_up(settings, tmp_path)
    with pytest.raises(BackupFailed, match="stop the API"):
        put_back(settings, tmp_path, replace=True)


async def test_a_backup_of_a_newer_schema_is_refused(library, settings, elsewhere, tmp_path, monkeypatch):
    back_up(settings, tmp_path)
    monkeypatch.setattr("app.storage.backup.restore.newest_schema", lambda: "0001")
    with pytest.raises(BackupFailed, match="restore it with that version"):
        put_back(elsewhere, tmp_path)


async def test_one_at_a_time_writes_there(library, settings, place):
    def while_another_writes():
        with open_destination(place, "first", settings.home), pytest.raises(BackupFailed, match="Another backup"):
            make_backup(settings, place, silent)

    as_command(while_another_writes)
    assert paths(place) == set()
    back_up(settings, place)


async def test_a_tar_is_never_overwritten(library, settings, tmp_path):
    (tmp_path / "b.tar").write_text("mine")
    with pytest.raises(BackupFailed, match="exists already"):
        back_up(settings, tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_text() == "mine"


async def test_no_table_is_closed_to_backups(library, settings):
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("set role kyujang_backup")
        closed = owner.execute("""
            select relname from pg_class c where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'S')
              and not (has_table_privilege(c.oid, 'select')
                       and (not relrowsecurity or exists (select from pg_policy where polrelid = c.oid
                                                            and 'kyujang_backup'::regrole = any(polroles))))
        """).fetchall()
        assert closed == []
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute("delete from documents")
