"""Which of the operator's requests came with an Idempotency-Key, and what they made."""

from alembic import op

revision = "0010"
down_revision = "0009"
oldest_software = "0.2.0"
locks = {"tenants": "ShareRowExclusiveLock"}

# `made` is the tenant's or the key's public id.
TABLE = """
create table operator_requests (
    key         text primary key,
    payload     bytea not null,
    tenant_id   integer not null references tenants on delete cascade,
    made        text not null,
    created_at  timestamptz not null default now()
);
alter table operator_requests enable row level security;
alter table operator_requests force row level security;
create policy operator on operator_requests to kyujang_operator using (true) with check (true);
grant select, insert, delete on operator_requests to kyujang_operator;
"""


def upgrade() -> None:
    op.get_bind().exec_driver_sql(TABLE)
