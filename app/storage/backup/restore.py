"""Restore a backup into an empty installation, or check that one is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from app.settings import Settings
from app.storage.backup.access import ROLE, connect_as_owner
from app.storage.backup.destinations import BACKUPS, list_backups
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import Tell
from app.storage.backup.manifest import (
    DUMP,
    FILES,
    MANIFEST,
    File,
    Manifest,
    copy_file,
    is_file,
    listed_files,
    read_manifest,
)
from app.storage.backup.point import ADAPTERS, BLOBS, count_tenants
from app.storage.backup.programs import run_program
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
from app.storage.backup.tar import unpack
from app.storage.blobs import is_full, sync
from app.storage.migrate import create_roles
from app.storage.schema import newest_schema

RESTORE_OPTIONS = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-comments")
LEFT = (
    "{} has files that an earlier restore has set aside, and this database knows nothing of that restore. Restore into "
    "the database that it was for; or delete that folder if what lies beside it is right, else move them back."
)
RESTORED = "The backup is restored, but what it replaced could not be deleted, which the next restore does: {}"


class Backup:
    """A backup that can be read: `own` has its manifest and its dump, `shared` the files of all."""

    def __init__(self, own: Path, shared: Path) -> None:
        if not (own / MANIFEST).exists():
            raise BackupFailed(f"{shared} holds no backup: there is no {MANIFEST}.")
        self.own, self._shared = own, shared
        self.manifest: Manifest = read_manifest(own)

    def files(self) -> Iterator[File]:
        yield from listed_files(self.own)

    def locate(self, path: str) -> Path:
        return self._shared / path

    def check(self, tell: Tell) -> None:
        """Read every file. Raises BackupDamaged, which names those that are missing or changed."""
        bad = list(self._changed(tell))
        if bad:
            shown = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
            raise BackupDamaged(f"The backup {self.manifest.name} is damaged: {shown}.")

    def _changed(self, tell: Tell) -> Iterator[str]:
        if not is_file(self.own / DUMP, self.manifest.database):
            yield DUMP
        if not is_file(self.own / FILES, self.manifest.files):
            yield FILES
            return
        done, total = 0, self.manifest.file_bytes
        for file in self.files():
            if not is_file(self.locate(file.path), file):
                yield file.path
            done += file.size
            tell("check", done, total)


@contextmanager
def open_backup(place: Path, name: str | None, scratch: Path) -> Iterator[Backup]:
    """Open the backup `name` of a folder, the newest without a name, or a .tar, which is unpacked in `scratch`."""
    if place.is_dir():
        names = list_backups(place)
        if not names or name not in (None, *names):
            known = f"; there are {', '.join(names)}" if names else ""
            raise BackupFailed(f"{place} holds no backup{f' {name}' if name else ''}{known}.")
        yield Backup(place / BACKUPS / (name or names[-1]), place)
        return
    with ExitStack() as held:
        try:
            scratch.mkdir(parents=True, exist_ok=True)
            folder = Path(held.enter_context(tempfile.TemporaryDirectory(dir=scratch, prefix=".restore-")))
            unpack(place, folder)
        except OSError as error:
            reason = f"There is no room left in {scratch} to unpack it." if is_full(error) else f"{error}."
            raise BackupFailed(f"{place} cannot be read: {reason}") from error
        yield Backup(folder, folder)


def restore(settings: Settings, backup: Backup, *, replace: bool, tell: Tell) -> None:
    """Restore into an empty database and home; with `replace` what is there is deleted at the end.

    Raises BackupDamaged or BackupFailed; the installation is as it was then.
    """
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
    with connect_as_owner(settings.owner_url) as owner:
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
    _copy_files(settings, backup, tell)
    run_program(
        "pg_restore",
        *RESTORE_OPTIONS,
        backup.own / DUMP,
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


def _copy_files(settings: Settings, backup: Backup, tell: Tell) -> None:
    """Put each file in its place, adapters closed to changes as they were published."""
    done, published, filled = 0, set[Path](), set[Path]()
    for file in backup.files():
        target = settings.home_path(file.path)
        is_adapter = file.path.startswith("adapters/")
        # Engines may run as another user, and read adapters alone.
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if is_adapter else 0o700)
        if copy_file(backup.locate(file.path), target, file.path) != file:
            raise BackupDamaged(f"The backup changes while it is restored: {file.path}.")
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
