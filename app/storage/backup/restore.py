"""Restore a backup into an empty installation."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from app.settings import Settings
from app.storage.backup.access import ROLE, connect_for_long
from app.storage.backup.errors import BackupFailed
from app.storage.backup.make import Tell
from app.storage.backup.point import ADAPTERS, BLOBS, count_tenants
from app.storage.backup.programs import run_program
from app.storage.backup.reading import Backup
from app.storage.backup.refusals import refuse_filled, refuse_in_use
from app.storage.backup.set_aside import (
    declare_needless,
    delete_aside,
    drop_schema_aside,
    is_needless,
    is_schema_aside,
    left_aside,
    put_folder_back,
    put_schema_back,
    set_folder_aside,
    set_schema_aside,
)
from app.storage.backup.targets import Target, open_target
from app.storage.blobs import is_full
from app.storage.migrate import create_roles
from app.storage.schema import newest_schema

RESTORE_OPTIONS = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-comments")
LEFT = (
    "{} has files that an earlier restore has set aside, and this database knows nothing of that restore. Restore into "
    "the database that it was for; or delete that folder if what lies beside it is right, else move them back."
)
# The first revision that says which adapters lie in object storage.
KNOWS_DIGESTS = "0017"
TOO_OLD = (
    "The backup is of a version that kept no adapters in object storage: restore it without KYUJANG_STORAGE, migrate, "
    "and run 'python -m app storage move'."
)
SET_DIGESTS = """
update adapter_versions set digest = decode(%(digests)s::jsonb ->> engine_name, 'hex')
where tenant_id = %(tenant)s and encode(digest, 'hex') is distinct from %(digests)s::jsonb ->> engine_name
"""
RESTORED = "The backup is restored, but what it replaced could not be deleted, which the next restore does: {}"


def restore(settings: Settings, backup: Backup, *, replace: bool, tell: Tell) -> None:
    """Restore into an empty database and home; with `replace` what is there is deleted at the end.

    Raises BackupDamaged or BackupFailed; the installation is as it was then.
    """
    if (export := backup.manifest.export) is not None:
        raise BackupFailed(f"This is an export of the tenant {export.id!r}: 'python -m app tenant import' reads it.")
    if backup.manifest.schema > newest_schema():
        raise BackupFailed(f"The backup is of Kyujang {backup.manifest.software}: restore it with that version.")
    if settings.storage is not None and backup.manifest.schema < KNOWS_DIGESTS:
        raise BackupFailed(TOO_OLD)
    try:
        with open_target(settings) as target:
            _restore(settings, target, backup, replace=replace, tell=tell)
    except psycopg.Error as error:
        raise BackupFailed(
            f"The database failed during the restore; the next one begins by undoing it: {error}"
        ) from error
    except OSError as error:
        reason = "There is no room left; free some" if is_full(error) else "A file could not be written"
        raise BackupFailed(f"{reason}: {error}. What was there before is there again.") from error


def _restore(settings: Settings, target: Target, backup: Backup, *, replace: bool, tell: Tell) -> None:
    folders = (settings.blobs, settings.adapters)
    with connect_for_long(settings.owner_url) as owner:
        refuse_in_use(owner, settings)
        _settle_killed(owner, folders)
        if not replace:
            refuse_filled(owner, folders, target.filled())
        backup.check(tell)
        create_roles(owner, settings.service_url)
        with ExitStack() as undo:
            set_schema_aside(owner)
            undo.callback(put_schema_back, owner)
            for folder in folders:
                undo.callback(put_folder_back, folder)
                set_folder_aside(folder)
            undo.callback(target.remove_added)
            _write(settings, target, backup, tell)
            _compare(target, owner, backup)
            forget_indexes(owner)
            if backup.manifest.schema >= KNOWS_DIGESTS:
                _set_digests(owner, target.digests)
            # The step with which it has succeeded.
            declare_needless(folders[0])
            undo.pop_all()
        try:
            _delete_replaced(owner, folders)
            target.remove_replaced()
        except (OSError, psycopg.Error) as error:
            raise BackupFailed(RESTORED.format(error)) from error


def _write(settings: Settings, target: Target, backup: Backup, tell: Tell) -> None:
    # Made of the database that was there; it would be taken for the restored one's.
    if settings.index_files.exists():
        shutil.rmtree(settings.index_files)
    copy_files(target, backup, tell)
    run_program(
        "pg_restore",
        *RESTORE_OPTIONS,
        backup.database,
        url=settings.owner_url,
        tick=lambda: tell("database", 0, 0),
    )


def _delete_replaced(owner: psycopg.Connection, folders: Sequence[Path]) -> None:
    drop_schema_aside(owner)
    # The first one says that the restore has succeeded, so it goes last.
    for folder in reversed(folders):
        delete_aside(folder)


def _settle_killed(owner: psycopg.Connection, folders: Sequence[Path]) -> None:
    """Undo a restore that was killed, or end one that was killed after it had succeeded.

    Raises BackupFailed if files are aside and no schema: they belong to another database then.
    """
    if is_needless(folders[0]):
        _delete_replaced(owner, folders)
    elif is_schema_aside(owner):
        for folder in folders:
            put_folder_back(folder)
        put_schema_back(owner)
    for left in (left for folder in folders for left in left_aside(folder)):
        raise BackupFailed(LEFT.format(left))


def forget_indexes(owner: psycopg.Connection) -> None:
    """Forget what an index outside the database has: it goes on from another history, and is filled anew."""
    row = owner.execute("select to_regclass('index_positions') is not null").fetchone()
    if row and row[0]:
        owner.execute("truncate index_positions, index_collections")


def copy_files(target: Target, backup: Backup, tell: Tell) -> None:
    target.copy(backup, tell)


def _compare(target: Target, owner: psycopg.Connection, backup: Backup) -> None:
    """Raises BackupFailed if what is there now is not what the manifest says."""
    with owner.transaction():
        owner.execute(f"set local role {ROLE}")
        found = count_tenants(owner)
        named = [row[0] for row in owner.execute(BLOBS.encode())] + [row[0] for row in owner.execute(ADAPTERS.encode())]
    if found != backup.manifest.tenants:
        raise BackupFailed("The restored database does not have what the backup counted.")
    missing = [path for path in named if not target.has(path) and path not in backup.manifest.damaged]
    if missing:
        raise BackupFailed(f"The backup lacks {len(missing)} files that its database names: {', '.join(missing[:5])}.")


def _set_digests(owner: psycopg.Connection, digests: dict[str, str]) -> None:
    """Write down of each adapter whether it lies in object storage now, and under which digest."""
    with owner.transaction():
        owner.execute(f"set local role {ROLE}")
        tenants = owner.execute("select id from tenants").fetchall()
        owner.execute("reset role")
        # The owner is bound by row-level security too.
        for (tenant,) in tenants:
            owner.execute("select set_config('app.tenant', %s, true)", [str(tenant)])
            owner.execute(SET_DIGESTS, {"digests": Jsonb(digests), "tenant": tenant})
