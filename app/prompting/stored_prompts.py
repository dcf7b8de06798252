"""The stored prompts of tenants: immutable versions, one active for each name, and one name the default."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from app.errors import Conflict, InvalidInput, NotFound
from app.prompting.elements import Example, Overrides
from app.storage import audit
from app.storage.audit import Act
from app.storage.database import Connection, Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
REFERENCE = re.compile(rf"({NAME.pattern})(?:@([1-9][0-9]{{0,8}}))?")
# What a caller calls the prompt that questions without one get.
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class StoredPrompt:
    """`active`: what the name alone means, if it ever was activated. `is_default`: what questions without one get."""

    name: str
    version: int
    elements: Overrides
    created_at: datetime
    active: bool
    is_default: bool


@dataclass(frozen=True, slots=True)
class PromptSummary:
    """`created_at` is the time of the version that the name means."""

    name: str
    versions: Sequence[int]
    active: int | None
    is_default: bool
    created_at: datetime


VERSION = """
select p.name, v.version, v.elements, v.created_at, p.active is not distinct from v.version as active,
       p.is_default and p.active = v.version as is_default
from prompts p join prompt_versions v on v.tenant_id = p.tenant_id and v.name = p.name
where p.tenant_id = %(tenant)s
"""
# A name means its active version, or the newest one if none ever was activated.
MEANT = "and v.version = coalesce(%(version)s, p.active, p.newest)"


async def resolve(connection: Connection, tenant: TenantNumber, reference: str | None) -> StoredPrompt | None:
    """Return what `name` or `name@3` means; for `default` or none the tenant's default, None if it has none.

    `connection` is of the tenant, such as a snapshot's. Raises InvalidInput if it is unknown.
    """
    reference = None if reference == DEFAULT else reference
    found = REFERENCE.fullmatch(reference) if reference is not None else None
    if reference is not None and found is None:
        raise InvalidInput("A prompt is named 'name' or 'name@version'.", pointer="/prompt")
    name, version = (found[1], int(found[2]) if found[2] else None) if found else (None, None)
    which = "and p.name = %(name)s" if name else "and p.is_default"
    row = await fetch_one(
        connection, f"{VERSION} {which} {MEANT}", {"tenant": tenant, "name": name, "version": version}
    )
    if row is None and name is not None:
        raise InvalidInput(f"There is no prompt {reference!r}. GET /prompts lists them.", pointer="/prompt")
    return _prompt(row) if row else None


async def put(database: Database, tenant: TenantNumber, name: str, elements: Overrides) -> tuple[StoredPrompt, bool]:
    """Return a new version and True; or the newest one and False, if it already says the same. Raises InvalidInput."""
    if name == DEFAULT:
        raise InvalidInput("'default' is what questions without a prompt get: choose another name.", pointer="/name")
    key: dict[str, Any] = {"tenant": tenant, "name": name, "elements": Jsonb(_as_json(elements)), "version": None}
    async with database.transaction(tenant) as connection:
        await connection.execute(
            "insert into prompts (tenant_id, name, newest) values (%(tenant)s, %(name)s, 0) on conflict do nothing", key
        )
        row = await fetch_one(
            connection,
            "select newest from prompts where tenant_id = %(tenant)s and name = %(name)s for update",
            key,
        )
        assert row is not None
        key["version"] = row["newest"]
        same = await fetch_one(connection, f"{VERSION} and p.name = %(name)s {MEANT} and elements = %(elements)s", key)
        if same is not None:
            return _prompt(same), False
        key["version"] += 1
        await connection.execute(
            """
            insert into prompt_versions (tenant_id, name, version, elements)
            values (%(tenant)s, %(name)s, %(version)s, %(elements)s)
            """,
            key,
        )
        await connection.execute(
            "update prompts set newest = %(version)s where tenant_id = %(tenant)s and name = %(name)s", key
        )
        before = {"version": key["version"] - 1} if key["version"] > 1 else None
        act: Act = "change" if before else "create"
        await audit.record(connection, tenant, act, "prompt", name, before=before, after={"version": key["version"]})
        return await _get(connection, key), True


async def get(database: Database, tenant: TenantNumber, name: str, version: int | None = None) -> StoredPrompt:
    """Return that version, or what the name means. Raises NotFound."""
    async with database.transaction(tenant) as connection:
        return await _get(connection, {"tenant": tenant, "name": name, "version": version})


async def activate(database: Database, tenant: TenantNumber, name: str, version: int) -> StoredPrompt:
    """Make it the tenant's default from the next question on. Raises NotFound."""
    key = {"tenant": tenant, "name": name, "version": version}
    async with database.transaction(tenant) as connection:
        await _get(connection, key)
        before = await _no_default(connection, tenant)
        await connection.execute(
            """
            update prompts set active = %(version)s, is_default = true
            where tenant_id = %(tenant)s and name = %(name)s
            """,
            key,
        )
        after = {"default": f"{name}@{version}"}
        await audit.record(connection, tenant, "activate", "prompt", name, before={"default": before}, after=after)
        return await _get(connection, key)


