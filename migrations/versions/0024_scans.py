"""Pages of scans that are read already, the places of their words, and how a document's scans are to be read."""

from alembic import op

revision = "0024"
down_revision = "0023"
oldest_software = "0.2.0"
locks = {"documents": "AccessExclusiveLock", "job_items": "AccessExclusiveLock"}

# `progressed_in`: the last attempt that has stored something; those before it do not count against the document.
COLUMNS = """
alter table documents add column ocr text not null default 'auto';
alter table job_items add column ocr text not null default 'auto', add column progressed_in integer not null default 0;
"""
# `words`: app/storage/words.py packs them.
TABLES = """
create table staged_pages (
    tenant_id  integer not null,
    job_id     text not null,
    n          integer not null,
    page       integer not null,
    content    text not null,
    words      bytea,
    unreadable text,
    primary key (tenant_id, job_id, n, page),
    foreign key (tenant_id, job_id, n) references job_items on delete cascade
);

create table document_words (
    tenant_id   integer not null,
    document_id text not null,
    page        integer not null,
    words       bytea not null,
    primary key (tenant_id, document_id, page),
    foreign key (tenant_id, document_id) references documents on delete cascade
);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    grant select, insert, delete on {table} to kyujang_service;
    """
    for table in ("staged_pages", "document_words")
)


def upgrade() -> None:
    for statements in (COLUMNS, TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)
