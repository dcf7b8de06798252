"""Eight writers beside workers that are killed, what they were promised, and what a snapshot held."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from time import monotonic

import psycopg

from app.adapters import activation
from app.errors import Conflict
from app.retrieval.search import Retriever, SearchOptions
from app.storage.database import Database, PostgresSnapshot
from app.storage.tenants import tenant_by_slug
from app.timings import StepTimer
from app.up.child import Child, ChildSpec
from tests.conftest import ROOT
from tests.e2e.writing import content

WRITERS, DOCUMENTS_EACH, WORKERS = 8, 4, 2
CHUNK_TOKENS = 48
PAUSE_S = 0.8


@dataclass
class Call:
    """Of one document: the version that was sent, None to delete it. `answered_at` is infinite until it is."""

    version: int | None
    sent_at: float
    answered_at: float = float("inf")


class Storm:
    """Each writer owns its documents, so that their calls come one after the other."""

    def __init__(self, services, clients: dict[str, object]) -> None:
        self._services, self._clients = services, clients
        self.calls: dict[tuple[str, str], list[Call]] = defaultdict(list)
        self.activated = 0

    @asynccontextmanager
    async def blowing(self):
        tasks = [asyncio.create_task(self._write(number)) for number in range(WRITERS)]
        try:
            # Each document has been sent once.
            async with asyncio.timeout(120):
                while len(self.calls) < WRITERS * DOCUMENTS_EACH:
                    await asyncio.sleep(0.1)
            yield
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, asyncio.CancelledError) for each in ended), ended

    async def _write(self, number: int) -> None:
        tenant = list(self._clients)[number % len(self._clients)]
        documents, random_ = [f"책 {number}-{n}" for n in range(DOCUMENTS_EACH)], random.Random(number)
        for document in documents:
            await self._put(tenant, document, 1)
        while True:
            what = random_.random()
            if what < 0.2:
                await self._activate(tenant, random_.randrange(1, 4))
            elif what < 0.4:
                await self._delete(tenant, random_.choice(documents))
            else:
                await self._put(tenant, random_.choice(documents), random_.randrange(1, 10_000))
            await asyncio.sleep(2 * PAUSE_S * random_.random())

    async def _put(self, tenant: str, document: str, version: int) -> None:
        body = {"documents": [{"id": document, "text": content(document, version).decode()}]}
        await self._call(tenant, document, version, "POST", "/ingest", json=body)

    async def _delete(self, tenant: str, document: str) -> None:
        await self._call(tenant, document, None, "DELETE", f"/documents/{document}")

    async def _call(self, tenant: str, document: str, version: int | None, *request: str, **body) -> None:
        call = Call(version, monotonic())
        self.calls[tenant, document].append(call)
        answer = await self._clients[tenant].request(*request, **body)
        assert answer.status_code in (202, 204, 404), answer.text
        call.answered_at = monotonic()

    async def _activate(self, tenant: str, version: int) -> None:
        database = self._services.database
        number = (await tenant_by_slug(database, tenant)).number
        try:
            if version == 3:
                await activation.rollback(database, number)
            else:
                await activation.activate(database, number, "tone", version)
        except Conflict:
            return  # nothing is left to roll back
        self.activated += 1

    def possible(self, key: tuple[str, str], before: float, after: float) -> set[int | None]:
        """What a snapshot that was taken between these two moments may hold of a document."""
        calls = self.calls[key]
        certain = [call.version for call in calls if call.answered_at < before]
        maybe = [call.version for call in calls if call.answered_at >= before and call.sent_at <= after]
        return {*(certain[-1:] or [None]), *maybe}


def worker_of(settings, number: int) -> Child:
    env = {
        **os.environ,
        "KYUJANG_SERVICE_DATABASE_URL": settings.service_url,
        "KYUJANG_HOME": str(settings.home),
        "KYUJANG_ENGINE": "none",
        "KYUJANG_LEASE_S": str(settings.lease_s),
        "KYUJANG_CHUNK_TOKENS": str(CHUNK_TOKENS),
        "KYUJANG_CHUNK_OVERLAP": "0",
    }
    command = [sys.executable, "-m", "ingest", "worker"]
    return Child(ChildSpec(f"worker-{number}", command, env, settings.home / f"worker-{number}.log", cwd=ROOT))


class AtSnapshot(Database):
    """The service's database as a backup's snapshot shows it."""

    def __init__(self, url: str, name: str) -> None:
        super().__init__(url, pool_size=2)
        self._name = name

    @asynccontextmanager
    async def snapshot(self, tenant):
        begin = (
            f"begin isolation level repeatable read, read only; set transaction snapshot '{self._name}'; "
            f"set local app.tenant = '{tenant:d}'; set local app.part = 'all'"
        )
        async with self._transaction(begin, tenant) as connection:
            yield PostgresSnapshot(connection)


async def answers(services, database, tenants, questions) -> list[list[tuple[int, float]]]:
    """The ten nearest chunks to each question, of each tenant, with their scores. So few are searched exactly."""
    retriever = Retriever(database, services.spaces, services.analyzer, None, services.settings.dense_weight)
    options = SearchOptions(top_k=10, mode="dense")
    found = []
    for question in questions:
        for tenant in tenants:
            matches = (await retriever.search(tenant, question, options, StepTimer())).matches
            found.append([(match.chunk_id, match.score) for match in matches])
    return found


def rows_of_tables(url: str, snapshot: str | None = None) -> dict[str, tuple[int, str]]:
    """Of each table the number of its rows, and a hash over the hashes of all."""
    query = """
    select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
      and relname <> 'removal_holds'
    """
    hashed = """
    select count(*), encode(sha256(convert_to(coalesce(string_agg(row, '' order by row), ''), 'utf8')), 'hex')
    from (select encode(sha256(convert_to(t::text, 'utf8')), 'hex') as row from {} t) rows
    """
    with psycopg.connect(url) as owner:
        owner.execute("set transaction isolation level repeatable read, read only")
        if snapshot is not None:
            owner.execute(f"set transaction snapshot '{snapshot}'")
        names = [name for (name,) in owner.execute(query).fetchall()]
        return {name: owner.execute(hashed.format(f'"{name}"')).fetchone() for name in names}
