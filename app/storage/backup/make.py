"""Make a backup while the service runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg

from app import __version__
from app.settings import Settings
from app.storage.backup.access import REPLACED, ROLE
from app.storage.backup.destinations import Destination, open_destination
from app.storage.backup.errors import BackupFailed
from app.storage.backup.installed import InstalledFiles, open_installed
from app.storage.backup.manifest import DUMP, FILES, Exported, File, Manifest, write_files
from app.storage.backup.places import Place, refuse_inside
from app.storage.backup.point import AdapterFolder, Point, open_point
from app.storage.backup.programs import run_program
from app.storage.blobs import is_full
from app.storage.object_storage import Damaged
from app.storage.peft_folder import FILES as PEFT_FILES

# The dump is compressed: vectors hardly shrink, text to a third.
DUMP_OPTIONS = (
    *("--format", "custom", "--compress", "gzip:1", "--no-owner", "--no-comments", "--no-subscriptions"),
    *("--enable-row-security", "--role", ROLE),
    # Of a restore that was killed.
    *("--exclude-schema", REPLACED),
    # Of a backup that is being made.
    *("--exclude-table-data", "removal_holds"),
)

NAME = "%Y-%m-%dT%H-%M-%S.%fZ"
FULL = "There is no room left. Free some, or name another place; what was written of this {} is removed."
WRITE = "It cannot be written: {}. Name a place that this account may write."

Tell = Callable[[str, int, int], None]
"""Is told a step, the bytes done and the bytes in all; 0 where they are not known."""


def make_backup(settings: Settings, place: Place, tell: Tell) -> Manifest:
    """Back up to a new folder of `place`, or to the .tar that it names, and return what the backup holds.

    Raises BackupFailed. A file that is missing, or is not what was uploaded, is named in the manifest.
    """
    refuse_inside(settings, place)
    now = datetime.now(UTC)
    with faults_as_failures(place, "backup"), open_destination(place, name_of(now), settings.home) as destination:
        with open_point(settings.owner_url) as point:
            database = _dump(settings, point, destination, tell)
            manifest = copy_files(settings, point, destination, tell, database, now)
        # The point holds removals back until it ends, and says if it has lost them on the way.
        destination.finish(manifest)
    return manifest


def copy_files(
    settings: Settings,
    point: Point,
    destination: Destination,
    tell: Tell,
    database: File,
    now: datetime,
    export: Exported | None = None,
) -> Manifest:
    """Copy the files that the point names, and return the manifest, which is written once the point has ended."""
    with open_installed(settings) as installed:
        copying = Copying(installed, destination, tell)
        files = copying.copy(point)
    return Manifest(
        name=name_of(now),
        made_at=now.isoformat(),
        software=__version__,
        schema=point.schema(),
        postgresql=point.connection.info.server_version,
        database=database,
        files=files,
        file_count=copying.count,
        file_bytes=copying.bytes,
        tenants=point.tenants(),
        damaged=copying.damaged,
        export=export,
    )


def name_of(now: datetime) -> str:
    return now.strftime(NAME)


@contextmanager
def faults_as_failures(place: Place, what: str) -> Iterator[None]:
    """Raise BackupFailed for what the database or the disk raises."""
    try:
        yield
    except psycopg.Error as error:
        raise BackupFailed(f"The database failed during the {what}, which is not kept: {error}") from error
    except OSError as error:
        reason = FULL.format(what) if is_full(error) else WRITE.format(error)
        raise BackupFailed(f"{place}: {reason}") from error


def _dump(settings: Settings, point: Point, destination: Destination, tell: Tell) -> File:
    part = destination.scratch() / (DUMP + ".part")

    def tick() -> None:
        tell("database", part.stat().st_size if part.exists() else 0, 0)

    options = ("--snapshot", point.snapshot, "--file", part)
    run_program("pg_dump", *DUMP_OPTIONS, *options, url=settings.owner_url, tick=tick)
    tick()
    try:
        return destination.add(part, DUMP)
    finally:
        part.unlink(missing_ok=True)


class Copying:
    """Copies the files that a snapshot names, and counts them."""

    def __init__(self, installed: InstalledFiles, destination: Destination, tell: Tell) -> None:
        self._installed, self._destination, self._tell = installed, destination, tell
        self.count = self.bytes = 0
        self.damaged: list[str] = []

    def copy(self, point: Point) -> File:
        """Copy all, and return the list of them, which is a file of the backup too."""
        listed = self._destination.scratch() / (FILES + ".part")
        with listed.open("wb") as target:
            write_files(self._copied(point), target)
        try:
            return self._destination.add(listed, FILES)
        finally:
            listed.unlink(missing_ok=True)

    def _copied(self, point: Point) -> Iterator[File]:
        for path, size, sha256 in point.blobs():
            yield from self._copied_blob(path, size, sha256)
        for folder in point.adapter_folders():
            try:
                yield from self._copied_adapter(folder)
            except (FileNotFoundError, Damaged):
                self.damaged.append(folder.path)

    def _copied_blob(self, path: str, size: int, sha256: str) -> Iterator[File]:
        copied = self._destination.known(path, size)
        if copied is None:
            try:
                with self._installed.blob(path) as source:
                    copied = self._destination.add(source, path)
            except FileNotFoundError:
                self.damaged.append(path)
                return
        if copied.sha256 != sha256:
            self.damaged.append(path)
        yield self._counted(copied)

    def _copied_adapter(self, folder: AdapterFolder) -> Iterator[File]:
        """Raises FileNotFoundError, Damaged."""
        known = [self._destination.known(f"{folder.path}/{name}") for name in PEFT_FILES]
        if all(known):
            yield from (self._counted(each) for each in known if each is not None)
            return
        with self._installed.adapter(folder) as there:
            for file in sorted(there.iterdir()):
                yield self._counted(self._destination.add(file, f"{folder.path}/{file.name}"))

    def _counted(self, copied: File) -> File:
        self.count += 1
        self.bytes += copied.size
        self._tell("files", self.bytes, 0)
        return copied
