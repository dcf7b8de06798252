"""Limits of a tenant whose clients ask two API processes at once: how far they are exceeded, and what that costs
another tenant. python -m bench.limits FOLDER.

The processes are started as `make up` starts them, share an embedded PostgreSQL, and ask an engine that answers at
once.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import os
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.settings.serving import LimitName
from app.storage.database import Database
from app.storage.keys import create_key
from app.storage.limits import set_limits, used
from app.storage.tenants import create_tenant, tenant_by_slug
from app.up.postgres import EmbeddedPostgres
from bench.ingest.home import Home
from bench.retrieval.report import table
from bench.service import served, working

PROCESSES, CLIENTS = 2, 16
# By how much a count by the second may lag behind the clock of a client.
SLACK_S = 1
TOKENS_AN_ANSWER = 2
QUESTION = {"input": "When does the reading room open?", "grounding": "off"}
TEXT = "The reading room opens at nine. It is closed on Mondays."
# Two-sided, of 95 %, for so many rounds: Student's t.
T95 = {8: 2.36, 10: 2.26, 12: 2.20, 16: 2.13, 20: 2.09, 24: 2.07, 30: 2.05, 40: 2.02}

Ask = Callable[[httpx.AsyncClient, int], Awaitable[httpx.Response]]


@dataclass(frozen=True, slots=True)
class Asked:
    status: int
    at: float


async def hammer(clients: Sequence[httpx.AsyncClient], ask: Ask, *, seconds: float, refusals: int) -> list[Asked]:
    """Let each client ask again and again, until it was refused so often in a row or the time is over."""
    numbers, found = itertools.count(), list[Asked]()
    until = time.monotonic() + seconds

    async def one(client: httpx.AsyncClient) -> None:
        refused = 0
        while refused < refusals and time.monotonic() < until:
            answer = await ask(client, next(numbers))
            found.append(Asked(answer.status_code, time.monotonic()))
            refused = refused + 1 if answer.status_code in (413, 429) else 0

    await asyncio.gather(*map(one, clients))
    return found


def let_in(asked: Sequence[Asked]) -> list[float]:
    return sorted(each.at for each in asked if each.status < 300)


def most_in_a_minute(times: Sequence[float]) -> int:
    """Return the most of these times in any minute, without SLACK_S."""
    return max(
        (sum(1 for each in times[n:] if each < first + 60 - SLACK_S) for n, first in enumerate(times)), default=0
    )


async def prompts(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.get("/prompts")


async def question(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.post("/query", json=QUESTION)


async def upload(client: httpx.AsyncClient, number: int) -> httpx.Response:
    return await client.post("/ingest", json={"documents": [{"text": f"Shelf {number}."}]})


@dataclass(frozen=True, slots=True)
class Limited:
    """What is asked for under a limit, each let in counting `each`."""

    name: LimitName
    ask: Ask
    each: int = 1
    exact: bool = True
    """Whether it is never exceeded, not even by what is under way."""


LIMITED = (
    Limited("requests_per_minute", prompts),
    Limited("generated_tokens_per_day", question, TOKENS_AN_ANSWER, exact=False),
    Limited("documents", upload),
    Limited("jobs_waiting", upload),
)


@asynccontextmanager
async def two_processes(home: Path, owner_url: str, **settings: object) -> AsyncIterator[list[int]]:
    """Yield the ports of two API processes, and of their engine."""
    made = import_module("tests.app.fake_engine")
    async with AsyncExitStack() as held:
        fake = await made.FakeEngine().start()
        held.push_async_callback(fake.kill)
        own = {"engine": "vllm", "llm_url": fake.url, "llm_key": "k", "log_level": "error", **settings}
        ports = []
        for _ in range(PROCESSES):
            context = served(home, owner_url, **own)
            port, _pid = await asyncio.to_thread(context.__enter__)
            held.callback(context.__exit__, None, None, None)
            ports.append(port)
        yield ports


@asynccontextmanager
async def clients_of(ports: Sequence[int], key: str, count: int = CLIENTS) -> AsyncIterator[list[httpx.AsyncClient]]:
    """Yield clients of the processes in turn, each with a connection of its own."""
    headers = {"Authorization": f"Bearer {key}"}
    async with AsyncExitStack() as held:
        yield [
            await held.enter_async_context(
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=120, trust_env=False)
            )
            for port in itertools.islice(itertools.cycle(ports), count)
        ]


async def under_load(
    ports: Sequence[int], database: Database, tenant: str, key: str, limited: Limited, limit: int, *, seconds: float
) -> dict[str, Any]:
    """Ask under this limit alone until all clients were refused twice, for requests as long as the time is."""
    none: dict[str, int | None] = {each.name: None for each in LIMITED}
    await set_limits(database, tenant, none | {limited.name: limit})
    minute = limited.name == "requests_per_minute"
    async with clients_of(ports, key) as clients:
        asked = await hammer(clients, limited.ask, seconds=seconds, refusals=10**9 if minute else 2)
    times = let_in(asked)
    _, counted = await used(database, (await tenant_by_slug(database, tenant)).number)
    await set_limits(database, tenant, none)
    return {
        "limit": limit,
        "let in": (most_in_a_minute(times) if minute else len(times)) * limited.each,
        "counted": counted[limited.name],
        "refused": len(asked) - len(times),
        "other": sorted({each.status for each in asked} - {200, 202, 413, 429}),
    }


async def at_its_limits(client: httpx.AsyncClient, others: Sequence[httpx.AsyncClient], rounds: int, count: int) -> str:
    """Return the ratio of a tenant's p95 beside another's refused requests to that without, with its interval."""
    ratios = []
    for number in range(rounds):
        p95 = {}
        for beside in (True, False) if number % 2 else (False, True):
            stop = asyncio.Event()
            noise = [asyncio.create_task(_until(stop, each)) for each in (others if beside else ())]
            await asyncio.sleep(0.5)
            p95[beside] = float(np.percentile([await _timed(client) for _ in range(count)], 95))
            stop.set()
            await asyncio.gather(*noise)
        ratios.append(math.log(p95[True] / p95[False]))
    middle = statistics.mean(ratios)
    spread = T95[rounds] * statistics.stdev(ratios) / math.sqrt(rounds)
    return f"{math.exp(middle):.3f} [{math.exp(middle - spread):.3f}, {math.exp(middle + spread):.3f}]"


async def _until(stop: asyncio.Event, client: httpx.AsyncClient) -> None:
    while not stop.is_set():
        await client.post("/search", json={"input": QUESTION["input"]})


async def _timed(client: httpx.AsyncClient) -> float:
    started = time.perf_counter()
    (await client.post("/search", json={"input": QUESTION["input"]})).raise_for_status()
    return time.perf_counter() - started


async def measure(home: Home, options: argparse.Namespace) -> None:
    database = Database(home.settings.service_url)
    await database.open()
    try:
        keys = []
        for tenant in ("limited", "measured"):
            await create_tenant(database, tenant, tenant)
            keys.append((await create_key(database, tenant, ["query", "ingest"])).secret)
        async with two_processes(home.folder, home.owner_url) as ports:
            await asyncio.to_thread(_fill, home, ports[0], keys)
            rows = [["limit", "value", "let in", "counted", "refused"]]
            for limited in LIMITED:
                limit = options.limit * limited.each
                found = await under_load(ports, database, "limited", keys[0], limited, limit, seconds=options.seconds)
                rows.append([limited.name, *(str(found[each]) for each in ("limit", "let in", "counted", "refused"))])
                print(rows[-1], found["other"], flush=True)
            print(table(rows))
            await set_limits(database, "limited", {"requests_per_minute": 1, "jobs_waiting": None})
            async with clients_of(ports, keys[1], 1) as [client], clients_of(ports, keys[0], options.beside) as others:
                for _ in range(20):
                    await _timed(client)
                ratio = await at_its_limits(client, others, options.rounds, options.count)
            print("p95 of /search beside a tenant at its limits, to that without:", ratio, os.getloadavg())
    finally:
        await database.close()


def _fill(home: Home, port: int, keys: Sequence[str]) -> None:
    with working(home.folder, home.owner_url, 1, log_level="error"):
        for key in keys:
            headers = {"Authorization": f"Bearer {key}"}
            sent = {"documents": [{"text": TEXT}]}
            httpx.post(
                f"http://127.0.0.1:{port}/ingest?wait=60", json=sent, headers=headers, timeout=120
            ).raise_for_status()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.limits", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--limit", type=int, default=200, help="of requests, answers, documents and jobs")
    parser.add_argument("--seconds", type=float, default=130, help="for requests a minute")
    parser.add_argument("--beside", type=int, default=16, help="clients of the tenant at its limits")
    parser.add_argument("--rounds", type=int, default=12, choices=T95)
    parser.add_argument("--count", type=int, default=100, help="searches of each kind in a round")
    options = parser.parse_args()
    with EmbeddedPostgres(options.folder / "postgres") as server:
        home = Home(options.folder, server, [])
        home.empty()
        asyncio.run(measure(home, options))


if __name__ == "__main__":
    main()
