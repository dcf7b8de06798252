"""Uploaded files on the disk."""

from __future__ import annotations

import errno
import io
import tempfile

import pytest

from app.errors import Unavailable
from app.storage.blobs import Blobs
from tests.conftest import NewTenant


class FullDisk(io.BytesIO):
    """A real full disk cannot be had in a test."""

    def read(self, size=-1):
        raise OSError(errno.ENOSPC, "No space left on device")


async def test_a_full_disk_is_said_and_leaves_no_file(tmp_path):
    with pytest.raises(Unavailable, match="no disk space"):
        await Blobs(tmp_path).save(1, FullDisk())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_other_faults_are_told_apart(tmp_path):
    class Broken(io.BytesIO):
        def read(self, size=-1):
            raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        await Blobs(tmp_path).save(1, Broken())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


async def test_a_caller_hears_of_a_full_disk(new_tenant: NewTenant, monkeypatch):
    client = await new_tenant()

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "write", full)
    answer = await client.post("/ingest", files={"file": ("a.txt", b"A file.")})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "60")
    assert "disk space" in answer.json()["detail"]
