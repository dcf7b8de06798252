"""The tables that have a tenant, read off the schema."""

from __future__ import annotations

import psycopg


def tables_of_tenants(owner_url: str) -> dict[str, set[str]]:
    """Return the columns of every table that has a tenant, partitions apart."""
    found: dict[str, set[str]] = {}
    with psycopg.connect(owner_url) as connection:
        for table, column in connection.execute(
            """
            select c.relname, a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
            where c.relkind in ('r', 'p') and not c.relispartition and not a.attisdropped
                and c.relnamespace = 'public'::regnamespace
            """
        ):
            found.setdefault(table, set()).add(column)
    return {table: columns for table, columns in found.items() if "tenant_id" in columns}
