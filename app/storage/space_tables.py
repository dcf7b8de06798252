"""Create and drop the table of each embedding space's vectors. Runs as the schema's owner, in migrate and reindex.

Why a table for each: docs/decisions/0008.
"""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from app.embedding.factory import as_stored, identity_of
from app.settings import Settings
from app.storage.spaces import Space, SpaceState, table

PARTITIONS = 16

# The document's id is repeated here: a filter needs no join.
TABLE = """
create table {table} (
    tenant_id   integer not null,
    chunk_id    bigint not null,
    document_id text not null,
    embedding   halfvec({dimension}) not null,
    primary key (tenant_id, chunk_id),
    foreign key (tenant_id, chunk_id) references chunks on delete cascade
) partition by hash (tenant_id);
create index on {table} (tenant_id, document_id);
grant select, insert on {table} to kyujang_service;
"""
PARTITION = """
create table {partition} partition of {table} for values with (modulus {modulus}, remainder {remainder})
with (autovacuum_vacuum_scale_factor = 0.05);
"""
SECURITY = """
alter table {table} enable row level security;
alter table {table} force row level security;
create policy of_this_tenant on {table}
using (tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer))
with check (tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer));
"""
# As those of migration 0045.
PARTS = """
create policy of_this_part on {table} as restrictive to kyujang_service
using (
    (select current_setting('app.part', true) = 'all')
    or (
        select true from part_documents p
        where p.tenant_id = {table}.tenant_id and p.document = {table}.document_id and p.part = any ((
            select string_to_array(nullif(nullif(current_setting('app.part', true), 'all'), ''), ',')::integer[]
        )::integer[]) limit 1
    )
);
"""


def stored_spaces(connection: psycopg.Connection) -> list[Space]:
    """Return all spaces, the last changed one last."""
    cursor = connection.cursor(row_factory=class_row(Space))
    return cursor.execute(
        "select number, model, dimension, settings, state from embedding_spaces order by changed_at, number"
    ).fetchall()


def create_space(connection: psycopg.Connection, settings: Settings, dimension: int, state: SpaceState) -> Space:
    """Create a space for the model that the settings name, in the caller's transaction."""
    model, stored = identity_of(settings), as_stored(settings)
    row = connection.execute(
        "insert into embedding_spaces (model, dimension, settings, state) values (%s, %s, %s, %s) returning number",
        [model, dimension, Jsonb(stored), state],
    ).fetchone()
    assert row is not None
    name = table(row[0])
    _execute(connection, TABLE, name, dimension=sql.Literal(dimension))
    _execute(connection, SECURITY, name)
    _execute(connection, PARTS, name)
    for remainder in range(PARTITIONS):
        partition = f"{name}_{remainder}"
        values = {"modulus": sql.Literal(PARTITIONS), "remainder": sql.Literal(remainder)}
        _execute(connection, PARTITION, name, partition=sql.Identifier(partition), **values)
        _execute(connection, SECURITY, partition)
    return Space(row[0], model, dimension, stored, state)


def drop_space(connection: psycopg.Connection, number: int) -> None:
    """Drop a space and its vectors."""
    _execute(connection, "drop table {table}", table(number))
    connection.execute("delete from embedding_spaces where number = %s", [number])


def create_vector_index(connection: psycopg.Connection, number: int) -> None:
    index = f"{table(number)}_embedding"
    # `if not exists` would wait for all who write.
    if connection.execute("select to_regclass(%s)", [index]).fetchone() != (None,):
        return
    # m=16/ef=64 left 1-2 % of the queries without any true neighbour on clustered vectors; 24/128 cures it.
    connection.execute(f"set maintenance_work_mem = '{_index_memory_mb(connection, number)}MB'".encode())
    _execute(
        connection,
        "create index {index} on {table} using hnsw (embedding halfvec_cosine_ops) "
        "with (m = 24, ef_construction = 128)",
        table(number),
        index=sql.Identifier(index),
    )


def _index_memory_mb(connection: psycopg.Connection, number: int) -> int:
    """Estimate the memory to build the largest partition's graph; with less, building slows down.

    At most 2 GB, enough for a million vectors of 384 dimensions, because PostgreSQL reserves it in /dev/shm.
    """
    row = connection.execute(
        "select dimension, (select max(reltuples) from pg_class where relname ~ '^chunks_[0-9]+$') "
        "from embedding_spaces where number = %s",
        [number],
    ).fetchone()
    assert row is not None
    return int(min(2048, max(512, row[1] * (2 * row[0] + 1000) / 2**20)))


def _execute(connection: psycopg.Connection, statement: str, name: str, **values: sql.Composable) -> None:
    composed = sql.SQL(statement).format(table=sql.Identifier(name), **values)
    connection.execute(composed)
