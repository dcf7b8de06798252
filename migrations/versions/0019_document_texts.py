"""The text that a document's chunks are parts of, in pieces, and where its pages are in it."""

from alembic import op

revision = "0019"
down_revision = "0018"
oldest_software = "0.2.0"
locks = {"documents": "ShareRowExclusiveLock"}

# All places count code points. Documents from before have no piece: their texts are made of their chunks
# (app/storage/texts.py).
TABLES = """
create table document_texts (
    tenant_id   integer not null,
    document_id text not null,
    start       integer not null,
    content     text not null,
    primary key (tenant_id, document_id, start),
    foreign key (tenant_id, document_id) references documents on delete cascade
);

create table document_pages (
    tenant_id   integer not null,
    document_id text not null,
    start       integer not null,
    stop        integer not null,
    page        integer not null,
    primary key (tenant_id, document_id, start),
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
    for table in ("document_texts", "document_pages")
)


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)
