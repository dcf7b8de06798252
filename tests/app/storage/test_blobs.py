"""Uploaded files, in a folder and in object storage: one contract."""

from __future__ import annotations

import errno
import hashlib
import io
import tempfile
from pathlib import Path

import pytest

from app.errors import NotConfigured, Unavailable
from app.storage.blobs import Blob, Blobs, FolderBlobs
from app.storage.object_blobs import ObjectBlobs, check_at_start
from app.storage.object_storage import Damaged, ObjectStorage, StorageUnavailable
from tests.conftest import NewTenant
from tests.s3 import breaking_proxy, new_bucket

TENANT, OTHER = 7, 77
CONTENT = "내용 ".encode() * 700_000


class FullDisk(io.BytesIO):
    """A real full disk cannot be had in a test."""

    def read(self, size=-1):
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.fixture(params=["folder", "objects"])
def blobs(request, tmp_path, s3, monkeypatch) -> Blobs:
    folder = FolderBlobs(tmp_path / "blobs")
    if request.param == "folder":
        return folder
    return ObjectBlobs(ObjectStorage(new_bucket(s3, monkeypatch)), folder, tmp_path / "scratch")


@pytest.fixture
def objects(tmp_path, s3, monkeypatch) -> ObjectBlobs:
    storage = ObjectStorage(new_bucket(s3, monkeypatch))
    return ObjectBlobs(storage, FolderBlobs(tmp_path / "blobs"), tmp_path / "scratch")


async def read(blobs: Blobs, path: str, *span: int) -> bytes:
    return b"".join([part async for part in blobs.read(path, *span)])


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("content", [b"", b"one", CONTENT], ids=["empty", "small", "large"])
async def test_what_is_saved_is_read_back(blobs, content):
    blob = await blobs.save(TENANT, io.BytesIO(content))
    assert (blob.size, blob.sha256) == (len(content), hashlib.sha256(content).digest())
    assert blob.path.startswith(f"{TENANT}/")
    assert await read(blobs, blob.path) == content
    async with blobs.local(blob) as path:
        assert path.read_bytes() == content


@pytest.mark.parametrize("span", [(0, 1), (3, 3), (5, 2_000_000), (1_400_000,), (0, 1 << 40)])
async def test_a_part_is_read(blobs, span):
    blob = await blobs.save(TENANT, io.BytesIO(CONTENT))
    start, end = span if len(span) == 2 else (*span, None)
    assert await read(blobs, blob.path, *span) == CONTENT[start:end]


async def test_removed_files_are_gone_and_others_stay(blobs):
    first, second, other = [await blobs.save(n, io.BytesIO(b"x")) for n in (TENANT, TENANT, OTHER)]
    await blobs.remove([first.path, f"{TENANT}/never-was"])
    with pytest.raises(FileNotFoundError):
        await read(blobs, first.path)
    with pytest.raises(FileNotFoundError):
        async with blobs.local(first) as path:
            path.read_bytes()
    assert await read(blobs, second.path) == b"x"
    await blobs.remove([f"{TENANT}/"])
    with pytest.raises(FileNotFoundError):
        await read(blobs, second.path)
    await blobs.remove([f"{TENANT}/"])
    assert await read(blobs, other.path) == b"x"
    await blobs.discard([other.path])
    with pytest.raises(FileNotFoundError):
        await read(blobs, other.path)


async def test_files_are_listed_by_age_a_tenants_together(blobs):
    saved = [(await blobs.save(tenant, io.BytesIO(b"x"))).path for tenant in (OTHER, TENANT, OTHER)]
    assert [path async for path in blobs.list_older(3600)] == []
    listed = [path async for path in blobs.list_older(-1)]
    assert sorted(listed) == sorted(saved)
    assert [path.partition("/")[0] for path in listed] in (["7", "77", "77"], ["77", "77", "7"])


