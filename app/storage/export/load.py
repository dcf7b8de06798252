"""Import an export as a new tenant: in one transaction with its files, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.errors import UniqueViolation

from app.errors import Conflict, InvalidInput, NotConfigured
from app.language.analyzer import Analyzer
from app.settings import Settings
from app.storage import audit, postings, reanalysis, removals
from app.storage.backup.access import WITHOUT_LIMITS
from app.storage.backup.errors import BackupDamaged, BackupFailed
from app.storage.backup.make import Tell, faults_as_failures
from app.storage.backup.manifest import Exported
from app.storage.backup.point import hold_removals
from app.storage.backup.reading import Backup
from app.storage.backup.set_aside import remove_tree
from app.storage.database import Connection, Database, continue_as, fetch_one
from app.storage.export.loading import BaseModels, Loading
from app.storage.schema import newest_schema
from app.storage.tenancy import TenantNumber
from app.storage.tenants import SLUG


@dataclass(frozen=True, slots=True)
class Imported:
    """`embedding` is how many documents the worker embeds again; `refused` are adapters that cannot be used here."""

    id: str
    embedding: int
    refused: list[str]


async def import_tenant(settings: Settings, backup: Backup, slug: str, base: BaseModels, tell: Tell) -> Imported:
    """Raises InvalidInput, Conflict, BackupDamaged or BackupFailed; nothing of it is there then."""
    exported = _refuse_unreadable(backup, slug)
    backup.check(tell)
    analyzer = Analyzer(settings.lexical)
    database = Database(settings.service_url, pool_size=4)
    with faults_as_failures(settings.home, "import"), hold_removals(settings.owner_url):
        await database.open()
        try:
            if await database.lexical_scheme() != analyzer.name:
                raise NotConfigured("The stored texts are analysed in another way: run 'python -m app migrate'.")
            return await _import(settings, database, backup, exported, slug, base, analyzer, tell)
        except (psycopg.errors.DataError, psycopg.errors.IntegrityError) as error:
            raise BackupDamaged(f"The export holds rows that no Kyujang has written: {error}") from error
        finally:
            await database.close()


def _refuse_unreadable(backup: Backup, slug: str) -> Exported:
    manifest = backup.manifest
    if not SLUG.fullmatch(slug):
        raise InvalidInput(f"{slug!r} cannot be a tenant's id: it is of a-z, 0-9 and '-', at most 63 characters.")
    if manifest.export is None:
        raise BackupFailed("This is a backup of a whole installation: 'python -m app restore' reads it.")
    if manifest.schema > newest_schema():
        raise BackupFailed(
            f"The export is of Kyujang {manifest.software}: import it with that version, or a newer one."
        )
    return manifest.export


async def _import(
    settings: Settings,
    database: Database,
    backup: Backup,
    exported: Exported,
    slug: str,
    base: BaseModels,
    analyzer: Analyzer,
    tell: Tell,
) -> Imported:
    async with database.operator() as connection:
        await connection.execute(WITHOUT_LIMITS)
        tenant = await _create(connection, slug, exported.name)
        # What a killed import leaves behind is removed by the row; the import's commit takes the row away.
        noted = await removals.note(database, tenant, f"{tenant}/")
        await continue_as(connection, tenant)
        with _files_undone(settings, tenant):
            loading = Loading(settings, backup, exported, connection, tenant, tell)
            await loading.load(base)
            await loading.compare()
            await audit.record(connection, tenant, "import", "tenant", slug, after={"exported_as": exported.id})
            tell("index", 0, 0)
            async for _ in reanalysis.analyse(connection, tenant, analyzer):
                pass
            await postings.confirm(connection, analyzer.name)
            imported = Imported(slug, await loading.embed_again(), await loading.refuse_unfit())
            if not await removals.withdraw(connection, noted):
                raise BackupFailed("The database did not answer for a while, and files were removed: try again.")
    return imported


async def _create(connection: Connection, slug: str, name: str) -> TenantNumber:
    try:
        row = await fetch_one(
            connection,
            "insert into tenants (slug, name) values (%(slug)s, %(name)s) returning id",
            {"slug": slug, "name": name},
        )
    except UniqueViolation:
        raise Conflict(f"There is a tenant {slug!r} already: import under another id, or delete that one.") from None
    assert row is not None
    return TenantNumber(row["id"])


@contextmanager
def _files_undone(settings: Settings, tenant: TenantNumber) -> Iterator[None]:
    try:
        yield
    except BaseException:
        for folder in (settings.blobs / str(tenant), settings.adapters / str(tenant)):
            if folder.exists():
                remove_tree(folder)
        raise
