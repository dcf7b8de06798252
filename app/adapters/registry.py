"""The LoRA adapters of tenants: immutable versions, one of which may be active (app/adapters/activation.py)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, TypedDict, Unpack

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from app.adapters.version import AdapterStatus, AdapterVersion, Check, refuse_name, unknown
from app.errors import Conflict
from app.storage import audit, cancellation, job_creation, jobs, limits
from app.storage.blobs import Blob
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.idempotency import Idempotency, first_job
from app.storage.tenancy import TenantNumber

# The tenant's versions that are not deleted.
VERSION = """
select v.name, v.version, v.engine_name, v.status, v.base_model, v.rank, v.target_modules, v.bytes, v.checks, v.proof,
       v.error_detail, v.created_at, v.ready_at, f.version is not null as active, v.blob,
       encode(v.sha256, 'hex') as sha256, encode(v.digest, 'hex') as digest
from adapter_versions v left join (
    select name, version from adapter_activations where tenant_id = %(tenant)s order by seq desc limit 1
) f on f.name = v.name and f.version = v.version
where v.tenant_id = %(tenant)s and v.deleted_at is null
"""


async def create_version(
    database: Database,
    tenant: TenantNumber,
    name: str,
    blob: Blob,
    *,
    request: Idempotency | None = None,
    most: int | None = None,
) -> tuple[AdapterVersion, bool]:
    """Return a new version, which is to be checked, and True; or the newest one, if it has these very bytes, and False.

    The same request again returns what it did before. Raises InvalidInput; TooManyRequests beyond `most` tasks.
    """
    refuse_name(name)
    job_id = job_creation.new_id()
    async with database.transaction(tenant) as connection:
        if request and (first := await first_job(connection, tenant, request, job_id)) != job_id:
            return await _of_job(connection, tenant, first), False
        key: dict[str, Any] = {"tenant": tenant, "name": name}
        newest = await _newest(connection, key)
        same = await _same(connection, {**key, "version": newest, "sha256": blob.sha256})
        task = jobs.Task("check", name, newest if same else newest + 1)
        if same is None:
            await job_creation.refuse_too_many(connection, tenant, task, most)
            await limits.refuse_adapter(connection, tenant)
            new = await _insert(connection, {**key, "version": task.version}, blob)
            await audit.record(connection, tenant, "create", "adapter", f"{name}@{task.version}")
            await job_creation.insert_job(connection, tenant, job_id, task)
            return new, True
        if request:
            # The request's repetition looks the version up by a job.
            await job_creation.insert_job(connection, tenant, job_id, task, done=True)
        return same, False


async def _newest(connection: Connection, key: dict[str, Any]) -> int:
    """Return the number of the name's newest version, 0 if there is none, and lock the name."""
    row = await fetch_one(
        connection,
        """
        insert into adapters (tenant_id, name, newest) values (%(tenant)s, %(name)s, 0)
        on conflict (tenant_id, name) do update set newest = adapters.newest returning newest
        """,
        key,
    )
    assert row is not None
    return int(row["newest"])


async def get(database: Database, tenant: TenantNumber, name: str, version: int | None = None) -> AdapterVersion:
    """Return that version; without `version` the active one, else the newest. Raises NotFound."""
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
    """Return a page, by name, the newest of a name first. `after` is the last one of the page before."""
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


class Findings(TypedDict, total=False):
    """What a step of the check found out. What is None or left out stays as it was, but `error_detail`."""

    checks: Sequence[Check] | None
    proof: dict[str, Any] | None
    base_model: str | None
    rank: int | None
    target_modules: Sequence[str] | None
    published: bool | None
    digest: str | None
    error_detail: str | None


async def set_status(
    database: Database, tenant: TenantNumber, name: str, version: int, status: AdapterStatus, **found: Unpack[Findings]
) -> AdapterVersion:
    """After `checking` the archive is no longer needed. Raises NotFound if the version is deleted."""
    checks, proof, modules = found.get("checks"), found.get("proof"), found.get("target_modules")
    values = {
        "error_detail": found.get("error_detail"),
        "checks": Jsonb([asdict(check) for check in checks]) if checks is not None else None,
        "proof": Jsonb(proof) if proof is not None else None,
        "base_model": found.get("base_model"),
        "rank": found.get("rank"),
        "target_modules": list(modules) if modules is not None else None,
        "published": found.get("published"),
        "digest": found.get("digest"),
    }
    async with database.transaction(tenant) as connection:
        await connection.execute(
            """
            update adapter_versions set status = %(status)s, error_detail = %(error_detail)s,
                checks = coalesce(%(checks)s, checks), proof = coalesce(%(proof)s, proof),
                base_model = coalesce(%(base_model)s, base_model), rank = coalesce(%(rank)s, rank),
                target_modules = coalesce(%(target_modules)s, target_modules),
                published = coalesce(%(published)s, published),
                digest = coalesce(decode(%(digest)s, 'hex'), digest),
                ready_at = case when %(status)s = 'ready' then coalesce(ready_at, now()) end,
                blob = case when %(status)s = 'checking' then blob end
            where tenant_id = %(tenant)s and name = %(name)s and version = %(version)s and deleted_at is null
            """,
            {"tenant": tenant, "name": name, "version": version, "status": status, **values},
        )
        return await read(connection, tenant, name, version)


async def delete(database: Database, tenant: TenantNumber, name: str, version: int | None = None) -> None:
    """Delete one version or all, whose numbers are not used again.

    Engines may have their files open: they go some hours later (ingest/cleanup.py). Raises NotFound, or Conflict if the
    version is active.
    """
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
            update adapter_versions set deleted_at = now(), blob = null
            where tenant_id = %(tenant)s and name = %(name)s and deleted_at is null
              and (%(version)s::integer is null or version = %(version)s)
            returning version
            """,
            {"tenant": tenant, "name": name, "version": version},
        )
        gone = {"name": name, "versions": [row["version"] for row in rows]}
        of_these = "name = %(name)s and version = any(%(versions)s::integer[])"
        await cancellation.cancel_items(connection, tenant, of_these, gone)
        await audit.record(connection, tenant, "delete", "adapter", name, before={"versions": gone["versions"]})


async def lock(connection: Connection, tenant: TenantNumber) -> None:
    """Let one transaction at a time activate or delete a tenant's adapters."""
    await connection.execute("select from adapters where tenant_id = %s order by name for update", [tenant])


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


async def _of_job(connection: Connection, tenant: TenantNumber, job_id: str) -> AdapterVersion:
    row = await fetch_one(
        connection,
        "select name, version from job_items where tenant_id = %(tenant)s and job_id = %(job)s and kind = 'check'",
        {"tenant": tenant, "job": job_id},
    )
    if row is None:
        raise unknown()
    return await read(connection, tenant, row["name"], row["version"])


def _version(row: DictRow) -> AdapterVersion:
    return AdapterVersion(**{**row, "checks": [Check(**check) for check in row["checks"]]})
