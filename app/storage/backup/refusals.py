"""Refuse to restore into what is used or filled."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from app.settings import Settings
from app.storage.backup.access import APPLICATION, ROLE
from app.storage.backup.errors import BackupFailed
from app.storage.migrate import ONE_AT_A_TIME

IN_USE = "The service is running on this database: stop the API and the workers, and restore then."
BUSY = "A backup, another restore or a migrate is at work on this database: wait until it ends, and restore then."
BUSY_TRIES, BUSY_PAUSE_S = 30, 0.1
ALONE = """
select pg_try_advisory_lock(%s) and not exists (
    select from pg_stat_activity
    where datname = current_database() and application_name = %s and pid <> pg_backend_pid())
"""
NOT_EMPTY = (
    "{} is not empty. Restore into an empty database and home, or say --replace: what is there now is deleted once the "
    "backup is restored."
)


def refuse_in_use(owner: psycopg.Connection, settings: Settings) -> None:
    """Raises BackupFailed if anything of Kyujang is at work. Nor does a migrate begin while `owner` is open."""
    service = unquote(urlsplit(settings.service_url).username or "")
    query = "select count(*) from pg_stat_activity where datname = current_database() and usename = %s"
    if owner.execute(query, [service]).fetchone() != (0,):
        raise BackupFailed(IN_USE)
    for _ in range(BUSY_TRIES):
        if owner.execute(ALONE, [ONE_AT_A_TIME, APPLICATION]).fetchone() == (True,):
            return
        # One that was killed a moment ago may still be listed; its pg_restore goes on.
        time.sleep(BUSY_PAUSE_S)
    raise BackupFailed(BUSY)


def refuse_filled(owner: psycopg.Connection, folders: Sequence[Path], storage: str | None) -> None:
    """Raises BackupFailed unless there is nothing but what `migrate` makes, and no filled object storage."""
    if storage is not None:
        raise BackupFailed(NOT_EMPTY.format(storage))
    for folder in folders:
        if folder.exists() and any(folder.iterdir()):
            raise BackupFailed(NOT_EMPTY.format(folder))
    if owner.execute("select to_regclass('public.tenants')").fetchone() == (None,):
        return
    with owner.transaction():
        owner.execute(f"set local role {ROLE}")
        filled = owner.execute("""
            select exists (select from tenants where slug <> 'default') or exists (select from documents)
                   or exists (select from api_keys) or exists (select from jobs)
        """).fetchone()
    if filled == (True,):
        raise BackupFailed(NOT_EMPTY.format("The database"))
