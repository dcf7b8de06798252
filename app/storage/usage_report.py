"""What was used in a period, added up by day, tenant, key and adapter."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

from app.storage.database import Database, fetch_all, fetch_one
from app.storage.tenancy import TenantNumber
from app.storage.usage import COUNTS, SYSTEM, Usage

Group = Literal["day", "tenant", "key", "adapter"]
GROUPS: tuple[Group, ...] = get_args(Group)
# Tenants by their public ids; a deleted one by its number, which is no tenant's id with the sign before it.
NAMES: dict[Group, str] = {
    "day": "u.day::text",
    "tenant": f"""
        case when u.tenant_id <> {SYSTEM} then
            coalesce((select slug from tenants t where t.id = u.tenant_id), '#' || u.tenant_id) else '' end
    """,  # noqa: S608 - a constant
    "key": "u.key_id",
    "adapter": "u.adapter",
}
OF_PERIOD = "u.day >= %(since)s and u.day < %(until)s and (%(tenant)s::integer is null or u.tenant_id = %(tenant)s)"
UNSETTLED = """
select count(*) as engine_calls, coalesce(sum(most_prompt_tokens), 0)::bigint as prompt_tokens,
       coalesce(sum(most_completion_tokens), 0)::bigint as completion_tokens
from engine_calls where (began_at at time zone 'utc')::date >= %(since)s
  and (began_at at time zone 'utc')::date < %(until)s and (%(tenant)s::integer is null or tenant_id = %(tenant)s)
"""


@dataclass(frozen=True, slots=True)
class Line:
    """`group` names what it was added up by. For the operator an empty tenant is the service itself."""

    group: dict[Group, str]
    used: Usage


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Calls of engines that are under way, or whose process was killed, and what they take at most."""

    engine_calls: int
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Period:
    """From the day `since` to the day before `until`, in UTC."""

    since: date
    until: date


async def lines(
    database: Database,
    tenant: TenantNumber | None,
    period: Period,
    groups: Sequence[Group],
    *,
    limit: int,
    after: Sequence[str] | None = None,
) -> list[Line]:
    """Return a tenant's, or without one all for the operator, in the order of their groups; `after` is the last one
    of the page before."""
    key = {"tenant": tenant, "since": period.since, "until": period.until, "limit": limit}
    async with database.operator() if tenant is None else database.transaction(tenant) as connection:
        rows = await fetch_all(connection, _query(groups, after), key | _values(after))
    return [
        Line({name: row[name] for name in groups}, Usage(**{name: row[name] for name in COUNTS}))
        for row in rows
    ]  # fmt: skip


async def unsettled(database: Database, tenant: TenantNumber | None, period: Period) -> Unsettled:
    key = {"tenant": tenant, "since": period.since, "until": period.until}
    async with database.operator() if tenant is None else database.transaction(tenant) as connection:
        row = await fetch_one(connection, UNSETTLED, key)
    assert row is not None
    return Unsettled(**row)


def _query(groups: Sequence[Group], after: Sequence[str] | None) -> str:
    named = "".join(f'{NAMES[name]} as "{name}", ' for name in groups)
    sums = ", ".join(f"coalesce(sum(u.{name}), 0)::bigint as {name}" for name in COUNTS)
    order = ", ".join(f'"{name}" collate "C"' for name in groups)
    which = f"where ({order}) > ({', '.join(f'%(after{n})s' for n in range(len(groups)))})" if after else ""
    return f"""
        select * from (
            select {named} {sums} from usage_days u
            where {OF_PERIOD} {f"group by {', '.join(map(str, range(1, len(groups) + 1)))}" if groups else ""}
        ) lines {which} {f"order by {order}" if groups else ""} limit %(limit)s
    """  # noqa: S608 - constants


def _values(after: Sequence[str] | None) -> dict[str, Any]:
    return {f"after{number}": value for number, value in enumerate(after or ())}