async def deactivate(database: Database, tenant: TenantNumber) -> None:
    """Return to the built-in prompt. Each name keeps its meaning."""
    async with database.transaction(tenant) as connection:
        if before := await _no_default(connection, tenant):
            name = before.partition("@")[0]
            await audit.record(connection, tenant, "deactivate", "prompt", name, before={"default": before})


async def delete(database: Database, tenant: TenantNumber, name: str) -> None:
    """Delete every version. Raises NotFound, or Conflict if it is the default."""
    key = {"tenant": tenant, "name": name, "version": None}
    async with database.transaction(tenant) as connection:
        if (await _get(connection, key)).is_default:
            raise Conflict(
                "This prompt is the tenant's default: activate another one or POST /prompts/deactivate first."
            )
        await connection.execute(
            "update prompts set active = null where tenant_id = %(tenant)s and name = %(name)s", key
        )
        await connection.execute("delete from prompt_versions where tenant_id = %(tenant)s and name = %(name)s", key)
        await audit.record(connection, tenant, "delete", "prompt", name)


async def summaries(database: Database, tenant: TenantNumber, *, limit: int, after: str | None) -> list[PromptSummary]:
    """Return a page, in the order of the names."""
    async with database.transaction(tenant) as connection:
        rows = await fetch_all(
            connection,
            """
            select p.name, p.active, p.is_default, array_agg(v.version order by v.version) as versions,
                   max(v.created_at) filter (where v.version = coalesce(p.active, p.newest)) as created_at
            from prompts p join prompt_versions v on v.tenant_id = p.tenant_id and v.name = p.name
            where p.tenant_id = %(tenant)s and (%(after)s::text is null or p.name > %(after)s)
            group by p.tenant_id, p.name order by p.name limit %(limit)s
            """,
            {"tenant": tenant, "after": after, "limit": limit},
        )
    return [PromptSummary(**row) for row in rows]


async def _get(connection: Connection, key: dict[str, Any]) -> StoredPrompt:
    row = await fetch_one(connection, f"{VERSION} and p.name = %(name)s {MEANT}", key)
    if row is None:
        raise NotFound
    return _prompt(row)


async def _no_default(connection: Connection, tenant: TenantNumber) -> str | None:
    """Return what was the default, as `name@version`."""
    row = await fetch_one(
        connection,
        """
        update prompts set is_default = false where tenant_id = %(tenant)s and is_default
        returning name || '@' || active as reference
        """,
        {"tenant": tenant},
    )
    return row["reference"] if row else None


def _as_json(elements: Overrides) -> dict[str, Any]:
    return {name: value for name, value in asdict(elements).items() if value not in (None, {})}


def _prompt(row: dict[str, Any]) -> StoredPrompt:
    stored = dict(row["elements"])
    if "examples" in stored:
        stored["examples"] = [Example(**example) for example in stored["examples"]]
    known = {field.name for field in fields(Overrides)}
    elements = Overrides(**{name: value for name, value in stored.items() if name in known})
    return StoredPrompt(row["name"], row["version"], elements, row["created_at"], row["active"], row["is_default"])
