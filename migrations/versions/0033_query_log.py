"""What a tenant's questions were answered with, where that is turned on."""

from alembic import op

revision = "0033"
down_revision = "0032"
oldest_software = "0.2.0"
locks = {"tenants": "ShareRowExclusiveLock"}

# Without a row in query_logs a tenant's questions are not logged. `chunks` and `documents` are of the contexts, best
# first: who may see a logged query is decided by them.
TABLES = """
create table query_logs (
    tenant_id   integer primary key references tenants on delete cascade,
    days        integer not null check (days > 0)
);

create table queries (
    tenant_id         integer not null references tenants on delete cascade,
    id                text not null,
    at                timestamptz not null,
    key_id            text,
    question          text not null,
    search_query      text not null,
    chunks            bigint[] not null,
    documents         text[] not null,
    scores            double precision[] not null,
    answer            text not null,
    answer_mode       text not null,
    citations         jsonb not null,
    unsupported       jsonb not null,
    verdict           text not null,
    no_answer_reason  text,
    prompt            text,
    model             text,
    adapter           text,
    timings_ms        jsonb not null,
    vote              text,
    comment           text,
    right_answer      text,
    voted_at          timestamptz,
    voted_by          text,
    primary key (tenant_id, id)
);
create index queries_at on queries (tenant_id, at desc, id desc);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table query_logs enable row level security;
alter table query_logs force row level security;
create policy of_this_tenant on query_logs using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
create policy operator on query_logs to kyujang_operator using (true) with check (true);
grant select, insert on query_logs to kyujang_service;
grant select, insert, update, delete on query_logs to kyujang_operator;

alter table queries enable row level security;
alter table queries force row level security;
create policy of_this_tenant on queries using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
grant select, insert, update, delete on queries to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)
