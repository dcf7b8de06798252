"""What counting and limiting requests add to them: python -m bench.metering FOLDER.

One process answers over ASGI, from an embedded PostgreSQL that commits as the service's own, against an engine that
answers at once. Each way of counting takes its turn in each round.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import dataclasses
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from app.bootstrap import open_services
from app.main import create_app
from app.metering import EngineCall, TokenUsage
from app.services import Services
from app.storage.keys import create_key
from app.storage.meter import Meter
from app.storage.tenancy import TenantNumber
from app.storage.tenants import create_tenant, tenant_by_slug
from app.storage.usage import waits_for_count
from app.up.postgres import EmbeddedPostgres
from bench.ingest.home import Home
from bench.retrieval.report import table
from ingest.worker import run

HIGH = {"requests_per_minute": 10**6, "generated_tokens_per_day": 10**9}
WAYS = {"nothing": {}, "usage": {}, "usage and the tenant's limits": HIGH, "usage, the tenant's and the key's": HIGH}
ASKED: dict[str, dict[str, Any]] = {
    "/search": {"input": "When does the reading room open?"},
    "/query": {"input": "When does the reading room open?", "grounding": "off"},
}
TEXT = "The reading room opens at nine. It is closed on Mondays."


class Uncounted(Meter):
    def count(self, tenant: TenantNumber, *, requests: int = 0, embedded_tokens: int = 0) -> None: ...

    async def begin(self, call: EngineCall) -> None: ...

    async def settle(self, call: EngineCall, used: TokenUsage) -> None: ...


async def measure(home: Home, rounds: int, requests: int) -> None:
    settings = home.settings.model_copy(update={"admin_key": SecretStr("k" * 24)})
    async with open_services(settings) as services, AsyncExitStack() as held:
        clients = [await metered_client(held, services, way) for way in WAYS]
        await _calls(services, rounds * requests)
        for path, body in ASKED.items():
            p50s: list[list[float]] = [[] for _ in WAYS]
            spent: list[list[float]] = [[] for _ in WAYS]
            for number in range(rounds + 1):
                for way, client in enumerate(clients):
                    seconds, used = await _ask(client, path, body, requests)
                    if number:
                        p50s[way].append(1000 * statistics.median(seconds))
                        spent[way].append(1000 * used / requests)
            print(path, table(_rows(p50s, spent)), sep="\n")


async def _calls(services: Services, count: int) -> None:
    """Print how long an answer waits for its call of an engine to be noted and counted, with a limit and without."""
    tenant = (await tenant_by_slug(services.database, "way-1")).number
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(count):
        for waits in (True, False) if number % 2 else (False, True):
            waits_for_count.set(waits)
            call, started = EngineCall(tenant, 100, 10), time.perf_counter()
            await services.meter.begin(call)
            await services.meter.settle(call, TokenUsage(9, 2))
            taken[waits].append(1000 * (time.perf_counter() - started))
            await services.meter.flush()
    p50s = [f"{statistics.median(taken[waits]):.2f}" for waits in (True, False)]
    print(table([["a call of an engine, counted under a limit of tokens, ms", "without, ms"], p50s]))


def _rows(p50s: Sequence[Sequence[float]], spent: Sequence[Sequence[float]]) -> list[list[str]]:
    rows = [["counted", "p50, ms", "ratio to nothing, median of the rounds [lower, upper]", "processor time, ms"]]
    for way, times, used in zip(WAYS, p50s, spent, strict=True):
        ratios = sorted(time / bare for time, bare in zip(times, p50s[0], strict=True))
        spread = f"{statistics.median(ratios):.2f} [{ratios[0]:.2f}, {ratios[-1]:.2f}]"
        rows.append([way, f"{statistics.median(times):.2f}", spread, f"{statistics.median(used):.2f}"])
    return rows


async def _ask(client: httpx.AsyncClient, path: str, body: dict[str, Any], count: int) -> tuple[list[float], float]:
    seconds, before = [], time.process_time()
    for _ in range(count):
        started = time.perf_counter()
        (await client.post(path, json=body)).raise_for_status()
        seconds.append(time.perf_counter() - started)
    return seconds, time.process_time() - before


async def metered_client(held: AsyncExitStack, services: Services, way: str) -> httpx.AsyncClient:
    number = list(WAYS).index(way)
    await create_tenant(services.database, f"way-{number}", way, limits=WAYS[way])
    of_key = HIGH if "key" in way else None
    key = await create_key(services.database, f"way-{number}", ["query", "ingest"], limits=of_key)
    meter = services.meter if number else Uncounted(services.database)
    made = import_module("tests.app.fake_engine")
    fake = made.FakeEngine()
    await held.enter_async_context(made.fake_engines(fake))
    engine = made.engine_of(fake.replica(meter=meter))
    held.push_async_callback(engine.close)
    retriever = copy.copy(services.retriever)
    retriever._count = meter.count
    own = dataclasses.replace(services, meter=meter, engine=engine, retriever=retriever)
    app = create_app(services.settings, own)
    await held.enter_async_context(app.router.lifespan_context(app))
    headers = {"Authorization": f"Bearer {key.secret}"}
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://kyujang", headers=headers)
    stop = asyncio.Event()
    working = asyncio.create_task(run(services, stop))
    (await client.post("/ingest?wait=60", json={"documents": [{"text": TEXT}]})).raise_for_status()
    stop.set()
    await asyncio.gather(working, return_exceptions=True)
    return client


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=40, help="of each way in a round")
    options = parser.parse_args()
    with EmbeddedPostgres(options.folder / "postgres") as server:
        home = Home(options.folder, server, [])
        home.empty()
        asyncio.run(measure(home, options.rounds, options.requests))


if __name__ == "__main__":
    main()
