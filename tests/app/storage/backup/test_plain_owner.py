"""An owner that is neither superuser nor allowed to bypass row-level security, as managed databases give it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import psycopg
import pytest

from app.settings import Settings
from app.storage.backup.make import make_backup
from app.storage.backup.reading import open_backup
from app.storage.backup.restore import restore
from app.storage.export.load import import_tenant
from app.storage.export.loading import BaseModels
from app.storage.export.make import export_tenant
from app.storage.migrate import migrate
from app.up.postgres import EmbeddedPostgres
from tests.conftest import home_with, with_database

DATABASES = ("first", "second")
FILLED = """
select set_config('app.tenant', '1', false);
insert into documents (tenant_id, id, media_type, bytes, sha256, chunks, blob)
values (1, '보고서.txt', 'text/plain', 3, sha256('abc'), 0, '1/file');
"""


@pytest.fixture(scope="module")
def plain(scratch, models):
    """Settings of two empty databases, in a cluster of their own: roles belong to a cluster."""
    with EmbeddedPostgres(scratch / "plain-owner", extra_settings={"fsync": "off"}) as server:
        with psycopg.connect(server.owner_url, autocommit=True) as superuser:
            superuser.execute("create role plain_owner login createrole password 'plain'")
            for name in DATABASES:
                superuser.execute(f"create database {name} owner plain_owner")
                # Where the provider does not count it among the trusted ones.
                with psycopg.connect(with_database(server.owner_url, name), autocommit=True) as inside:
                    inside.execute("create extension vector")
        place = urlsplit(server.owner_url)
        url = place._replace(netloc=f"plain_owner:plain@{place.netloc.rpartition('@')[2]}").geturl()
        yield [
            Settings(database_url=with_database(url, name), home=home_with(models, scratch / name), engine="none")
            for name in DATABASES
        ]


def test_it_migrates_backs_up_and_restores(plain, tmp_path):
    first, second = plain
    migrate(first, dimension=lambda: 384)
    with psycopg.connect(first.owner_url) as owner:
        assert owner.execute(
            "select rolsuper or rolbypassrls from pg_roles where rolname = current_user"
        ).fetchone() == (False,)
        owner.execute(FILLED)
    (first.blobs / "1").mkdir(parents=True)
    (first.blobs / "1" / "file").write_bytes(b"abc")
    manifest = make_backup(first, tmp_path, lambda *_: None)
    assert [(each.id, each.documents) for each in manifest.tenants] == [("default", 1)]
    assert manifest.damaged == []
    with open_backup(tmp_path, None, tmp_path) as backup:
        restore(second, backup, replace=False, tell=lambda *_: None)
        restore(second, backup, replace=True, tell=lambda *_: None)
    migrate(second, dimension=lambda: 384)
    assert make_backup(second, tmp_path / "again", lambda *_: None).tenants == manifest.tenants
    export_tenant(second, "default", tmp_path / "export", lambda *_: None)
    with open_backup(tmp_path / "export", None, tmp_path) as backup:
        base = BaseModels([], "")
        imported = asyncio.run(import_tenant(second, backup, "moved", base, lambda *_: None))
    assert (imported.id, len(list(second.blobs.rglob("file")))) == ("moved", 2)
    with psycopg.connect(second.owner_url) as owner:
        # Row-level security holds for the owner as before.
        assert owner.execute("select id from documents").fetchall() == []
