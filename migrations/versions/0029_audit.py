"""An audit trail, to which the service adds and of which it changes nothing."""

from alembic import op

revision = "0029"
down_revision = "0028"
oldest_software = "0.2.0"
locks = {"tenants": "ShareRowExclusiveLock"}

# Without a tenant: that one was deleted.
TABLE = """
create table audit (
    seq         bigint generated always as identity primary key,
    tenant_id   integer references tenants on delete cascade,
    at          timestamptz not null default now(),
    actor       text not null,
    route       text,
    request_id  text,
    act         text not null,
    kind        text not null,
    object      text not null,
    before      jsonb,
    after       jsonb
);
create index audit_tenant on audit (tenant_id, seq desc);
create index audit_at on audit (at);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
# The owner's rights are those of the function alone: nobody else may delete a row.
SECURITY = f"""
alter table audit enable row level security;
alter table audit force row level security;
create policy seen on audit for select using ({OF_THIS_TENANT});
create policy added on audit for insert with check ({OF_THIS_TENANT});
create policy operator on audit to kyujang_operator using (true) with check (true);
create policy owner on audit using (
    current_user = (select pg_get_userbyid(relowner) from pg_class where oid = 'audit'::regclass));
grant select, insert on audit to kyujang_service, kyujang_operator;

create function forget_audit(older_than interval) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with gone as (
        delete from audit where seq in (
            select seq from audit where at < now() - greatest(older_than, interval '1 day') order by at limit 10000)
        returning seq
    )
    select count(*) from gone
$$;
revoke all on function forget_audit(interval) from public;
grant execute on function forget_audit(interval) to kyujang_operator;
"""  # noqa: S608 - a constant


def upgrade() -> None:
    for statements in (TABLE, SECURITY):
        op.get_bind().exec_driver_sql(statements)
