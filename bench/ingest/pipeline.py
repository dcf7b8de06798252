"""Chunks a second of the whole way (accepted by the API, worked off, searchable) beside the encoder by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import psycopg

from app.cli.client import call
from app.cpu import cores
from bench.ingest.fill import fill
from bench.ingest.home import Home
from bench.processes import Watch, cpu_seconds
from bench.retrieval.progress import say
from bench.service import served, working

FILES_A_REQUEST = 100
POLL_S = 0.05
OPEN = b"select from job_items where job_id = %s and status in ('queued', 'running') limit 1"
NEW = """
    select content, tokens from chunks join documents d on (d.tenant_id, d.id) = (chunks.tenant_id, document_id)
    where d.created_at >= %s order by tokens
"""
WARM_UP = "A document that is taken in before the clock starts, so that everything is loaded."


@dataclass
class Running:
    """One API and its workers."""

    home: Home
    port: int
    api: int
    workers: list[int]
    client: httpx.Client

    def send(self, files: Sequence[Path]) -> list[str]:
        """Ids of the jobs."""
        jobs = []
        for first in range(0, len(files), FILES_A_REQUEST):
            parts = [("file", (file.name, file.read_bytes())) for file in files[first : first + FILES_A_REQUEST]]
            jobs.append(call(self.client, "POST", "/ingest", files=parts)["id"])
        return jobs

    def wait(self, job: str) -> None:
        """Asks the database, not the API, which has better things to do."""
        with psycopg.connect(self.home.owner_url, autocommit=True) as connection:
            while connection.execute(OPEN, [job]).fetchone() is not None:
                time.sleep(POLL_S)
        state = call(self.client, "GET", f"/jobs/{job}")
        if state["status"] != "succeeded":
            raise SystemExit(f"A job ended as {state['status']}: {[each['error'] for each in state['documents']]}")

    def take_in(self, files: Sequence[Path]) -> None:
        for job in self.send(files):
            self.wait(job)

    def cpu(self) -> dict[str, float]:
        return {
            "worker": sum(map(cpu_seconds, self.workers)),
            "API": cpu_seconds(self.api),
            "PostgreSQL": cpu_seconds(self.home.postmaster),
        }


@contextmanager
def running(home: Home, workers: int, **settings: object) -> Iterator[Running]:
    with ExitStack() as stack:
        port, api = stack.enter_context(served(home.folder, home.owner_url, **settings))
        pids = stack.enter_context(working(home.folder, home.owner_url, workers, **settings))
        headers = {"Authorization": f"Bearer {home.key}"}
        client = httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=300, trust_env=False)
        service = Running(home, port, api, pids, stack.enter_context(client))
        warm_up = home.folder / "documents" / "warm-up.txt"
        warm_up.parent.mkdir(exist_ok=True)
        for n in range(2 * workers):
            warm_up.write_text(f"{WARM_UP} {time.time()} {n}")
            service.take_in([warm_up])
        yield service


def measure(service: Running, files: Sequence[Path]) -> dict[str, Any]:
    """Everything first, then the encoder by itself on the same chunks."""
    (since,) = service.home.rows("select clock_timestamp()")[0]
    before, started = service.cpu(), time.perf_counter()
    service.take_in(files)
    seconds, after = time.perf_counter() - started, service.cpu()
    new = service.home.rows(NEW, since)
    own, own_cpu = _encode(service.home, [content for content, _ in new])
    cpu = {name: round(1000 * (after[name] - before[name]) / len(new), 2) for name in after}
    figures = {
        "documents": len(files),
        "chunks": len(new),
        "tokens": sum(tokens for _, tokens in new),
        "seconds": round(seconds, 2),
        "encoder_seconds": round(own, 2),
        "of_encoder": round(own / seconds, 3),
        "cpu_ms_a_chunk": {**cpu, "encoder": round(1000 * own_cpu / len(new), 2)},
    }
    say(f"{len(new)} chunks: {len(new) / seconds:.1f}/s, encoder {len(new) / own:.1f}/s, {own / seconds:.3f} of it")
    return figures


def _encode(home: Home, texts: Sequence[str]) -> tuple[float, float]:
    """Seconds by the wall and of the processor, in the worker's batches, on all cores. The texts are in the order of
    their lengths."""
    at_once = home.encoder.passages_at_once
    batches = [texts[first : first + at_once] for first in range(0, len(texts), at_once)]
    started, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(home.encoder.encode, batches, repeat("passage")):
            pass
    return time.perf_counter() - started, time.process_time() - cpu


def pipeline(
    home: Home, *, chunks: int, rounds: int, sizes: Sequence[int], growth: int, workers: int
) -> dict[str, Any]:
    """Some rounds from an empty database on, then some documents more at each size, to which copies fill it up."""
    home.empty()
    files = home.documents(chunks, seed=1)
    with running(home, workers) as service:
        roots = {"worker": service.workers, "API": [service.api], "PostgreSQL": [home.postmaster]}
        with Watch(roots, shared="PostgreSQL") as watch:
            each = [measure(service, files[n::rounds]) for n in range(min(rounds, len(files)))]
        grown = []
        for size in sizes:
            fill(home, size)
            before = home.chunks()
            grown.append({"size": before, **measure(service, home.documents(growth, seed=size))})
    return {
        "workers": workers,
        "rounds": each,
        "chunks_a_second": round(sum(one["chunks"] for one in each) / sum(one["seconds"] for one in each), 2),
        "of_encoder": round(median(one["of_encoder"] for one in each), 3),
        "memory_mb": {name: round(peak) for name, peak in watch.peaks.items()},
        "growth": grown,
    }
