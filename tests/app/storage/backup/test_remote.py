"""Backups of an installation whose files lie in object storage, and restores into one."""

from __future__ import annotations

import io
import secrets

import psycopg
import pytest

from app.adapters import activation, registry
from app.settings import Settings
from app.settings.object_storage import storage_url
from app.storage.adapter_archives import save_version
from app.storage.backup import restore
from app.storage.backup.bucket_destination import BucketDestination
from app.storage.backup.destinations import FolderDestination
from app.storage.backup.errors import BackupFailed
from app.storage.tenants import tenant_by_slug
from ingest.cleanup import remove_noted
from tests.app.storage.backup.backing import back_up, chunks, files, put_back, tables
from tests.app.storage.backup.conftest import SHELF, VERSION_FILES
from tests.app.storage.backup.kept import paths, read, write
from tests.conftest import ADMIN_KEY, NewTenant, home_with, ingest_text
from tests.ingest.working import Worker
from tests.s3 import new_bucket


@pytest.fixture(scope="module")
def settings(owner_url, scratch, models, s3):
    home = home_with(models, scratch / secrets.token_hex(4))
    with pytest.MonkeyPatch.context() as patch:
        url = str(new_bucket(s3, patch))
        yield Settings(database_url=owner_url, home=home, engine="none", admin_key=ADMIN_KEY, lease_s=2, storage=url)


@pytest.fixture(scope="module")
async def library(services, new_tenant: NewTenant, tmp_path_factory):
    """Documents in object storage but one, to which `storage move` has not come, and an active adapter."""
    client = await new_tenant("library")
    number = (await tenant_by_slug(services.database, "library")).number
    async with Worker(services):
        for name, text in SHELF.items():
            await ingest_text(client, text, id=name)
    blob = await services.blobs.save(number, io.BytesIO(b"archive"))
    version, _ = await registry.create_version(services.database, number, "tone", blob)
    folder = tmp_path_factory.mktemp("tone") / "tone"
    folder.mkdir()
    for name, content in VERSION_FILES.items():
        (folder / name).write_bytes(content)
    saved = await save_version(services.storage, number, version.engine_name, folder)
    await registry.set_status(services.database, number, "tone", 1, "ready", published=True, digest=saved.digest)
    await activation.activate(services.database, number, "tone", 1)
    await remove_noted(services)
    there = place(services.settings)
    moved = min(path for path in paths(there) if path.startswith("blobs/"))
    services.settings.home_path(moved).parent.mkdir(parents=True)
    services.settings.home_path(moved).write_bytes(read(there, moved))
    await services.storage.remove([moved])
    return client


@pytest.fixture
def remote(elsewhere, s3, monkeypatch):
    """As elsewhere, with object storage of its own."""
    return elsewhere.model_copy(update={"storage": str(new_bucket(s3, monkeypatch))})


def place(settings):
    return storage_url(settings.storage)


def objects(settings) -> dict[str, bytes]:
    return {path: read(place(settings), path) for path in paths(place(settings))}


def digests(settings) -> list[tuple]:
    with psycopg.connect(settings.owner_url) as owner:
        owner.execute("set role kyujang_backup")
        return owner.execute("select engine_name, encode(digest, 'hex') from adapter_versions").fetchall()


def test_it_is_restored_into_folders_and_a_backup_of_these_into_object_storage(library, settings, elsewhere, tmp_path):
    assert back_up(settings, tmp_path / "first").damaged == []
    put_back(elsewhere, tmp_path / "first")
    assert chunks(elsewhere) == chunks(settings)
    ((name, digest),) = digests(settings)
    assert digests(elsewhere) == [(name, None)]
    held = files(elsewhere)
    assert len([path for path in held if path.startswith("blobs/")]) == len(SHELF)
    adapter = {path.rpartition("/")[2]: content for path, content in held.items() if path.startswith("adapters/")}
    assert adapter == VERSION_FILES
    back_up(elsewhere, tmp_path / "second")
    restored = elsewhere.model_copy(update={"storage": f"{settings.storage}-restored"})
    put_back(restored, tmp_path / "second", replace=True)
    assert files(restored) == {}
    assert digests(restored) == [(name, digest)]
    assert chunks(restored) == chunks(settings)
    assert objects(restored) == {**objects(settings), **files(settings)}
    assert back_up(restored, tmp_path / "third").damaged == []


def test_a_second_backup_reads_nothing_again(library, settings, tmp_path, monkeypatch):
    first = back_up(settings, tmp_path)
    for destination in (FolderDestination, BucketDestination):
        real = destination.add

        def own_files_alone(self, source, path, real=real):
            assert "/" not in path
            return real(self, source, path)

        monkeypatch.setattr(destination, "add", own_files_alone)
    second = back_up(settings, tmp_path)
    assert (second.file_count, second.file_bytes) == (first.file_count, first.file_bytes)


def test_what_is_missing_or_damaged_there_is_named(library, settings, tmp_path):
    archive = next(path for path in paths(place(settings)) if path.startswith("adapters/"))
    blob = next(path for path in paths(place(settings)) if path.startswith("blobs/"))
    good = {path: read(place(settings), path) for path in (archive, blob)}
    try:
        write(place(settings), archive, good[archive][:-1] + b"x")
        write(place(settings), blob, good[blob][:-1] + b"x")
        assert back_up(settings, tmp_path).damaged == [blob, archive.rpartition("/")[0]]
    finally:
        for path, content in good.items():
            write(place(settings), path, content)


def test_a_restore_that_fails_leaves_object_storage_as_it_was(library, settings, remote, tmp_path, monkeypatch):
    back_up(settings, tmp_path)
    write(place(remote), "blobs/1/of-before", b"x")
    with pytest.raises(BackupFailed, match=f"{remote.storage} is not empty"):
        put_back(remote, tmp_path)

    def wrong(*_):
        raise BackupFailed("does not compare")

    with monkeypatch.context() as patch:
        patch.setattr(restore, "_compare", wrong)
        with pytest.raises(BackupFailed, match="does not compare"):
            put_back(remote, tmp_path, replace=True)
    assert objects(remote) == {"blobs/1/of-before": b"x"}
    assert tables(remote) == []
    put_back(remote, tmp_path, replace=True)
    assert objects(remote) == {**objects(settings), **files(settings)}


def test_what_an_older_schema_cannot_say_is_refused(library, settings, remote, tmp_path, monkeypatch):
    back_up(settings, tmp_path)
    monkeypatch.setattr(restore, "KNOWS_DIGESTS", "9999")
    with pytest.raises(BackupFailed, match="storage move"):
        put_back(remote, tmp_path)
    assert objects(remote) == {}
