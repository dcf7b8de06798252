"""Ingest with files in object storage on this machine, beside the folder; and memory while a large one passes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from bench.ingest.home import Home
from bench.ingest.pipeline import measure, running
from bench.ingest.upload import upload
from bench.retrieval.progress import say
from bench.service import free_port

BUCKET = "bench"
READY_WITHIN_S = 60


def storage(home: Home, *, chunks: int, rounds: int, workers: int, megabytes: int) -> dict[str, Any]:
    """Take turns, each with documents of its own, so that both see the same machine."""
    home.empty()
    passes: dict[str, list[dict[str, Any]]] = {"folder": [], "objects": []}
    with s3_server() as url:
        for number in range(rounds):
            for place, settings in (("folder", {}), ("objects", {"storage": url})):
                files = home.documents(chunks, seed=100 + 2 * number + len(settings))
                with running(home, workers, **settings) as service:
                    started = time.perf_counter()
                    service.send(files[:1])
                    accepted = time.perf_counter() - started
                    passes[place].append({"accepted_ms": round(1000 * accepted, 1), **measure(service, files[1:])})
                say(f"{place}: {passes[place][-1]}")
        memory = upload(home, megabytes=megabytes, storage=url)
    speed = {
        place: sum(one["chunks"] for one in each) / sum(one["seconds"] for one in each)
        for place, each in passes.items()
    }
    return {
        "passes": passes,
        "chunks_a_second": {place: round(rate, 2) for place, rate in speed.items()},
        "ratio": round(speed["objects"] / speed["folder"], 3),
        "upload": memory,
    }


@contextmanager
def s3_server() -> Iterator[str]:
    """Start moto as a process of its own, and yield the URL of a bucket; the environment leads to it."""
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            _make_bucket(endpoint)
            os.environ.update(AWS_ENDPOINT_URL=endpoint, AWS_ACCESS_KEY_ID="bench", AWS_SECRET_ACCESS_KEY="bench")  # noqa: S106
            yield f"s3://{BUCKET}/bench"
        finally:
            process.terminate()


def _make_bucket(endpoint: str) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline:
        try:
            httpx.put(f"{endpoint}/{BUCKET}", trust_env=False).raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.2)
    raise SystemExit("The S3 server does not start.")
