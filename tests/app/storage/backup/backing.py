"""Back up and restore, and look at what is there."""

from __future__ import annotations

import tempfile
from pathlib import Path

import psycopg

from app.storage.backup.make import make_backup
from app.storage.backup.reading import open_backup
from app.storage.backup.restore import restore
from tests.app.storage.backup.kept import as_command


def silent(step: str, done: int, total: int) -> None:
    pass


def back_up(settings, place):
    return as_command(make_backup, settings, place, silent)


def put_back(settings, place, *, name=None, replace=False) -> None:
    as_command(_put_back, settings, place, name, replace)


def _put_back(settings, place, name, replace) -> None:
    with open_backup(place, name, settings.home) as backup:
        restore(settings, backup, replace=replace, tell=silent)


def check(place, name=None) -> None:
    as_command(_check, place, name)


def _check(place, name) -> None:
    with tempfile.TemporaryDirectory() as home, open_backup(place, name, Path(home), only_check=True) as backup:
        backup.check(silent)


def chunks(settings) -> list[tuple]:
    query = "select tenant_id, document_id, ord, start, stop, md5(content) from chunks order by 1, 2, 3"
    with psycopg.connect(settings.owner_url) as owner:
        return owner.execute(query).fetchall()


def files(settings) -> dict[str, bytes]:
    return {
        str(path.relative_to(settings.home)): path.read_bytes()
        for folder in (settings.blobs, settings.adapters)
        for path in folder.rglob("*")
        if path.is_file()
    }


def tables(settings) -> list[tuple]:
    with psycopg.connect(settings.owner_url) as owner:
        return owner.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
