"""Export a tenant while the service runs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from app.errors import NotConfigured, NotFound
from app.settings import Settings
from app.storage import audit
from app.storage.backup.access import connect_for_long
from app.storage.backup.destinations import Destination, open_destination
from app.storage.backup.errors import BackupFailed
from app.storage.backup.make import Tell, copy_files, faults_as_failures, name_of
from app.storage.backup.manifest import ROWS, Exported, File, Key, Manifest
from app.storage.backup.places import refuse_inside
from app.storage.backup.point import Point, hold_removals
from app.storage.export.tables import TABLES, TEXTS, hash_of_vectors, table_in
from app.storage.tenancy import TenantNumber

KEYS = """
select id, scopes, created_at::text, expires_at::text, revoked_at::text,
       (select filter from parts p where p.tenant_id = api_keys.tenant_id and p.number = api_keys.part) as only,
       groups
from api_keys where tenant_id = %(tenant)s order by created_at, id
"""
COLUMNS = """
select attname from pg_attribute
where attrelid = %(table)s::regclass and attnum > 0 and not attisdropped and attname <> 'tenant_id' order by attnum
"""
BASE_MODELS = """
select distinct base_model from adapter_versions
where tenant_id = %(tenant)s and published and deleted_at is null and base_model is not null order by 1
"""


@dataclass(frozen=True, slots=True)
class TenantPoint(Point):
    """A point in time of one tenant, in a transaction that sees this tenant's rows alone."""

    tenant: TenantNumber
    name: str
    keys: list[Key]
    revision: str
    space: int
    model: str
    dimension: int

    def schema(self) -> str:
        return self.revision

    def one(self, query: str) -> str:
        row = self.connection.execute(query.encode(), {"tenant": self.tenant}).fetchone()
        assert row is not None
        return str(row[0])


def export_tenant(settings: Settings, slug: str, place: Path, tell: Tell) -> Manifest:
    """Export to a new folder or .tar, and return what the export holds.

    Raises NotFound, or BackupFailed. A file that is missing, or is not what was uploaded, is named in the manifest.
    """
    refuse_inside(settings, place)
    now = datetime.now(UTC)
    with (
        faults_as_failures(place, "export"),
        _new(place),
        open_destination(place, name_of(now), settings.home) as destination,
    ):
        with open_tenant(settings, slug) as point:
            _note(settings, point, slug)
            counts: dict[str, int] = {}
            rows = _write_rows(point, destination, counts, tell)
            manifest = copy_files(settings, point, destination, tell, rows, now, _described(point, slug, counts))
        destination.finish(manifest)
    return manifest


def _note(settings: Settings, point: TenantPoint, slug: str) -> None:
    with psycopg.connect(settings.service_url) as service:
        audit.record_export(service, point.tenant, slug)


def _described(point: TenantPoint, slug: str, counts: dict[str, int]) -> Exported:
    return Exported(
        id=slug,
        name=point.name,
        rows=counts,
        model=point.model,
        dimension=point.dimension,
        base_models=[row[0] for row in point.connection.execute(BASE_MODELS, {"tenant": point.tenant})],
        texts=point.one(TEXTS),
        vectors=point.one(hash_of_vectors(point.space)),
        keys=point.keys,
    )


@contextmanager
def open_tenant(settings: Settings, slug: str) -> Iterator[TenantPoint]:
    """Open it in the service's role, whom row-level security binds; files that its rows name stay until the end.

    Raises NotFound, and NotConfigured if the role is bound by nothing.
    """
    with (
        connect_for_long(settings.owner_url) as owner,
        hold_removals(settings.owner_url),
        connect_for_long(settings.service_url) as service,
        service.transaction(),
    ):
        service.execute("set transaction isolation level repeatable read, read only")
        service.execute("set local role kyujang_operator")
        tenant = service.execute("select id, name from tenants where slug = %s", [slug]).fetchone()
        if tenant is None:
            raise NotFound(f"There is no tenant {slug!r}.")
        number, name = TenantNumber(tenant[0]), tenant[1]
        # Of keys the role reads all tenants', hence the condition.
        keys = service.cursor(row_factory=class_row(Key)).execute(KEYS, {"tenant": number}).fetchall()
        service.execute(
            f"set local role none; set local app.tenant = '{number:d}'; set local app.part = 'all'".encode()
        )
        space = service.execute(
            "select number, model, dimension from embedding_spaces where state = 'active'"
        ).fetchone()
        schema = owner.execute("select version_num from alembic_version").fetchone()
        assert space is not None
        assert schema is not None
        _refuse_unbound(service, space[0])
        yield TenantPoint(service, "", number, name, keys, schema[0], *space)


def _refuse_unbound(service: psycopg.Connection, space: int) -> None:
    """Raises NotConfigured if this role could see other tenants' rows."""
    for table in TABLES:
        if service.execute("select row_security_active(%s)", [table_in(table, space)]).fetchone() != (True,):
            raise NotConfigured(
                "A tenant is exported as a role that row-level security binds: leave KYUJANG_SERVICE_DATABASE_URL "
                "unset, or name a plain login role there."
            )


@contextmanager
def _new(place: Path) -> Iterator[None]:
    """Refuse a folder that holds something, and leave nothing of an export that has failed."""
    is_tar, there = place.suffix == ".tar", place.exists()
    if not is_tar and there and (not place.is_dir() or any(place.iterdir())):
        raise BackupFailed(f"{place} is not empty: name a new folder, or a .tar. An export is in a place of its own.")
    try:
        yield
    except BaseException:
        if not is_tar and place.is_dir():
            for each in place.iterdir():
                shutil.rmtree(each) if each.is_dir() else each.unlink()
            if not there:
                place.rmdir()
        raise


def _write_rows(point: TenantPoint, destination: Destination, counts: dict[str, int], tell: Tell) -> File:
    part = destination.scratch() / (ROWS + ".part")
    try:
        with part.open("wb") as target:
            for table in TABLES:
                counts[table.name] = _write_table(point, table_in(table, point.space), table.name, table.order, target)
                tell("rows", target.tell(), 0)
        return destination.add(part, ROWS)
    finally:
        part.unlink(missing_ok=True)


def _write_table(point: TenantPoint, table: str, name: str, order: str, target: BinaryIO) -> int:
    """Write a line that names the table and its columns, then one for each row; return how many."""
    columns = [row[0] for row in point.connection.execute(COLUMNS, {"table": table})]
    target.write(json.dumps([name, columns]).encode() + b"\n")
    query = sql.SQL("select row_to_json(r)::text from (select {} from {} where tenant_id = {} order by {}) r").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Identifier(table),
        sql.Literal(point.tenant),
        sql.SQL(order),
    )
    count = 0
    with point.connection.cursor("rows") as cursor:
        cursor.itersize = 500
        for (line,) in cursor.execute(query):
            target.write(line.encode() + b"\n")
            count += 1
    return count
