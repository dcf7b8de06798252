"""LoRA adapters that tenants keep: immutable versions, one of which may be active (app/adapters/activation.py)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.errors import Conflict, InvalidInput, NotFound
from app.storage import tasks
from app.storage.blobs import Blob
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, first_job
from app.tenancy import TenantNumber

AdapterStatus = Literal["checking", "loading", "proving", "ready", "rejected", "failed"]

# Without two hyphens in a row and none at the end: they set the parts of an engine's name apart.
NAME = re.compile(r"[a-z0-9](?:-?[a-z0-9_]){0,62}")
MAX_NAME = 63
REFERENCE = re.compile(rf"(?P<name>{NAME.pattern})(?:@(?P<version>[1-9][0-9]{{0,8}}))?")
# What `adapter` of a query means already, and paths beside the names.
RESERVED = frozenset({"auto", "none", "activations", "deactivate", "rollback"})


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True)
class AdapterVersion:
    """`engine_name` is what engines know it by: never shown to a caller, never taken from one."""

    name: str
    version: int
    engine_name: str
    status: AdapterStatus
    base_model: str | None
    rank: int | None
    target_modules: list[str] | None
    bytes: int
    checks: list[Check]
    proof: dict[str, Any] | None
    error_detail: str | None
    created_at: datetime
    ready_at: datetime | None
    active: bool
    blob: str | None

    @property
    def reference(self) -> str:
        return f"{self.name}@{self.version}"


# The tenant's versions that are not deleted.
VERSION = """
select v.name, v.version, v.engine_name, v.status, v.base_model, v.rank, v.target_modules, v.bytes, v.checks, v.proof,
       v.error_detail, v.created_at, v.ready_at, f.version is not null as active, v.blob
from adapter_versions v left join (
    select name, version from adapter_activations where tenant_id = %(tenant)s order by seq desc limit 1
) f on f.name = v.name and f.version = v.version
where v.tenant_id = %(tenant)s and v.deleted_at is null
"""


def refuse_name(name: str) -> None:
    """Raises InvalidInput for a name that no adapter can have."""
    if not NAME.fullmatch(name) or len(name) > MAX_NAME or name in RESERVED:
        raise InvalidInput(
            f"An adapter's name is of a-z, 0-9, '_' and single '-', at most {MAX_NAME} characters, "
            f"and none of {', '.join(sorted(RESERVED))}.",
            pointer="/name",
        )


async def create_version(
    database: Database, tenant: TenantNumber, name: str, blob: Blob, *, request: Idempotency | None = None
) -> tuple[AdapterVersion, bool]:
    """A new version and its check, and True; or the newest one, and False, if it was made of these very bytes.

    The same request again gives what it gave before, and False. Raises InvalidInput.
    """
    refuse_name(name)
    task_id = tasks.new_id()
    async with database.transaction(tenant) as connection:
        if request is not None:
            first = await first_job(connection, tenant, request, task_id)
            if first != task_id:
                return await _of_task(connection, tenant, first), False
        key: dict[str, Any] = {"tenant": tenant, "name": name}
        row = await fetch_one(
            connection,
            """
            insert into adapters (tenant_id, name, newest) values (%(tenant)s, %(name)s, 0)
            on conflict (tenant_id, name) do update set newest = adapters.newest returning newest
            """,
            key,
        )
        assert row is not None
        same = await _same(connection, {**key, "version": row["newest"], "sha256": blob.sha256})
        if same is not None:
            if request is not None:
                # The request's repetition looks the version up by a task.
                await tasks.insert(
                    connection, tenant, task_id, "check", name=name, version=same.version, status="succeeded"
                )
            return same, False
        version = await _insert(connection, {**key, "version": row["newest"] + 1}, blob)
        await tasks.insert(connection, tenant, task_id, "check", name=name, version=version.version)
        return version, True


async def get(database: Database, tenant: TenantNumber, name: str, version: int | None = None) -> AdapterVersion:
    """Without `version` the active one, else the newest. Raises NotFound."""
    async with database.transaction(tenant) as connection:
        return await read(connection, tenant, name, version)


async def read(connection: Connection, tenant: TenantNumber, name: str, version: int | None) -> AdapterVersion:
    row = await fetch_one(
        connection,
        f"""
        {VERSION} and v.name = %(name)s and (%(version)s::integer is null or v.version = %(version)s)
        order by active desc, v.version desc limit 1
        """,
        {"tenant": tenant, "name": name, "version": version},
    )
    if row is None:
        raise unknown()
    return _version(row)


async def versions(
    database: Database,
    tenant: TenantNumber,
    *,
    limit: int,
    after: tuple[str, int] | None = None,
    name: str | None = None,
) -> list[AdapterVersion]:
    """By name, the newest of a name first. `after` is the last one of the page before this one."""
    at, below = after or (None, None)
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            f"""
            {VERSION} and (%(name)s::text is null or v.name = %(name)s)
              and (%(at)s::text is null or v.name > %(at)s or (v.name = %(at)s and v.version < %(below)s))
            order by v.name, v.version desc limit %(limit)s
            """,
            {"tenant": tenant, "at": at, "below": below, "limit": limit, "name": name},
        )
    return [_version(row) for row in rows]


async def set_status(
    database: Database,
    tenant: TenantNumber,
    name: str,
    version: int,
    status: AdapterStatus,
    *,
    checks: Sequence[Check] | None = None,
    proof: dict[str, Any] | None = None,
    error_detail: str | None = None,
    base_model: str | None = None,
    rank: int | None = None,
    target_modules: Sequence[str] | None = None,
    published: bool | None = None,
) -> AdapterVersion:
    """What is None stays. Its archive is no longer needed after `checking`. Raises NotFound if it is deleted."""
    values = {
        "checks": Jsonb([asdict(check) for check in checks]) if checks is not None else None,
        "proof": Jsonb(proof) if proof is not None else None,
        "base_model": base_model,
        "rank": rank,
        "target_modules": list(target_modules) if target_modules is not None else None,
        "published": published,
    }
    given = "".join(f", {column} = %({column})s" for column, value in values.items() if value is not None)
    key = {"tenant": tenant, "name": name, "version": version, "status": status, "error_detail": error_detail}
    async with database.transaction(tenant) as connection:
        await connection.execute(
            f"""
            update adapter_versions set status = %(status)s, error_detail = %(error_detail)s{given},
                ready_at = case when %(status)s = 'ready' then coalesce(ready_at, now()) end,
                blob = case when %(status)s = 'checking' then blob end
            where tenant_id = %(tenant)s and name = %(name)s and version = %(version)s and deleted_at is null
            """.encode(),  # noqa: S608 - columns named above
            {**key, **values},
        )
        return await read(connection, tenant, name, version)


async def delete(database: Database, tenant: TenantNumber, name: str, version: int | None = None) -> list[str]:
    """One version or all; their numbers are not used again. Returns the archives to remove.

    Engines may have their files open: they go some hours later (ingest/cleanup.py). Raises NotFound, or Conflict if the
    version is active.
    """
    key = {"tenant": tenant, "name": name, "version": version}
    async with database.transaction(tenant) as connection:
        await lock(connection, tenant)
        if (await read(connection, tenant, name, version)).active:
            raise Conflict(
                "This adapter is active: activate another one, POST /adapters/rollback or POST /adapters/deactivate "
                "first."
            )
        rows = await fetch_all(
            connection,
            """
            with gone as (
                select version, blob from adapter_versions
                where tenant_id = %(tenant)s and name = %(name)s and deleted_at is null
                  and (%(version)s::integer is null or version = %(version)s)
            )
            update adapter_versions v set deleted_at = now(), blob = null from gone
            where v.tenant_id = %(tenant)s and v.name = %(name)s and v.version = gone.version
            returning v.version, gone.blob
            """,
            key,
        )
        await tasks.cancel_of(connection, tenant, name, [row["version"] for row in rows])
    return [row["blob"] for row in rows if row["blob"]]


async def lock(connection: Connection, tenant: TenantNumber) -> None:
    """One at a time among what activates and deletes a tenant's adapters."""
    await connection.execute(
        "select from adapters where tenant_id = %(tenant)s order by name for update", {"tenant": tenant}
    )