async def test_what_is_not_ours_in_the_bucket_is_left_alone(objects):
    blob = await objects.save(TENANT, io.BytesIO(b"x"))
    for path in ("blobs/notes.txt", "blobs/notes/1", "notes"):
        await objects._storage.put(path, io.BytesIO(b"x"))
    assert [path async for path in objects.list_older(-1)] == [blob.path]


async def test_a_full_disk_is_said_and_leaves_no_file(tmp_path):
    with pytest.raises(Unavailable, match="no disk space"):
        await FolderBlobs(tmp_path).save(TENANT, FullDisk())
    assert files(tmp_path) == []


async def test_other_faults_are_told_apart(blobs, tmp_path):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        await blobs.save(TENANT, Broken())
    assert files(tmp_path) == []
    assert [path async for path in blobs.list_older(-1)] == []


async def test_a_caller_hears_of_a_full_disk(new_tenant: NewTenant, monkeypatch):
    client = await new_tenant()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    answer = await client.post("/ingest", files={"file": ("a.txt", b"A file.")})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "disk space" in answer.json()["detail"]


async def test_files_of_the_folder_are_read_and_removed_after_the_change_to_objects(objects, tmp_path):
    before = await FolderBlobs(tmp_path / "blobs").save(TENANT, io.BytesIO(CONTENT))
    assert await read(objects, before.path, 3) == CONTENT[3:]
    async with objects.local(before) as path:
        assert path.read_bytes() == CONTENT
    assert [path async for path in objects.list_older(-1)] == [before.path]
    assert len(files(tmp_path)) == 1
    await objects.remove([before.path])
    assert files(tmp_path) == []


async def test_a_copy_lives_as_long_as_it_is_read(objects, tmp_path):
    blob = await objects.save(TENANT, io.BytesIO(CONTENT))
    async with objects.local(blob):
        assert len(files(tmp_path)) == 1
    assert files(tmp_path) == []


async def test_another_content_is_never_read_as_the_document(objects, tmp_path):
    blob = await objects.save(TENANT, io.BytesIO(CONTENT))
    with pytest.raises(Damaged):
        async with objects.local(Blob(blob.path, blob.size, hashlib.sha256(b"another").digest())):
            pass
    assert files(tmp_path) == []


async def test_a_killed_processs_copies_are_swept(objects, tmp_path, monkeypatch):
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch" / "left").write_bytes(b"x")
    assert [path async for path in objects.list_older(0)] == []
    assert len(files(tmp_path)) == 1
    monkeypatch.setattr("app.storage.object_blobs.SCRATCH_KEPT_S", -1)
    assert [path async for path in objects.list_older(0)] == []
    assert files(tmp_path) == []


async def test_a_failed_upload_leaves_nothing_and_what_cannot_be_removed_now_is_left_to_the_sweep(
    s3, monkeypatch, tmp_path
):
    url = new_bucket(s3, monkeypatch)
    with breaking_proxy(s3) as (address, broken):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        blobs = ObjectBlobs(ObjectStorage(url, retry_s=0.3), FolderBlobs(tmp_path), tmp_path)
        broken.rule = lambda method, path: "503" if method == "PUT" else None
        with pytest.raises(StorageUnavailable):
            await blobs.save(TENANT, io.BytesIO(CONTENT))
        assert any("delete" in path for _, path, _ in broken.seen)
        broken.rule = lambda method, path: "503"
        await blobs.discard([f"{TENANT}/one"])
        with pytest.raises(StorageUnavailable):
            await blobs.remove([f"{TENANT}/one"])


async def test_a_service_does_not_start_with_a_bucket_or_credentials_that_cannot_work(s3, monkeypatch, caplog):
    url = new_bucket(s3, monkeypatch)
    await check_at_start(ObjectStorage(url))
    with breaking_proxy(s3) as (address, broken):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        broken.rule = lambda method, path: "403"
        with pytest.raises(NotConfigured, match="credentials"):
            await check_at_start(ObjectStorage(url))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    await check_at_start(ObjectStorage(url, retry_s=0.3))
    assert "deploy/object-storage.yml" in caplog.text
