"""What a tenant does beside the one that is measured: one well-behaved client, or a flood."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.synchronize import Event
from typing import Any

import httpx

WELL_BEHAVED, WELL_BEHAVED_INGEST = "well-behaved", "well-behaved ingest"
LONG = " ".join(f"word{n} of the archive's long question" for n in range(75))
# The most that a filter of `/search` may hold, in branches of ten, none of which an index answers alone.
BRANCHES = [
    {"and": [{"not": {"key": f"metadata.key{n}", "op": "eq", "value": f"value {m}"}} for m in range(9)]}
    for n in range(9)
]
HOSTILE = "\n#" * 8_000


@dataclass(frozen=True)
class Target:
    """A service on this machine, and a tenant's key to it."""

    port: int
    key: str

    def client(self) -> httpx.AsyncClient:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        headers = {"Authorization": f"Bearer {self.key}"}
        return httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=headers, limits=limits, timeout=600, trust_env=False
        )

    def fill(self, documents: int) -> None:
        texts = [f"Hall {n} of the archive holds {3 * n + 7} shelves, and its keeper is {n}." for n in range(documents)]
        body = {
            "documents": [
                {"id": f"hall/{n}", "text": text, "metadata": {"hall": n, "key1": f"value {n % 20}"}}
                for n, text in enumerate(texts)
            ]
        }
        url = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {self.key}"}, timeout=120) as client:
            job = client.post("/ingest?wait=60", json=body).raise_for_status().json()
            while job["finished_at"] is None:
                job = client.get(f"/jobs/{job['id']}").raise_for_status().json()

    def cancel(self) -> None:
        """Cancel the jobs that a flood has left behind."""
        url = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {self.key}"}, timeout=120) as client:
            for status in ("queued", "running"):
                while jobs := client.get("/jobs", params={"status": status}).raise_for_status().json()["data"]:
                    for job in jobs:
                        client.delete(f"/jobs/{job['id']}").raise_for_status()


def run(kind: str, target: Target, started: Event) -> None:
    """Flood until the process is ended. It has the least of the processors, which in earnest it would not share."""
    os.nice(10)
    started.set()
    asyncio.run(DOES[kind](target))


async def _repeat(clients: int, ask: Callable[[], Awaitable[Any]]) -> None:
    """Let so many clients ask, each again as soon as it has its answer, whatever that is."""

    async def one() -> None:
        while True:
            with suppress(httpx.HTTPError):
                await ask()

    await asyncio.gather(*(one() for _ in range(clients)))


async def _searches(target: Target, clients: int, **body: Any) -> None:
    async with target.client() as client:
        await _repeat(clients, lambda: client.post("/search", json=body))


async def _well_behaved(target: Target) -> None:
    await _searches(target, 1, input="How many shelves does hall 12 of the archive hold?")


async def _well_behaved_ingest(target: Target) -> None:
    async with target.client() as client:
        numbers = itertools.count()

        async def send() -> None:
            number = next(numbers)
            documents = [{"id": f"own/{number % 7}", "text": f"Hall {number} of the archive holds {number} shelves."}]
            await client.post("/ingest?wait=60", json={"documents": documents})

        await _repeat(1, send)


async def _search(target: Target) -> None:
    await _searches(target, 20, input=LONG)


async def _many_searches(target: Target) -> None:
    await _searches(target, 350, input=LONG)


async def _filters(target: Target) -> None:
    await _searches(target, 20, input="hall", filters={"or": BRANCHES})


async def _abandoned(target: Target) -> None:
    """Send 200 searches, hang up after a second, and again."""
    body = json.dumps({"input": LONG}).encode()
    head = f"POST /search HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {target.key}\r\nContent-Type: application/json"
    request = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def send() -> asyncio.StreamWriter:
        _, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(request)
        return writer

    while True:
        writers = await asyncio.gather(*(send() for _ in range(200)), return_exceptions=True)
        await asyncio.sleep(1)
        for writer in writers:
            if isinstance(writer, asyncio.StreamWriter):
                writer.close()


async def _readiness(target: Target) -> None:
    async with target.client() as client:
        del client.headers["Authorization"]
        await _repeat(350, lambda: client.get("/readyz"))


async def _streams(target: Target) -> None:
    """Follow one job, which no worker takes, in 40 streams."""
    async with target.client() as client:
        documents = [{"id": f"stream/{n}", "text": f"Text {n}"} for n in range(500)]
        job = (await client.post("/ingest", json={"documents": documents})).json()

        async def follow() -> None:
            async with client.stream("GET", f"/jobs/{job['id']}/events") as answer:
                async for _ in answer.aiter_bytes():
                    pass

        await _repeat(40, follow)


async def _ingest(target: Target) -> None:
    """Send files whose every line is a heading, eight at a time."""
    async with target.client() as client:
        numbers = itertools.count()

        async def send() -> None:
            number = next(numbers)
            name = f"hostile-{number % 100}.md"
            text = f"{number} {HOSTILE}".encode()
            await client.post("/ingest?wait=60", files={"file": (name, text)}, data={"id": name})

        await _repeat(8, send)


FLOODS: dict[str, Callable[[Target], Awaitable[None]]] = {
    "search": _search,
    "many searches": _many_searches,
    "abandoned": _abandoned,
    "filters": _filters,
    "readiness": _readiness,
    "streams": _streams,
    "ingest": _ingest,
}
DOES: dict[str, Callable[[Target], Any]] = {
    WELL_BEHAVED: _well_behaved,
    WELL_BEHAVED_INGEST: _well_behaved_ingest,
    **FLOODS,
}
