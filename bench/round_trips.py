"""How often a request waits for PostgreSQL, and for how long: python -m bench.round_trips FOLDER.

One process answers over ASGI, from an embedded PostgreSQL, against an engine that answers at once.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from psycopg.waiting import WAIT_R
from pydantic import SecretStr

from app.bootstrap import open_services
from app.up.postgres import EmbeddedPostgres
from bench.ingest.home import Home
from bench.metering import WAYS, metered_client
from bench.retrieval.report import table

QUESTION = "When does the reading room open?"
ASKED: dict[str, tuple[str, dict[str, Any]]] = {
    "`/search`, dense": ("/search", {"input": QUESTION, "mode": "dense"}),
    "`/search`, lexical": ("/search", {"input": QUESTION, "mode": "lexical"}),
    "`/search`, hybrid": ("/search", {"input": QUESTION}),
    "`/query`": ("/query", {"input": QUESTION, "grounding": "off"}),
}


@dataclass(slots=True)
class Waits:
    """For answers of PostgreSQL: how many, and how many seconds."""

    count: int = 0
    seconds: float = 0.0


@contextmanager
def counted_waits() -> Iterator[Waits]:
    """Count those of all connections of this process while the block runs."""
    waits, wait = Waits(), psycopg.AsyncConnection.wait

    def counted(generator: Any) -> Any:
        """Yield what it waits for: to read alone, that is for an answer."""
        ready: Any = None
        try:
            while True:
                waiting_for = generator.send(ready)
                started = time.perf_counter()
                ready = yield waiting_for
                if waiting_for == WAIT_R:
                    # Nothing is ready where psycopg looks up from waiting, as it does now and then.
                    waits.count += bool(ready)
                    waits.seconds += time.perf_counter() - started
        except StopIteration as end:
            return end.value

    async def waited(connection: Any, generator: Any, *given: Any, **named: Any) -> Any:
        return await wait(connection, counted(generator), *given, **named)

    psycopg.AsyncConnection.wait = waited  # type: ignore[assignment, method-assign]
    try:
        yield waits
    finally:
        psycopg.AsyncConnection.wait = wait  # type: ignore[method-assign]


async def measure(home: Home, requests: int) -> None:
    settings = home.settings.model_copy(update={"admin_key": SecretStr("k" * 24)})
    rows = [["counted", "request", "round trips", "of its ms they take", "p50, ms"]]
    async with open_services(settings, for_requests=True) as services, AsyncExitStack() as held:
        for way in list(WAYS)[1:]:
            client = await metered_client(held, services, way)
            for name, (path, body) in ASKED.items():
                rows.append([way, name, *await _asked(client, path, body, requests)])
    print(table(rows), os.getloadavg())


async def _asked(client: httpx.AsyncClient, path: str, body: dict[str, Any], requests: int) -> list[str]:
    found, taken = list[Waits](), list[float]()
    for number in range(-10, requests):
        with counted_waits() as waits:
            started = time.perf_counter()
            (await client.post(path, json=body)).raise_for_status()
            if number >= 0:
                taken.append(1000 * (time.perf_counter() - started))
                found.append(Waits(waits.count, waits.seconds))
        # What is counted is written a moment later, and a connection that has not worked for a second is tried first.
        await asyncio.sleep(0.25)
    return [
        f"{statistics.median(each.count for each in found):g}",
        f"{statistics.median(1000 * each.seconds for each in found):.2f}",
        f"{statistics.median(taken):.2f}",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.round_trips", description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--requests", type=int, default=40, help="of each kind")
    options = parser.parse_args()
    with EmbeddedPostgres(options.folder / "postgres") as server:
        home = Home(options.folder, server, [])
        home.empty()
        asyncio.run(measure(home, options.requests))


if __name__ == "__main__":
    main()
