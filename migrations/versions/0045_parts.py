"""Parts of a tenant's documents, which the keys bound to one see alone."""

from alembic import op

revision = "0045"
down_revision = "0044"
oldest_software = "0.2.0"
locks = {
    "api_keys": "AccessExclusiveLock",
    "changes": "AccessExclusiveLock",
    "chunks": "AccessExclusiveLock",
    "document_pages": "AccessExclusiveLock",
    "document_texts": "AccessExclusiveLock",
    "document_values": "AccessExclusiveLock",
    "document_words": "AccessExclusiveLock",
    "documents": "AccessExclusiveLock",
    "job_items": "AccessExclusiveLock",
    "queries": "AccessExclusiveLock",
    "staged_chunks": "AccessExclusiveLock",
    "tenants": "ShareRowExclusiveLock",
    "vectors_1": "AccessExclusiveLock",
}

# `used_on` of a part that stands for a group, which no key names: it goes when nobody has sent the group for a while.
# `number` of a document as in document_values, which finds candidates by it; its id for what has no number.
# An item that is unfinished has no document to go by: `parts` are those that it will be in, or was in at last.
# `bound_to` is what the key may see that sent it, as in app.part.
TABLES = """
create table parts (
    tenant_id   integer not null references tenants on delete cascade,
    number      integer generated always as identity,
    filter      jsonb not null,
    digest      bytea not null,
    used_on     date,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, number),
    unique (tenant_id, digest)
);

create table part_documents (
    tenant_id   integer not null,
    part        integer not null,
    document    text not null,
    number      bigint not null,
    primary key (tenant_id, part, number),
    foreign key (tenant_id, part) references parts on delete cascade,
    foreign key (tenant_id, document) references documents on delete cascade
);
create index part_documents_document on part_documents (tenant_id, document, part);
create index part_documents_number on part_documents (tenant_id, number, part);

alter table api_keys
    add column part integer,
    add column groups text;
alter table job_items
    add column parts integer[] not null default '{}',
    add column bound_to text;
"""

TENANT = "(select nullif(current_setting('app.tenant', true), '')::integer)"
ALL = "(select current_setting('app.part', true) = 'all')"
PARTS = (
    "(select string_to_array(nullif(nullif(current_setting('app.part', true), 'all'), ''), ',')::integer[])::integer[]"
)
INSIDE = (
    "(select true from part_documents p where p.tenant_id = {table}.tenant_id and p.{column} = {table}.{named} "  # noqa: S608
    f"and p.part = any ({PARTS}) limit 1)"
)
# Unset, both sides are null, and the row is hidden. A scalar subquery is looked up for each row; `exists` would read
# the whole part first.
WALLS = {
    "documents": INSIDE.format(table="documents", column="document", named="id"),
    "chunks": INSIDE.format(table="chunks", column="document", named="document_id"),
    "changes": INSIDE.format(table="changes", column="document", named="document_id"),
    "document_pages": INSIDE.format(table="document_pages", column="document", named="document_id"),
    "document_texts": INSIDE.format(table="document_texts", column="document", named="document_id"),
    "document_words": INSIDE.format(table="document_words", column="document", named="document_id"),
    "document_values": INSIDE.format(table="document_values", column="number", named="document"),
    # Looked up, since a number stays in the items when its part is gone.
    "job_items": f"job_items.parts && (select array_agg(p.number) from parts p where p.number = any ({PARTS}))",  # noqa: S608
    "staged_chunks": """(
        select true from job_items i
        where i.tenant_id = staged_chunks.tenant_id and i.job_id = staged_chunks.job_id and i.n = staged_chunks.n
    )""",
    # One that nothing was found for is nobody's part.
    "queries": """queries.chunks <> '{}' and not exists (
        select from unnest(queries.chunks) as held (id)
        where (select true from chunks c where c.tenant_id = queries.tenant_id and c.id = held.id) is not true
    )""",
    "parts": f"parts.number = any ({PARTS})",
    "part_documents": f"part_documents.part = any ({PARTS})",
}
WALL = """
create policy of_this_part on {table} as restrictive to kyujang_service
using ({all} or {wall})
"""

SECURITY = f"""
alter table parts enable row level security;
alter table parts force row level security;
create policy of_this_tenant on parts using (tenant_id = {TENANT}) with check (tenant_id = {TENANT});
create policy operator on parts for select to kyujang_operator using (true);
grant select, insert, update, delete on parts to kyujang_service;
grant select on parts to kyujang_operator;

alter table part_documents enable row level security;
alter table part_documents force row level security;
create policy of_this_tenant on part_documents using (tenant_id = {TENANT}) with check (tenant_id = {TENANT});
grant select, insert, update, delete on part_documents to kyujang_service;
"""

# Each table of vectors, whose names only the database knows.
VECTORS = "select relname from pg_class where relkind = 'p' and relname ~ '^vectors_[0-9]+$'"


def upgrade() -> None:
    connection = op.get_bind()
    for statements in (TABLES, SECURITY):
        connection.exec_driver_sql(statements)
    vectors = [row[0] for row in connection.exec_driver_sql(VECTORS).fetchall()]
    walls = WALLS | {name: INSIDE.format(table=name, column="document", named="document_id") for name in vectors}
    for table, wall in walls.items():
        connection.exec_driver_sql(WALL.format(table=table, all=ALL, wall=wall))
