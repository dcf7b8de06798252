"""An installation with something in it, and an empty one."""

from __future__ import annotations

import io
import secrets

import psycopg
import pytest

from app.adapters import activation, registry
from app.settings import Settings
from app.storage.tenants import tenant_by_slug
from ingest.cleanup import remove_noted
from tests.conftest import NewTenant, home_with, ingest_text, with_database
from tests.ingest.working import Worker
from tests.s3 import new_bucket

SHELF = {"moat.txt": "The moat is nine metres deep.", "보고서.txt": "규장각은 1776년에 세워졌다."}
VERSION_FILES = {"adapter_config.json": b"{}", "adapter_model.safetensors": b"weights" * 1000}


@pytest.fixture(scope="module")
async def library(services, new_tenant: NewTenant):
    """Two tenants with documents, one of them with an active adapter."""
    client, other = await new_tenant("library"), await new_tenant("archive")
    async with Worker(services):
        for name, text in SHELF.items():
            await ingest_text(client, text, id=name)
        await ingest_text(other, "The archive burned in 1624.", id="fire")
    number = (await tenant_by_slug(services.database, "library")).number
    blob = await services.blobs.save(number, io.BytesIO(b"archive"))
    version, _ = await registry.create_version(services.database, number, "tone", blob)
    await registry.set_status(services.database, number, "tone", 1, "ready", published=True)
    await activation.activate(services.database, number, "tone", 1)
    folder = services.settings.adapters / str(number) / version.engine_name
    folder.mkdir(parents=True)
    for name, content in VERSION_FILES.items():
        (folder / name).write_bytes(content)
    await remove_noted(services)
    return client


@pytest.fixture(params=["folder", "bucket"])
def place(request, tmp_path, s3, monkeypatch):
    """Where several backups can lie."""
    return tmp_path / "backups" if request.param == "folder" else new_bucket(s3, monkeypatch)


@pytest.fixture(params=["folder", "tar", "bucket"])
def any_place(request, tmp_path, s3, monkeypatch):
    if request.param == "bucket":
        return new_bucket(s3, monkeypatch)
    return tmp_path / ("backups" if request.param == "folder" else "backup.tar")


@pytest.fixture
def elsewhere(postgres, scratch, models, settings):
    """An empty database and home."""
    name = f"restored_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.owner_url, autocommit=True) as owner:
        owner.execute(f"create database {name}")
        home = home_with(models, scratch / name)
        yield Settings(database_url=with_database(postgres.owner_url, name), home=home, engine="none")
        owner.execute(f"drop database {name} with (force)")