def unknown() -> NotFound:
    """The same words for another tenant's and for none."""
    return NotFound("There is no adapter of this name and version. GET /adapters lists them.")


async def _same(connection: Connection, key: dict[str, Any]) -> AdapterVersion | None:
    row = await fetch_one(
        connection,
        f"""
        {VERSION} and v.name = %(name)s and v.version = %(version)s and v.sha256 = %(sha256)s
          and v.status not in ('rejected', 'failed')
        """,
        key,
    )
    return _version(row) if row else None


async def _insert(connection: Connection, key: dict[str, Any], blob: Blob) -> AdapterVersion:
    await connection.execute(
        """
        with counted as (
            update adapters set newest = %(version)s where tenant_id = %(tenant)s and name = %(name)s
        )
        insert into adapter_versions (tenant_id, name, version, engine_name, sha256, blob, bytes)
        values (%(tenant)s, %(name)s, %(version)s, %(engine_name)s, %(sha256)s, %(blob)s, %(bytes)s)
        """,
        {
            **key,
            # The number, because a tenant's public id may hold the hyphens that set the parts apart.
            # Part of the contents, since an engine may outlive the database that counted the versions.
            "engine_name": f"t{key['tenant']}--{key['name']}--v{key['version']}--{blob.sha256.hex()[:8]}",
            "sha256": blob.sha256,
            "blob": blob.path,
            "bytes": blob.size,
        },
    )
    return await read(connection, key["tenant"], key["name"], key["version"])


async def _of_task(connection: Connection, tenant: TenantNumber, task_id: str) -> AdapterVersion:
    row = await fetch_one(
        connection,
        "select name, version from tasks where tenant_id = %(tenant)s and id = %(id)s and kind = 'check'",
        {"tenant": tenant, "id": task_id},
    )
    if row is None:
        raise unknown()
    return await read(connection, tenant, row["name"], row["version"])


def _version(row: DictRow) -> AdapterVersion:
    return AdapterVersion(**{**row, "checks": [Check(**check) for check in row["checks"]]})
