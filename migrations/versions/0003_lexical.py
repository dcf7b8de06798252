"""What chunks are found by in words: postings, document frequencies, and the scheme that made them."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
-- How the stored texts were analysed: terms of two schemes must never be compared.
create table lexical_scheme (
    name        text primary key,
    only_row    boolean not null default true unique check (only_row)
);

-- In how many chunks of the tenant a term is.
create table lexicon (
    tenant_id   integer not null references tenants on delete cascade,
    term        text collate "C" not null,
    chunks      integer not null check (chunks >= 0),
    primary key (tenant_id, term)
) with (fillfactor = 80);

-- One row for each term of a chunk; impact: what the chunk's own part of BM25 comes to (docs/decisions/0005).
create table postings (
    chunk_id    bigint not null,
    tenant_id   integer not null references tenants on delete cascade,
    impact      smallint not null,
    term        text collate "C" not null
) partition by hash (tenant_id);

-- The strongest chunks of a term first: a search reads the head of each list and stops.
create index postings_term on postings (tenant_id, term, impact desc, chunk_id);
create index postings_chunk on postings (tenant_id, chunk_id);

-- From a document to its chunks' ids without reading the chunks, which are wide.
create index chunks_of_document on chunks (tenant_id, document_id) include (id);
"""

PARTITION_NAMES = tuple(f"postings_{i}" for i in range(16))
# Index-only scans need the visibility map, thus vacuums after inserts too.
PARTITIONS = "\n".join(
    f"create table {name} partition of postings for values with (modulus 16, remainder {i}) "
    "with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05);"
    for i, name in enumerate(PARTITION_NAMES)
)

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"

SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    """
    for table in ("lexicon", "postings", *PARTITION_NAMES)
)

GRANTS = """
grant select on lexical_scheme to kyujang_service;
grant select, insert, delete on postings to kyujang_service;
grant select, insert, update, delete on lexicon to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, PARTITIONS, SECURITY, GRANTS):
        op.get_bind().exec_driver_sql(statements)
