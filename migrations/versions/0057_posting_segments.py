"""Postings in compact segments, which a worker merges rows into."""

from alembic import op

revision = "0057"
down_revision = "0056"
oldest_software = "0.2.0"
locks = {"lexicon": "AccessExclusiveLock", "tenants": "AccessExclusiveLock"}

# A segment is never changed: a worker writes one and removes those that it was made of. `ids` are those of its chunks,
# of eight bytes each, ascending. What a block holds, app/storage/posting_blocks.py says. `posting_deletions` are chunks
# that are gone and whose postings are still there, as rows or in a segment, until the next merge. The lexicon begins
# empty: it counts what is in segments, and rows are counted where they are read.
TABLES = """
create table posting_segments (
    tenant_id   integer not null references tenants on delete cascade,
    id          bigint not null,
    chunks      integer not null,
    ids         bytea not null,
    primary key (tenant_id, id)
);

create table posting_blocks (
    tenant_id   integer not null,
    segment     bigint not null,
    first_term  text collate "C" not null,
    postings    bytea not null,
    primary key (tenant_id, segment, first_term),
    foreign key (tenant_id, segment) references posting_segments on delete cascade
);

create table posting_deletions (
    tenant_id   integer not null references tenants on delete cascade,
    chunk_id    bigint not null,
    deleted_at  timestamptz not null default now(),
    primary key (tenant_id, chunk_id)
);

drop table lexicon;
create table lexicon (
    tenant_id   integer not null references tenants on delete cascade,
    term        text collate "C" not null,
    chunks      integer not null check (chunks >= 0),
    primary key (tenant_id, term)
) with (fillfactor = 80);

-- They hardly become smaller, and are read by the part.
alter table posting_segments alter column ids set storage external;
alter table posting_blocks alter column postings set storage external;
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    grant select, insert, delete on {table} to kyujang_service;
    """
    for table in ("lexicon", "posting_segments", "posting_blocks", "posting_deletions")
)
GRANT = "grant update on lexicon to kyujang_service"


def upgrade() -> None:
    for statements in (TABLES, SECURITY, GRANT):
        op.get_bind().exec_driver_sql(statements)
