"""What tenants have used, by day; the calls of engines that are not counted yet; which key a job was sent with."""

from alembic import op

revision = "0034"
down_revision = "0033"
oldest_software = "0.2.0"
locks = {"jobs": "AccessExclusiveLock"}

# Both outlive no tenant's rows by a foreign key: of a deleted tenant the sums of its days stay, without keys and names.
# Tenant 0 is the service itself. `source` keeps what a long transaction publishes apart from what requests add.
TABLES = """
create table usage_days (
    tenant_id         integer not null,
    day               date not null,
    key_id            text not null,
    adapter           text not null,
    source            text not null check (source in ('requests', 'work', 'deleted')),
    requests          bigint not null default 0,
    engine_calls      bigint not null default 0,
    prompt_tokens     bigint not null default 0,
    completion_tokens bigint not null default 0,
    embedded_tokens   bigint not null default 0,
    ocr_pages         bigint not null default 0,
    training_seconds  bigint not null default 0,
    documents         bigint not null default 0,
    bytes             bigint not null default 0,
    primary key (tenant_id, day, key_id, adapter, source)
) with (fillfactor = 60);

create table engine_calls (
    id                      uuid primary key,
    tenant_id               integer not null,
    key_id                  text not null,
    adapter                 text not null,
    began_at                timestamptz not null default clock_timestamp(),
    most_prompt_tokens      integer not null,
    most_completion_tokens  integer not null
);
create index engine_calls_tenant on engine_calls (tenant_id, began_at);

alter table jobs add column key_id text;
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table usage_days enable row level security;
alter table usage_days force row level security;
create policy of_this_tenant on usage_days using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
create policy operator on usage_days to kyujang_operator using (true) with check (true);
grant select, insert, update on usage_days to kyujang_service;
grant select, insert, update, delete on usage_days to kyujang_operator;

alter table engine_calls enable row level security;
alter table engine_calls force row level security;
create policy of_this_tenant on engine_calls for select using ({OF_THIS_TENANT});
create policy operator on engine_calls to kyujang_operator using (true) with check (true);
grant select on engine_calls to kyujang_service;
grant select, insert, delete on engine_calls to kyujang_operator;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)
