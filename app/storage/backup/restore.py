"""Restore a backup into an empty installation."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import psycopg

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
from app.storage.blobs import is_full, sync
from app.storage.migrate import create_roles
from app.storage.schema import newest_schema

RESTORE_OPTIONS = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-comments")
LEFT = (
    "{} has files that an earlier restore has set aside, and this database knows nothing of that restore. Restore into "
    "the database that it was for; or delete that folder if what lies beside it is right, else move them back."
)
RESTORED = "The backup is restored, but what it replaced could not be deleted, which the next restore does: {}"


def restore(settings: Settings, backup: Backup, *, replace: bool, tell: Tell) -> None:
    """Restore into an empty database and home; with `replace` what is there is deleted at the end.

    Raises BackupDamaged or BackupFailed; the installation is as it was then.
    """
    if (export := backup.manifest.export) is not None:
        raise BackupFailed(f"This is an export of the tenant {export.id!r}: 'python -m app tenant import' reads it.")
    if backup.manifest.schema > newest_schema():
        raise BackupFailed(f"The backup is of Kyujang {backup.manifest.software}: restore it with that version.")
    try:
        _restore(settings, backup, replace=replace, tell=tell)
    except psycopg.Error as error:
        raise BackupFailed(
            f"The database failed during the restore; the next one begins by undoing it: {error}"
        ) from error
    except OSError as error:
        reason = "There is no room left; free some" if is_full(error) else "A file could not be written"
        raise BackupFailed(f"{reason}: {error}. What was there before is there again.") from error


def _restore(settings: Settings, backup: Backup, *, replace: bool, tell: Tell) -> None:
    folders = (settings.blobs, settings.adapters)
    with connect_for_long(settings.owner_url) as owner:
        refuse_in_use(owner, settings)
        _settle_killed(owner, folders)
        if not replace:
            refuse_filled(owner, folders)
        backup.check(tell)
        create_roles(owner, settings.service_url)
        with ExitStack() as undo:
            set_schema_aside(owner)
            undo.callback(put_schema_back, owner)
            for folder in folders:
                undo.callback(put_folder_back, folder)
                set_folder_aside(folder)
            _write(settings, backup, tell)
            _compare(settings, owner, backup)
            # The step with which it has succeeded.
            declare_needless(folders[0])
            undo.pop_all()
        try:
            _delete_replaced(owner, folders)
        except (OSError, psycopg.Error) as error:
            raise BackupFailed(RESTORED.format(error)) from error


def _write(settings: Settings, backup: Backup, tell: Tell) -> None:
    # Made of the database that was there; it would be taken for the restored one's.
    if settings.index_files.exists():
        shutil.rmtree(settings.index_files)
    copy_files(settings, backup, tell)
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


def _in_its_place(path: str) -> str | None:
    return path


def copy_files(
    settings: Settings, backup: Backup, tell: Tell, place: Callable[[str], str | None] = _in_its_place
) -> None:
    """Put each file in its place, adapters closed to changes as they were published; `place` names another one, or None
    for a file that is left out."""
    done, published, filled = 0, set[Path](), set[Path]()
    for file in backup.files():
        path = place(file.path)
        if path is None:
            continue
        target = settings.home_path(path)
        is_adapter = file.path.startswith("adapters/")
        # Engines may run as another user, and read adapters alone.
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if is_adapter else 0o700)
        backup.fetch(file, target)
        filled |= {target.parent, target.parent.parent}
        if is_adapter:
            target.chmod(0o444)
            published.add(target.parent)
        done += file.size
        tell("files", done, backup.manifest.file_bytes)
    for folder in filled:
        sync(folder)
    for folder in published:
        folder.chmod(0o555)


def _compare(settings: Settings, owner: psycopg.Connection, backup: Backup) -> None:
    """Raises BackupFailed if what is there now is not what the manifest says."""
    with owner.transaction():
        owner.execute(f"set local role {ROLE}")
        found = count_tenants(owner)
        named = [row[0] for row in owner.execute(BLOBS.encode())] + [row[0] for row in owner.execute(ADAPTERS.encode())]
    if found != backup.manifest.tenants:
        raise BackupFailed("The restored database does not have what the backup counted.")
    missing = [path for path in named if not settings.home_path(path).exists() and path not in backup.manifest.damaged]
    if missing:
        raise BackupFailed(f"The backup lacks {len(missing)} files that its database names: {', '.join(missing[:5])}.")
