"""What traces add to requests: python -m bench.tracing_cost FOLDER.

One process answers over ASGI, from an embedded PostgreSQL, against an engine that answers at once, and sends its spans
to a receiver in a process of its own. Requests alternate: one makes no spans, one does, on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from pydantic import SecretStr

from app import tracing
from app.bootstrap import open_services
from app.up.postgres import EmbeddedPostgres
from bench.ingest.home import Home
from bench.metering import ASKED, metered_client
from bench.retrieval.report import table
from bench.service import free_port

RECEIVER = """
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): ...
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver).serve_forever()
"""
# Nothing is sent before the measurement says so.
QUIET = {"OTEL_BSP_SCHEDULE_DELAY": "3600000", "OTEL_BSP_MAX_QUEUE_SIZE": "200000"}
SEED, RESAMPLES = 20261128, 2000


async def measure(home: Home, pairs: int) -> None:
    settings = home.settings.model_copy(update={"admin_key": SecretStr("k" * 24)})
    rows = [
        [
            "route",
            "off, p50 ms",
            "on, p50 ms",
            "on to off [95 %]",
            "processor off, p50 ms",
            "processor on to off [95 %]",
            "making, ms of processor",
            "sending, ms of processor",
        ]
    ]
    async with open_services(settings) as services, AsyncExitStack() as held:
        client = await metered_client(held, services, "usage")
        for path, body in ASKED.items():
            rows.append([path, *await _compared(client, path, body, pairs)])
    print(table(rows))


async def _compared(client: httpx.AsyncClient, path: str, body: dict[str, Any], pairs: int) -> list[str]:
    tracer = tracing._Sending.tracer
    seconds, spent = np.zeros((pairs, 2)), np.zeros((pairs, 2))
    for number in range(-20, pairs):
        for on in (False, True) if number % 2 else (True, False):
            tracing._Sending.tracer = tracer if on else None
            began, used = time.perf_counter(), time.process_time()
            (await client.post(path, json=body)).raise_for_status()
            if number >= 0:
                seconds[number, int(on)] = time.perf_counter() - began
                spent[number, int(on)] = time.process_time() - used
        # What a request leaves to be done.
        await asyncio.sleep(0.01)
    tracing._Sending.tracer = tracer
    used = time.process_time()
    _flush(tracer)
    sending = 1000 * (time.process_time() - used) / (pairs + 20)
    off, on = 1000 * np.median(seconds, axis=0)
    making = 1000 * statistics.median(spent[:, 1] - spent[:, 0])
    used_off = f"{1000 * np.median(spent[:, 0]):.2f}"
    return [f"{off:.2f}", f"{on:.2f}", _ratio(seconds), used_off, _ratio(spent), f"{making:.2f}", f"{sending:.2f}"]


def _ratio(times: Any) -> str:
    off, on = np.median(times, axis=0)
    low, high = _interval(times)
    return f"{on / off:.3f} [{low:.3f}, {high:.3f}]"


def _flush(tracer: Any) -> None:
    assert tracer.span_processor.force_flush(120_000)


def _interval(seconds: Any) -> Sequence[float]:
    drawn = np.random.default_rng(SEED)
    count = len(seconds)
    medians = [np.median(seconds[drawn.integers(0, count, count)], axis=0) for _ in range(RESAMPLES)]
    return [float(each) for each in np.quantile([on / off for off, on in medians], [0.025, 0.975])]


@contextmanager
def _receiving() -> Iterator[str]:
    port = free_port()
    with subprocess.Popen([sys.executable, "-c", RECEIVER, str(port)]) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pairs", type=int, default=400, help="of requests, without and with traces")
    options = parser.parse_args()
    with _receiving() as url, EmbeddedPostgres(options.folder / "postgres") as server:
        os.environ.update(QUIET | {"OTEL_EXPORTER_OTLP_ENDPOINT": url})
        home = Home(options.folder, server, [])
        home.empty()
        with tracing.sending("bench", to=url):
            asyncio.run(measure(home, options.pairs))


if __name__ == "__main__":
    main()
