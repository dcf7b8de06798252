"""Webhooks, and an outbox of what is to be delivered to them."""

from alembic import op

revision = "0041"
down_revision = "0040"
oldest_software = "0.2.0"
locks = {
    "job_items": "ShareRowExclusiveLock",
    "jobs": "ShareRowExclusiveLock",
    "tenants": "ShareRowExclusiveLock",
}

# No foreign key from deliveries to webhooks: the transaction that ends a job must not fail because one is deleted.
# `subject` is what an event is about, which is told of once.
TABLES = """
create table webhooks (
    tenant_id   integer not null references tenants on delete cascade,
    id          text not null,
    url         text not null,
    events      text[] not null,
    secret      text not null,
    created_at  timestamptz not null default now(),
    primary key (tenant_id, id)
);

create table webhook_deliveries (
    tenant_id    integer not null references tenants on delete cascade,
    seq          bigint generated always as identity,
    webhook      text not null,
    event        text not null,
    subject      text not null,
    id           text not null default 'msg_' || replace(gen_random_uuid()::text, '-', ''),
    data         jsonb not null,
    created_at   timestamptz not null default now(),
    status       text not null default 'waiting' check (status in ('waiting', 'delivered', 'given_up')),
    attempts     integer not null default 0,
    next_at      timestamptz not null default now(),
    last_at      timestamptz,
    last_status  integer,
    last_error   text,
    primary key (tenant_id, seq),
    unique (tenant_id, event, subject, webhook)
);
create index webhook_deliveries_due on webhook_deliveries (tenant_id, next_at) where status = 'waiting';
create index webhook_deliveries_of on webhook_deliveries (tenant_id, webhook, seq desc);

create table webhook_lease (
    one     boolean primary key default true check (one),
    holder  text not null,
    until   timestamptz not null
);
"""

OF_THIS_TENANT = "tenant_id = (select nullif(current_setting('app.tenant', true), '')::integer)"
OWNER = "current_user = (select pg_get_userbyid(relowner) from pg_class where oid = 'webhooks'::regclass)"
# The owner's rights are those of the triggers alone. The operator sees what is due, and nothing of what it says.
SECURITY = f"""
alter table webhooks enable row level security;
alter table webhooks force row level security;
create policy of_this_tenant on webhooks using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
create policy owner on webhooks for select using ({OWNER});
grant select, insert, delete on webhooks to kyujang_service;

alter table webhook_deliveries enable row level security;
alter table webhook_deliveries force row level security;
create policy of_this_tenant on webhook_deliveries using ({OF_THIS_TENANT}) with check ({OF_THIS_TENANT});
create policy operator on webhook_deliveries for select to kyujang_operator using (true);
create policy owner on webhook_deliveries using ({OWNER}) with check ({OWNER});
grant select, insert, update, delete on webhook_deliveries to kyujang_service;
grant select (tenant_id, seq, status, next_at) on webhook_deliveries to kyujang_operator;

grant select, insert, update on webhook_lease to kyujang_operator;
"""

# At the commit, and of one tenant one after the other: of two that end the last two items one sees the other's.
# Of the two-number locks this is the second kind; app/storage/job_creation.py has the first. Nothing else is waited for
# while it is held. Whoever cancels a hundred thousand items comes here as often, so a job is looked at once.
TRIGGERS = """
create function note_webhook_event(tenant integer, event_ text, subject_ text, data_ jsonb) returns void
language sql security definer set search_path = public, pg_temp as $$
    insert into webhook_deliveries (tenant_id, webhook, event, subject, data)
    select tenant_id, id, event_, subject_, data_ from webhooks where tenant_id = tenant and event_ = any(events)
    on conflict do nothing
$$;
revoke all on function note_webhook_event(integer, text, text, jsonb) from public;

create function note_ended_job(tenant integer, job text) returns void
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    kind_ text;
    found_ record;
begin
    if not exists (select from webhooks where tenant_id = tenant and 'job.ended' = any(events))
        or exists (select from webhook_deliveries
                   where tenant_id = tenant and event = 'job.ended' and subject = job) then
        return;
    end if;
    perform pg_advisory_xact_lock(1, tenant);
    if exists (select from job_items where tenant_id = tenant and job_id = job and status in ('queued', 'running'))
    then
        return;
    end if;
    select kind into kind_ from jobs where tenant_id = tenant and id = job and kind <> 'check';
    if not found then
        return;
    end if;
    select count(*) as total, count(*) filter (where status = 'succeeded') as succeeded,
           count(*) filter (where status = 'unchanged') as unchanged,
           count(*) filter (where status = 'failed') as failed,
           count(*) filter (where status = 'cancelled') as cancelled
    into found_ from job_items where tenant_id = tenant and job_id = job;
    perform note_webhook_event(tenant, 'job.ended', job, jsonb_build_object(
        'job', job, 'kind', kind_,
        'status', case when found_.succeeded + found_.unchanged = found_.total then 'succeeded'
                       when found_.succeeded + found_.unchanged > 0 then 'partial'
                       when found_.failed > 0 then 'failed' else 'cancelled' end,
        'counts', to_jsonb(found_)));
end $$;
revoke all on function note_ended_job(integer, text) from public;

create function note_ended_item() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from webhooks where tenant_id = new.tenant_id) then
        return null;
    end if;
    if new.status = 'failed' and new.kind in ('ingest', 'rechunk') then
        perform note_webhook_event(new.tenant_id, 'document.failed', new.job_id || '/' || new.n, jsonb_build_object(
            'job', new.job_id, 'document', new.document_id, 'code', new.error_code));
    end if;
    perform note_ended_job(new.tenant_id, new.job_id);
    return null;
end $$;
create constraint trigger note_ended_item after update of status on job_items deferrable initially deferred
for each row when (old.status in ('queued', 'running') and new.status not in ('queued', 'running'))
execute function note_ended_item();

create function note_new_job() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    perform note_ended_job(new.tenant_id, new.id);
    return null;
end $$;
create constraint trigger note_new_job after insert on jobs deferrable initially deferred
for each row when (new.kind <> 'check') execute function note_new_job();
"""


def upgrade() -> None:
    for statements in (TABLES, SECURITY, TRIGGERS):
        op.get_bind().exec_driver_sql(statements)
