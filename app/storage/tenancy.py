"""Who data belongs to, as the database counts it."""

from __future__ import annotations

from typing import NewType

# tenants.id. Not the slug, which callers know; and a type of its own, so that no top_k or version is passed for it.
TenantNumber = NewType("TenantNumber", int)

# For how many days a tenant `t` keeps what was asked, and whether it does.
DAYS = "(select days from query_logs l where l.tenant_id = t.id) as query_log_days"
LOGS_QUERIES = "exists (select from query_logs l where l.tenant_id = t.id) as logs_queries"


def is_kept(column: str) -> str:
    """Return SQL for the operator's role: whether the tenant of this column, named with its table, is not being
    deleted."""
    return f"not exists (select from tenant_deletions gone where gone.tenant_id = {column})"
