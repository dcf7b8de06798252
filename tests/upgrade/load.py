"""Callers without retries: all that they are told is kept."""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import Counter, defaultdict
from contextlib import asynccontextmanager

import httpx

SEARCHERS, ASKERS, WRITERS, FOLLOWERS = 2, 6, 1, 1
PAUSE_S = 0.1


class Load:
    def __init__(self, url: str, key: str) -> None:
        self.failed: list[str] = []
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.questions: list[str] = []
        self.jobs: list[str] = []
        self.followed: Counter[str] = Counter()
        self._numbers = itertools.count()
        self._url, self._headers = url, {"Authorization": f"Bearer {key}"}
        self._stop = asyncio.Event()

    async def first_document(self) -> None:
        """Without one no engine is asked."""
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=120) as client:
            answer = await client.post("/ingest?wait=60", json={"documents": [{"text": "It opens at nine."}]})
            assert answer.json()["counts"]["succeeded"] == 1, answer.text
            self.jobs.append(answer.json()["id"])

    @asynccontextmanager
    async def running(self):
        kinds = [self._search] * SEARCHERS + [self._ask] * ASKERS + [self._write] * WRITERS + [self._follow] * FOLLOWERS
        async with asyncio.TaskGroup() as group:
            for kind in kinds:
                group.create_task(self._repeat(kind))
            yield
            self._stop.set()

    async def _repeat(self, kind) -> None:
        async with httpx.AsyncClient(base_url=self._url, headers=self._headers, timeout=120) as client:
            while not self._stop.is_set():
                began = time.monotonic()
                try:
                    said = await kind(client, next(self._numbers))
                except httpx.HTTPError as error:
                    said = repr(error)
                if said:
                    self.failed.append(f"{kind.__name__}: {said}")
                self.seconds[kind.__name__].append(time.monotonic() - began)
                await asyncio.sleep(PAUSE_S)

    async def _search(self, client: httpx.AsyncClient, _number: int) -> str:
        answer = await client.post("/search", json={"input": "When does the reading room open?"})
        return "" if answer.status_code == 200 else answer.text

    async def _ask(self, client: httpx.AsyncClient, number: int) -> str:
        """Streams of both APIs, and answers at once."""
        question = f"When does the reading room open, number {number}?"
        self.questions.append(question)
        if number % 3 == 0:
            body = {"model": "default", "stream": True, "messages": [{"role": "user", "content": question}]}
            return await self._stream(client, "/v1/chat/completions", body, "data: [DONE]")
        body = {"input": question, "grounding": "off", "stream": number % 3 == 1}
        if body["stream"]:
            return await self._stream(client, "/query", body, "event: done")
        answer = await client.post("/query", json=body)
        return "" if answer.status_code == 200 else answer.text

    async def _stream(self, client: httpx.AsyncClient, path: str, body: dict, end: str) -> str:
        async with client.stream("POST", path, json=body) as answer:
            text = "".join([part async for part in answer.aiter_text()])
        return "" if answer.status_code == 200 and end in text and "error" not in text else text[-300:]

    async def _write(self, client: httpx.AsyncClient, number: int) -> str:
        """Without an id: what is done twice is there twice."""
        answer = await client.post("/ingest", json={"documents": [{"text": f"The reading room has {number} chairs."}]})
        if answer.status_code != 202:
            return answer.text
        self.jobs.append(answer.json()["id"])
        return ""

    async def _follow(self, client: httpx.AsyncClient, _number: int) -> str:
        """A stream of a process that stops ends without `done`, and is opened again."""
        if not self.jobs:
            return ""
        async with client.stream("GET", f"/jobs/{self.jobs[-1]}/events") as answer:
            text = "".join([part async for part in answer.aiter_text()])
        self.followed["whole" if "event: done" in text else "opened again"] += 1
        return "" if answer.status_code == 200 else text

    def told(self) -> str:
        return "; ".join(
            f"{kind.strip('_')}: {len(taken)}, p50 {1000 * statistics.median(taken):.0f} ms, longest {max(taken):.1f} s"
            for kind, taken in sorted(self.seconds.items())
        )
