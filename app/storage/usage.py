"""What tenants have used, by day (UTC), key and adapter: work is counted in the transaction that publishes it.

app/storage/meter.py counts requests and what engines generate.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields

from app.storage.database import Connection
from app.storage.tenancy import TenantNumber

# Probes of engines, proofs of adapters, rewritten questions and judged sentences are the service's own.
SYSTEM = TenantNumber(0)
TODAY = "(clock_timestamp() at time zone 'utc')::date"

payer: ContextVar[str] = ContextVar("payer", default="")
"""The id of the key that a request, or the job at work, was sent with; empty without one."""
waits_for_count: ContextVar[bool] = ContextVar("waits_for_count", default=True)
"""Whether an answer waits until its tokens are counted, so that the next request finds them under a limit."""


@dataclass(frozen=True, slots=True)
class Usage:
    """`documents` and `bytes` of what was stored, each version anew."""

    requests: int = 0
    engine_calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    embedded_tokens: int = 0
    ocr_pages: int = 0
    training_seconds: int = 0
    documents: int = 0
    bytes: int = 0


COUNTS = tuple(each.name for each in fields(Usage))
COLUMNS = ", ".join(COUNTS)
ADD_UP = (
    "on conflict (tenant_id, day, key_id, adapter, source) do update set "
    + ", ".join(f"{name} = u.{name} + excluded.{name}" for name in COUNTS)
)  # fmt: skip
ADD = f"""
insert into usage_days as u (tenant_id, day, key_id, adapter, source, {COLUMNS})
select %(tenant)s, {TODAY}, coalesce((select key_id from jobs where tenant_id = %(tenant)s and id = %(job)s), ''),
       %(adapter)s, 'work', {", ".join(f"%({name})s" for name in COUNTS)}
{ADD_UP}
"""  # noqa: S608 - constants
# Of a deleted tenant: how much on which day, and nothing of who and by what.
FOLD = f"""
insert into usage_days as u (tenant_id, day, key_id, adapter, source, {COLUMNS})
select tenant_id, day, '', '', 'deleted', {", ".join(f"sum({name})" for name in COUNTS)}
from usage_days where tenant_id = %(tenant)s and source <> 'deleted' group by tenant_id, day
{ADD_UP}
"""  # noqa: S608 - constants


async def add(connection: Connection, tenant: TenantNumber, job_id: str, used: Usage, *, adapter: str = "") -> None:
    """Count what a job has done, last of all in the transaction that publishes it: others wait for the row."""
    await connection.execute(ADD.encode(), {"tenant": tenant, "job": job_id, "adapter": adapter, **asdict(used)})


async def fold(connection: Connection, tenant: TenantNumber) -> None:
    """Leave a deleted tenant's sums of days alone. `connection` is the operator's."""
    key = {"tenant": tenant}
    await connection.execute(FOLD.encode(), key)
    await connection.execute("delete from usage_days where tenant_id = %(tenant)s and source <> 'deleted'", key)
    await connection.execute("delete from engine_calls where tenant_id = %(tenant)s", key)
