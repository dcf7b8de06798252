"""Vectors in tables of their own, one for each embedding model, so that a new model can be built beside the old one."""

from alembic import op

revision = "0004"
down_revision = "0003"

SPACES = """
-- The models whose vectors are stored, each in the table vectors_<number>; searches use the active one's
-- (docs/decisions/0008). `settings` is what opens the model.
create table embedding_spaces (
    number      integer generated always as identity primary key,
    model       text not null unique,
    dimension   integer not null,
    settings    jsonb not null,
    state       text not null check (state in ('building', 'active', 'retired')),
    changed_at  timestamptz not null default now()
);

create unique index embedding_spaces_state on embedding_spaces (state) where state <> 'retired';
grant select on embedding_spaces to kyujang_service;

-- What is staged is embedded again: nobody knows by which model it was.
truncate staged_chunks;
alter table staged_chunks add column space integer not null;
"""

# As app/migrate.py creates them today.
FIRST_SPACE = """
create table vectors_1 (
    tenant_id   integer not null,
    chunk_id    bigint not null,
    document_id text not null,
    embedding   halfvec({dimension}) not null,
    primary key (tenant_id, chunk_id),
    foreign key (tenant_id, chunk_id) references chunks on delete cascade
) partition by hash (tenant_id);
create index vectors_1_document on vectors_1 (tenant_id, document_id);
"""
PARTITION_NAMES = tuple(f"vectors_1_{i}" for i in range(16))
PARTITIONS = "\n".join(
    f"create table {name} partition of vectors_1 for values with (modulus 16, remainder {i}) "
    "with (autovacuum_vacuum_scale_factor = 0.05);"
    for i, name in enumerate(PARTITION_NAMES)
)
OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = "\n".join(
    f"""
    alter table {table} enable row level security;
    alter table {table} force row level security;
    create policy of_this_tenant on {table} using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
    """
    for table in ("vectors_1", *PARTITION_NAMES)
)
GRANTS = "grant select, insert on vectors_1 to kyujang_service;"

MOVE = """
insert into vectors_1 (tenant_id, chunk_id, document_id, embedding)
select tenant_id, id, document_id, embedding from chunks where tenant_id = %s
"""


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(SPACES)
    model = connection.exec_driver_sql("select name, dimension from embedding_model").fetchone()
    connection.exec_driver_sql("set local role kyujang_operator")
    connection.exec_driver_sql("update job_items set chunks_done = 0 where status in ('queued', 'running')")
    tenants = [row[0] for row in connection.exec_driver_sql("select id from tenants").fetchall()]
    connection.exec_driver_sql("reset role")
    if model is not None:
        connection.exec_driver_sql(
            "insert into embedding_spaces (model, dimension, settings, state) values (%s, %s, '{}', 'active')",
            tuple(model),
        )
        for statements in (FIRST_SPACE.format(dimension=model[1]), PARTITIONS, SECURITY, GRANTS):
            connection.exec_driver_sql(statements)
        # The owner is bound by row-level security too: what is stored already is gone through tenant by tenant.
        for tenant in tenants:
            connection.exec_driver_sql("select set_config('app.tenant', %s, true)", (str(tenant),))
            connection.exec_driver_sql(MOVE, (tenant,))
    connection.exec_driver_sql("alter table chunks drop column embedding")
    connection.exec_driver_sql("drop table embedding_model")
