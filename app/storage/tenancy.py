"""Who data belongs to, as the database counts it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NewType

# tenants.id. Not the slug, which callers know; and a type of its own, so that no top_k or version is passed for it.
TenantNumber = NewType("TenantNumber", int)

WHOLE = "all"
# Which part of its tenant's documents what runs here sees: numbers of parts, joined by commas, for a request whose key
# is bound, else all of it. Each transaction begins with it (app/storage/database.py).
part: ContextVar[str] = ContextVar("part", default=WHOLE)

# The groups that a request acts for, as it named them; empty where it acts for none.
groups: ContextVar[tuple[str, ...]] = ContextVar("groups", default=())


def settings_as(tenant: TenantNumber, seen: str | None = None) -> dict[str, str]:
    """Return the settings by which a transaction sees this tenant, of it the caller's part or what is `seen`."""
    return {"app.tenant": f"{tenant:d}", "app.part": _numbers(part.get() if seen is None else seen)}


def begin_as(tenant: TenantNumber, seen: str | None = None) -> str:
    """Return SQL for settings_as()."""
    return "; ".join(f"set local {name} = '{value}'" for name, value in settings_as(tenant, seen).items())


def see(seen: str) -> str:
    """Return SQL for the setting of the part."""
    return f"set local app.part = '{_numbers(seen)}'"


def _numbers(seen: str) -> str:
    """Return the setting of the part, in which nothing but numbers can stand."""
    return seen if seen == WHOLE else ",".join(f"{int(number):d}" for number in seen.split(",") if number)


def parts_seen() -> list[int] | None:
    """Return the numbers of the parts that what runs here may see; None for the whole tenant."""
    seen = part.get()
    return None if seen == WHOLE else [int(number) for number in seen.split(",") if number]


# For how many days a tenant `t` keeps what was asked, and whether it does.
DAYS = "(select days from query_logs l where l.tenant_id = t.id) as query_log_days"
LOGS_QUERIES = "exists (select from query_logs l where l.tenant_id = t.id) as logs_queries"


def is_kept(column: str) -> str:
    """Return SQL for the operator's role: whether the tenant of this column, named with its table, is not being
    deleted."""
    return f"not exists (select from tenant_deletions gone where gone.tenant_id = {column})"
