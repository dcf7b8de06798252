"""Limits of keys, and the requests of the last minute of each tenant and key."""

from alembic import op

revision = "0035"
down_revision = "0034"
oldest_software = "0.2.0"
locks = {
    "api_keys": "AccessExclusiveLock",
    "request_counts": "AccessExclusiveLock",
    "tenants": "AccessExclusiveLock",
}
drops = ("request_counts",)

# Requests by the second, 61 of them in a ring: those of the last whole minute, whenever in a second they came.
TABLES = """
alter table api_keys add column limits jsonb not null default '{}';

drop table request_counts;
create table request_windows (
    tenant_id   integer not null references tenants on delete cascade,
    key_id      text not null,
    second      bigint not null,
    requests    integer[] not null,
    admitted    boolean not null,
    primary key (tenant_id, key_id)
) with (fillfactor = 50);

create function requests_since(requests integer[], at bigint, now bigint) returns integer[]
language sql immutable parallel safe as $$
    select array_agg(case when at - mod(at - i, 61) > now - 61 then requests[i + 1] else 0 end order by i)
    from generate_series(0, 60) i
$$;
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
SECURITY = f"""
alter table request_windows enable row level security;
alter table request_windows force row level security;
create policy of_this_tenant on request_windows using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
grant select, insert, update on request_windows to kyujang_service;
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY):
        op.get_bind().exec_driver_sql(statements)
