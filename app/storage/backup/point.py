"""One point in time: a snapshot of the database that others can read, and a hold on the files that it names."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from app.storage.backup.access import ROLE, connect_for_long
from app.storage.backup.errors import BackupFailed
from app.storage.backup.manifest import TenantCounts
from app.storage.schema import refuse_other_schema_of

HOLD_S = 120
# An open upload, each document, an archive that waits for its check; then the adapters that engines read, whose digest
# an older schema does not have.
BLOBS = """
select 'blobs/' || blob, bytes, encode(sha256, 'hex') from documents
union all
select 'blobs/' || blob, size, encode(sha256, 'hex') from job_items
where blob is not null and status in ('queued', 'running')
union all
select 'blobs/' || blob, bytes, encode(sha256, 'hex') from adapter_versions where blob is not null
"""
ADAPTERS = """
select 'adapters/' || tenant_id || '/' || engine_name as path, substr(to_jsonb(v) ->> 'digest', 3) as digest
from adapter_versions v
where published and deleted_at is null and status not in ('rejected', 'failed')
"""
TENANTS = """
select t.id as number, t.slug as id,
       (select count(*) from documents d where d.tenant_id = t.id) as documents,
       (select count(*) from chunks c where c.tenant_id = t.id) as chunks,
       (select count(*) from adapter_versions v where v.tenant_id = t.id and v.status = 'ready'
          and v.deleted_at is null) as adapters
from tenants t order by t.id
"""


@dataclass(frozen=True, slots=True)
class AdapterFolder:
    """`digest` is of its .tar in object storage; None if its files lie in the folder."""

    path: str
    digest: str | None


@dataclass(frozen=True, slots=True)
class Point:
    """An open transaction, and the name by which pg_dump joins it."""

    connection: psycopg.Connection
    snapshot: str

    def blobs(self) -> Iterator[tuple[str, int, str]]:
        """Yield (path, bytes, SHA-256 in hex digits) of each upload."""
        with self.connection.cursor("blobs") as cursor:
            yield from cursor.execute(BLOBS.encode())

    def adapter_folders(self) -> list[AdapterFolder]:
        cursor = self.connection.cursor(row_factory=class_row(AdapterFolder))
        return cursor.execute(ADAPTERS.encode()).fetchall()

    def tenants(self) -> list[TenantCounts]:
        return count_tenants(self.connection)

    def schema(self) -> str:
        row = self.connection.execute("select version_num from alembic_version").fetchone()
        assert row is not None
        return str(row[0])


def count_tenants(connection: psycopg.Connection) -> list[TenantCounts]:
    """`connection` has the role of backups."""
    cursor = connection.cursor(row_factory=class_row(TenantCounts))
    return cursor.execute(TENANTS.encode()).fetchall()


@contextmanager
def open_point(url: str) -> Iterator[Point]:
    """Open it as the schema's owner. Until the block ends no file that a row of it names is removed.

    Raises BackupFailed if the hold was lost on the way: a file may be missing then.
    """
    with connect_for_long(url) as owner, hold_removals(url), owner.transaction():
        owner.execute("set transaction isolation level repeatable read, read only")
        owner.execute(f"set local role {ROLE}")
        row = owner.execute("select pg_export_snapshot()").fetchone()
        assert row is not None
        yield Point(owner, row[0])


@contextmanager
def hold_removals(url: str) -> Iterator[None]:
    """Hold back removals until the block ends; a killed process's hold ends by itself.

    Raises BackupFailed if it was lost on the way.
    """
    name, over, lost = f"backup-{secrets.token_hex(8)}", threading.Event(), threading.Event()
    with connect_for_long(url) as owner:
        refuse_other_schema_of(owner)
        owner.execute("delete from removal_holds where until <= now()")
        owner.execute(HOLD, {"id": name, "seconds": HOLD_S})

        def renew() -> None:
            while not over.wait(HOLD_S / 4):
                try:
                    if owner.execute(RENEW, {"id": name, "seconds": HOLD_S}).rowcount == 0:
                        lost.set()
                except psycopg.Error:
                    lost.set()

        renewing = threading.Thread(target=renew, daemon=True)
        renewing.start()
        try:
            yield
        finally:
            over.set()
            renewing.join()
            owner.execute("delete from removal_holds where id = %s", [name])
        if lost.is_set():
            raise BackupFailed("The database did not answer for a while, and files may have been removed: try again.")


HOLD = "insert into removal_holds values (%(id)s, now() + make_interval(secs => %(seconds)s))"
# One that has ended is not renewed: files may be gone since.
RENEW = """
update removal_holds set until = now() + make_interval(secs => %(seconds)s) where id = %(id)s and until > now()
"""
