"""Restore a backup into an empty installation, or check that one is whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from app.settings import Settings
from app.storage.backup.access import REPLACED, ROLE
from app.storage.backup.destinations import BACKUPS, list_backups, read_manifest
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import Tell
from app.storage.backup.manifest import DUMP, FILES, MANIFEST, File, Manifest, hash_of, read_files
from app.storage.backup.point import ADAPTERS, BLOBS, count_tenants
from app.storage.backup.programs import run_program
from app.storage.backup.set_aside import (
    delete_aside,
    is_schema_aside,
    left_aside,
    put_folder_back,
    put_schema_back,
    set_folder_aside,
    set_schema_aside,
)
from app.storage.backup.tar import unpack
from app.storage.blobs import sync
from app.storage.migrate import create_roles, newest_schema

RESTORE_OPTIONS = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-comments")
IN_USE = "The service is running on this database: stop the API and the workers, and restore then."
LEFT = (
    "{} has files that an earlier restore replaced, and did not come to delete. If what it restored is right, delete "
    "that folder, and restore then; if not, move them back first."
)
NOT_EMPTY = (
    "{} is not empty. Restore into an empty database and home, or say --replace: what is there now is deleted once the "
    "backup is restored."
)


class Backup:
    """A backup that can be read: `own` has its manifest and its dump, `shared` the files of all."""

    def __init__(self, own: Path, shared: Path) -> None:
        if not (own / MANIFEST).exists():
            raise BackupFailed(f"{shared} holds no backup: there is no {MANIFEST}.")
        self.own, self._shared = own, shared
        self.manifest: Manifest = read_manifest(own)

    def files(self) -> Iterator[File]:
        yield from read_files(self.own / FILES)

    def locate(self, path: str) -> Path:
        return self._shared / path

    def check(self, tell: Tell) -> None:
        """Read every file. Raises BackupDamaged, which names those that are missing or changed."""
        bad = list(self._changed(tell))
        if bad:
            shown = ", ".join(bad[:10]) + (f" and {len(bad) - 10} more" if len(bad) > 10 else "")
            raise BackupDamaged(f"The backup {self.manifest.name} is damaged: {shown}.")

    def _changed(self, tell: Tell) -> Iterator[str]:
        if not _is(self.own / DUMP, self.manifest.database):
            yield DUMP
        if not _is(self.own / FILES, self.manifest.files):
            yield FILES
            return
        done, total = 0, self.manifest.file_bytes
        for file in self.files():
            if not _is(self.locate(file.path), file):
                yield file.path
            done += file.size
            tell("check", done, total)


def _is(path: Path, file: File) -> bool:
    return path.is_file() and hash_of(path) == (file.size, file.sha256)


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
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch, prefix=".restore-") as folder:
        unpack(place, Path(folder))
        yield Backup(Path(folder), Path(folder))


def restore(settings: Settings, backup: Backup, *, replace: bool, tell: Tell) -> None:
    """Restore into an empty database and home; with `replace` what is there is deleted at the end.

    Raises BackupDamaged or BackupFailed; the installation is as it was then.
    """
    if backup.manifest.schema > newest_schema():
        raise BackupFailed(f"The backup is of Kyujang {backup.manifest.software}: restore it with that version.")
    try:
        _restore(settings, backup, replace=replace, tell=tell)
    except psycopg.Error as error:
        raise BackupFailed(f"The database failed during the restore: {error}") from error
    except OSError as error:
        raise BackupFailed(f"A file could not be written during the restore: {error}") from error


def _restore(settings: Settings, backup: Backup, *, replace: bool, tell: Tell) -> None:
    with psycopg.connect(settings.owner_url, autocommit=True) as owner, ExitStack() as undo:
        _refuse_in_use(owner, settings)
        folders = (settings.blobs, settings.adapters)
        _undo_killed(owner, folders)
        if not replace:
            _refuse_filled(owner, folders)
        backup.check(tell)
        create_roles(owner, settings.service_url)
        set_schema_aside(owner)
        undo.callback(put_schema_back, owner)
        for folder in folders:
            set_folder_aside(folder)
            undo.callback(put_folder_back, folder)
        _copy_files(settings, backup, tell)
        run_program(
            "pg_restore",
            *RESTORE_OPTIONS,
            backup.own / DUMP,
            url=settings.owner_url,
            tick=lambda: tell("database", 0, 0),
        )
        _compare(settings, owner, backup)
        undo.pop_all()
        owner.execute(f"drop schema if exists {REPLACED} cascade")
    for folder in folders:
        delete_aside(folder)
    shutil.rmtree(settings.index_files, ignore_errors=True)


def _undo_killed(owner: psycopg.Connection, folders: Iterable[Path]) -> None:
    """Put back what a killed restore has set aside: its schema is set aside first, and dropped when it has succeeded.

    Raises BackupFailed if files are aside without it: which of them are the right ones is not known then.
    """
    if is_schema_aside(owner):
        for folder in folders:
            put_folder_back(folder)
        put_schema_back(owner)
    for left in (left for folder in folders for left in left_aside(folder)):
        raise BackupFailed(LEFT.format(left))


def _refuse_in_use(owner: psycopg.Connection, settings: Settings) -> None:
    service = unquote(urlsplit(settings.service_url).username or "")
    query = "select count(*) from pg_stat_activity where datname = current_database() and usename = %s"
    if owner.execute(query, [service]).fetchone() != (0,):
        raise BackupFailed(IN_USE)


def _refuse_filled(owner: psycopg.Connection, folders: Iterable[Path]) -> None:
    """Raises BackupFailed unless there is nothing but what `migrate` makes."""
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


def _copy_files(settings: Settings, backup: Backup, tell: Tell) -> None:
    """Put each file in its place, adapters closed to changes as they were published."""
    done, published = 0, set()
    for file in backup.files():
        target = settings.home_path(file.path)
        is_adapter = file.path.startswith("adapters/")
        # Engines may run as another user, and read adapters alone.
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o755 if is_adapter else 0o700)
        shutil.copyfile(backup.locate(file.path), target)
        sync(target)
        if is_adapter:
            target.chmod(0o444)
            published.add(target.parent)
        done += file.size
        tell("files", done, backup.manifest.file_bytes)
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
