"""The role that a backup reads with: it sees the rows of all tenants and can change none."""

from __future__ import annotations

import psycopg
from psycopg import sql

ROLE = "kyujang_backup"
# The schema that a restore puts what it replaces in.
REPLACED = "kyujang_replaced"
TABLES = """
select c.relname, c.relkind, c.relrowsecurity and not exists (
    select from pg_policy p where p.polrelid = c.oid and p.polname = 'backup') as closed, c.relispartition
from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'S')
"""
# A managed PostgreSQL may set them for all sessions, and ours wait long while files are copied.
WITHOUT_LIMITS = """
select set_config(name, '0', false) from pg_settings
where name in ('idle_in_transaction_session_timeout', 'idle_session_timeout', 'lock_timeout', 'statement_timeout',
               'transaction_timeout')
"""
# What lies between may drop a connection on which nothing is said for minutes.
KEEPALIVE_S = 60
APPLICATION = "kyujang backup"


def connect_for_long(url: str) -> psycopg.Connection:
    """Connect for as long as it takes."""
    connection = psycopg.connect(url, autocommit=True, application_name=APPLICATION, keepalives_idle=KEEPALIVE_S)
    connection.execute(WITHOUT_LIMITS)
    return connection


def closed_to_backups(connection: psycopg.Connection) -> list[str]:
    """Return the tables that let_backups_read() will lock, partitions apart."""
    return [name for name, _, closed, is_partition in connection.execute(TABLES) if closed and not is_partition]


def let_backups_read(connection: psycopg.Connection) -> None:
    """Open every table to the role. Runs as the schema's owner, who may be bound by row-level security as well."""
    for name, kind, closed, _ in connection.execute(TABLES).fetchall():
        what, table = sql.SQL("sequence" if kind == "S" else "table"), sql.Identifier(name)
        connection.execute(sql.SQL("grant select on {} {} to {}").format(what, table, sql.Identifier(ROLE)))
        if closed:
            policy = sql.SQL("create policy backup on {} for select to {} using (true)")
            connection.execute(policy.format(table, sql.Identifier(ROLE)))
