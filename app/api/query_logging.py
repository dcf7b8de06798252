"""Log what was answered, where a tenant's log is on, behind the answer's back: no answer waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime
from itertools import groupby, islice
from operator import itemgetter

from fastapi import Request

from app import pipeline
from app.api.query_mapping import citation_out
from app.api.sse import while_connected
from app.errors import DatabaseUnavailable
from app.questions import Answer, AnswerEvent, Question
from app.services import Services
from app.storage import query_log
from app.storage.database import Database
from app.storage.query_log import LoggedContext, LoggedQuery, Verdict
from app.storage.tenancy import TenantNumber
from app.storage.tenants import Tenant

log = logging.getLogger("kyujang.queries")

MAX_WAITING = 10_000
WRITTEN_AT_ONCE = 100
RETRY_S = 0.5
# What a request and a shutdown wait for.
FLUSH_S, LAST_WRITE_S = 5, 20


class QueryLog:
    """Those of an API process that are not written yet, in their order; while the database is away they wait."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[TenantNumber, LoggedQuery]] = deque()
        self._added = self._written = 0
        self._some_written = asyncio.Event()
        self._writing: asyncio.Task[None] | None = None

    def add(self, database: Database, tenant: TenantNumber, query: LoggedQuery) -> bool:
        """Return whether it will be written."""
        if len(self._waiting) >= MAX_WAITING:
            log.warning("a query is not logged: too many wait to be written")
            return False
        self._waiting.append((tenant, query))
        self._added += 1
        if self._writing is None or self._writing.done():
            # Nothing of the request that happens to begin it: others' are written with it.
            self._writing = asyncio.create_task(self._write(database), context=Context())
        return True

    async def flush(self, within_s: float = FLUSH_S) -> bool:
        """Wait until what has been added is written; return whether it was in time."""
        goal = self._added
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while self._written < goal:
                    await self._some_written.wait()
        return self._written >= goal

    async def close(self) -> None:
        """Write what is left, unless the database stays away."""
        if not await self.flush(LAST_WRITE_S):
            log.warning("queries were not logged: the database does not answer", extra={"count": len(self._waiting)})

    async def _write(self, database: Database) -> None:
        while self._waiting:
            tenant = self._waiting[0][0]
            queries = [query for _, query in next(groupby(islice(self._waiting, WRITTEN_AT_ONCE), itemgetter(0)))[1]]
            try:
                await _write(database, tenant, queries)
            except DatabaseUnavailable:
                await asyncio.sleep(RETRY_S)
                continue
            for _ in queries:
                self._waiting.popleft()
            self._written += len(queries)
            self._some_written.set()
            self._some_written = asyncio.Event()


async def _write(database: Database, tenant: TenantNumber, queries: Sequence[LoggedQuery]) -> None:
    """Raises DatabaseUnavailable. What cannot be written, since its tenant is gone, keeps no other waiting."""
    try:
        await query_log.write(database, tenant, queries)
    except DatabaseUnavailable:
        raise
    except Exception:
        if len(queries) == 1:
            log.exception("a query was not logged")
            return
        for each in queries:
            await _write(database, tenant, [each])


async def answer(request: Request, services: Services, tenant: Tenant, question: Question) -> Answer:
    """Return pipeline.answer(), as long as the caller is connected, and log it."""
    given = await while_connected(request, pipeline.answer, services, tenant, question)
    return _noted(request, services, tenant, question, given)


async def answer_events(
    request: Request, services: Services, tenant: Tenant, question: Question
) -> AsyncGenerator[AnswerEvent]:
    """Yield pipeline.answer_events(), and log the answer that they end with."""
    async with aclosing(pipeline.answer_events(services, tenant, question)) as events:
        async for event in events:
            yield _noted(request, services, tenant, question, event) if isinstance(event, Answer) else event


def _noted(request: Request, services: Services, tenant: Tenant, question: Question, given: Answer) -> Answer:
    if not tenant.logs_queries:
        return given
    waiting: QueryLog = request.app.state.query_log
    return replace(given, logged=waiting.add(services.database, tenant.number, _logged(tenant, question, given)))


def _logged(tenant: Tenant, question: Question, given: Answer) -> LoggedQuery:
    grounded, stored = given.grounded, given.stored
    return LoggedQuery(
        id=given.id,
        at=datetime.now(UTC),
        by=tenant.key_id,
        question=question.input,
        search_query=given.search_query,
        contexts=[LoggedContext(each.chunk_id, each.document_id, each.score) for each in given.contexts],
        answer=grounded.text,
        answer_mode=grounded.mode,
        citations=[citation_out(each).model_dump(mode="json") for each in grounded.citations],
        unsupported=[
            {"start": span.start, "end": span.end, "reason": grounded.reasons[span]} for span in grounded.unsupported
        ],
        verdict=_verdict(given),
        no_answer_reason=grounded.no_answer_reason,
        prompt=f"{stored.name}@{stored.version}" if stored else None,
        model=given.model,
        adapter=given.adapter,
        timings_ms=given.timings_ms,
    )


def _verdict(given: Answer) -> Verdict:
    grounded = given.grounded
    if grounded.no_answer_reason is not None:
        return "no_answer"
    if grounded.unsupported:
        return "unsupported"
    return "supported" if given.checked and grounded.citations and not grounded.unchecked else "unchecked"
