"""Counts requests and what engines generate: a process writes together what arrives together.

A call of an engine has a row before it begins, which is settled when it has ended. What a killed process leaves stays
and is shown: it has taken that row's most at most.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from app.errors import DatabaseUnavailable
from app.metering import EngineCall, TokenUsage
from app.storage.database import IS_QUICK, Database
from app.storage.tenancy import TenantNumber
from app.storage.usage import ADD_UP, SYSTEM, TODAY, payer, waits_for_count

log = logging.getLogger("kyujang.meter")

# How long a request waits to be counted with others; it is not waited for.
LINGER_S = 0.2
ENGINE_NAME = re.compile(r"t\d+--(.+)--v(\d+)--[0-9a-f]{8}")
# What a request adds after the deletion of its tenant is counted no more.
IS_THERE = f"(tenant_id = {SYSTEM} or exists (select from tenants t where t.id = tenant_id))"
BEGIN = f"""
insert into engine_calls (id, tenant_id, key_id, adapter, most_prompt_tokens, most_completion_tokens)
select * from unnest(%(begun_ids)s::uuid[], %(begun_tenants)s::integer[], %(begun_keys)s::text[],
                     %(begun_adapters)s::text[], %(begun_prompts)s::integer[], %(begun_completions)s::integer[])
    as c (id, tenant_id, key_id, adapter, prompts, completions)
where {IS_THERE}
"""  # noqa: S608 - constants
# A settled call is counted where its row goes, so once, whatever is sent twice.
COUNT = f"""
with settled as (
    delete from engine_calls c using
        unnest(%(ids)s::uuid[], %(prompts)s::integer[], %(completions)s::integer[]) s (id, prompts, completions)
    where c.id = s.id returning c.tenant_id, c.key_id, c.adapter, s.prompts, s.completions
), counted as (
    select tenant_id, key_id, adapter, 0 as requests, (prompts > 0)::integer as calls, prompts, completions, 0 as texts
    from settled
    union all
    select tenant_id, key_id, '', requests, 0, 0, 0, texts from unnest(
        %(tenants)s::integer[], %(keys)s::text[], %(requests)s::integer[], %(texts)s::integer[]
    ) c (tenant_id, key_id, requests, texts)
)
insert into usage_days as u (tenant_id, day, key_id, adapter, source,
                             requests, engine_calls, prompt_tokens, completion_tokens, embedded_tokens)
select tenant_id, {TODAY}, key_id, adapter, 'requests',
       sum(requests), sum(calls), sum(prompts), sum(completions), sum(texts)
from counted where {IS_THERE} group by tenant_id, key_id, adapter order by tenant_id, key_id, adapter
{ADD_UP}
"""  # noqa: S608 - constants


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    embedded_tokens: int = 0


@dataclass(slots=True)
class _Batch:
    """What waits to be written. `begun` and `settled` are by the call's id."""

    begun: list[dict[str, Any]] = field(default_factory=list)
    settled: list[tuple[EngineCall, TokenUsage]] = field(default_factory=list)
    counts: defaultdict[tuple[TenantNumber, str], _Counts] = field(default_factory=lambda: defaultdict(_Counts))

    def take_back(self, failed: _Batch) -> None:
        """Take what could not be written; calls that should have begun did not."""
        self.settled += failed.settled
        for account, counts in failed.counts.items():
            self.counts[account].requests += counts.requests
            self.counts[account].embedded_tokens += counts.embedded_tokens

    async def write(self, database: Database) -> None:
        """Write it in one round trip, for which answers wait."""
        statements = [BEGIN] * bool(self.begun) + [COUNT] * bool(self.settled or self.counts)
        if statements:
            parameters = _columns(self.begun) | self._counted()
            await database.operator_at_once([IS_QUICK, *statements], parameters)

    def _counted(self) -> dict[str, Any]:
        return {
            "ids": [call.id for call, _ in self.settled],
            "prompts": [used.prompt_tokens for _, used in self.settled],
            "completions": [used.completion_tokens for _, used in self.settled],
            "tenants": [tenant for tenant, _ in self.counts],
            "keys": [key for _, key in self.counts],
            "requests": [counts.requests for counts in self.counts.values()],
            "texts": [counts.embedded_tokens for counts in self.counts.values()],
        }


class Meter:
    """That of a process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batch = _Batch()
        self._next: asyncio.Task[None] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._closed = False

    async def close(self) -> None:
        self._closed = True
        with suppress(DatabaseUnavailable):
            await self.flush()
        self._stop_timer()

    def count(self, tenant: TenantNumber, *, requests: int = 0, embedded_tokens: int = 0) -> None:
        """Count for the key of this request. It is written a moment later."""
        counts = self._batch.counts[tenant, payer.get()]
        counts.requests += requests
        counts.embedded_tokens += embedded_tokens
        self._write_later()

    async def begin(self, call: EngineCall) -> None:
        """Raises DatabaseUnavailable, but not for a call of the service's own."""
        self._batch.begun.append(
            {
                "begun_ids": call.id,
                "begun_tenants": SYSTEM if call.tenant is None else call.tenant,
                "begun_keys": "" if call.tenant is None else payer.get(),
                "begun_adapters": _reference(call.adapter) if call.tenant is not None else "",
                "begun_prompts": call.most_prompt_tokens,
                "begun_completions": call.most_completion_tokens,
            }
        )
        try:
            await self.flush()
        except DatabaseUnavailable:
            if call.tenant is not None:
                raise

    async def settle(self, call: EngineCall, used: TokenUsage) -> None:
        """Count what it took at once, later if the database does not answer. Without a limit the answer goes on beside
        it."""
        self._batch.settled.append((call, used))
        writing = self._writing()
        if waits_for_count.get():
            with suppress(DatabaseUnavailable):
                await asyncio.shield(writing)

    async def flush(self) -> None:
        """Write what was counted so far. Raises DatabaseUnavailable; it is tried again then."""
        # Others wait for it too, when this caller hangs up.
        await asyncio.shield(self._writing())

    def _writing(self) -> asyncio.Task[None]:
        """Return what will write what is counted by now."""
        if self._next is None:
            self._next = asyncio.create_task(self._write())
            self._next.add_done_callback(_log_failure)
        return self._next

    async def _write(self) -> None:
        async with self._one_at_a_time:
            self._stop_timer()
            batch, self._batch, self._next = self._batch, _Batch(), None
            try:
                await batch.write(self._database)
            except DatabaseUnavailable:
                self._batch.take_back(batch)
                self._write_later()
                raise

    def _write_later(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = asyncio.get_running_loop().call_later(LINGER_S, self._write_now)

    def _write_now(self) -> None:
        self._timer = None
        self._writing()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _columns(rows: Iterable[dict[str, Any]]) -> dict[str, list[Any]]:
    columns: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        for name, value in row.items():
            columns[name].append(value)
    return columns


def _reference(engine_name: str | None) -> str:
    """Return `name@version` of what engines know an adapter by."""
    found = ENGINE_NAME.fullmatch(engine_name or "")
    return f"{found[1]}@{found[2]}" if found else ""


def _log_failure(written: asyncio.Task[None]) -> None:
    if not written.cancelled() and (error := written.exception()) is not None:
        log.warning("what was used could not be counted yet", extra={"cause": repr(error)})
