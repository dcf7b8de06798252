"""What one tenant's flood costs another: its p95 beside the flood, beside one well-behaved tenant, and alone.

python -m bench.fairness --home FOLDER                          # every flood, 300 requests in each column
python -m bench.fairness --home FOLDER --floods search,filters --seconds 60
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import numpy as np

from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.settings import Settings
from app.storage.database import Database
from app.storage.keys import create_key
from app.storage.migrate import migrate
from app.storage.tenants import create_tenant
from bench.floods import FLOODS, WELL_BEHAVED, WELL_BEHAVED_INGEST, Target, run
from bench.retrieval.home import create_database, opened
from bench.service import served, working

DATABASE = "fairness"
TENANTS = ("measured", "beside")
WORKER_FLOODS = frozenset({"ingest"})
WARM_UP = 5
WAIT_S = 60
SETTLE_S, QUIET_MS = 180, 1000
JSON_TYPE = "application/json"


@dataclass(frozen=True)
class Measured:
    """The tenant whose requests are timed, one after the other: searches, or a sentence taken in."""

    target: Target

    def ask(self, number: int, *, ingest: bool) -> tuple[float, bool]:
        """Return milliseconds, and whether the request was served: if not, as if it had waited for WAIT_S."""
        text = f"How many shelves does hall {number % 50} of the archive hold?"
        documents = [{"id": f"own/{number % 7}", "text": f"{text} {time.time()}"}]
        path, body = ("/ingest?wait=60", {"documents": documents}) if ingest else ("/search", {"input": text})
        headers = {"Authorization": f"Bearer {self.target.key}", "Content-Type": JSON_TYPE}
        connection, started = HTTPConnection("127.0.0.1", self.target.port, timeout=WAIT_S), time.perf_counter()
        try:
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return 1000 * (time.perf_counter() - started), True
        except OSError:
            pass
        finally:
            connection.close()
        return 1000.0 * WAIT_S, False

    def settle(self) -> None:
        """Wait until what a flood has left behind is done."""
        until = time.monotonic() + SETTLE_S
        while self.ask(0, ingest=False)[0] > QUIET_MS and time.monotonic() < until:
            time.sleep(1)

    def times(self, count: int, seconds: float, *, ingest: bool) -> tuple[list[float], int]:
        """Return the milliseconds of `count` requests, fewer where the time is over before, and how many failed."""
        until, taken, failed = time.monotonic() + seconds, list[float](), 0
        while len(taken) < count and (time.monotonic() < until or not taken):
            milliseconds, good = self.ask(len(taken), ingest=ingest)
            taken.append(milliseconds)
            failed += not good
        return taken, failed


@contextmanager
def beside(kind: str, target: Target) -> Iterator[None]:
    """Let the other tenant do this, in a process of its own, whose work the service's does not wait for."""
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    process = context.Process(target=run, args=(kind, target, started), daemon=True)
    process.start()
    started.wait(WAIT_S)
    time.sleep(2)
    try:
        yield
        if not process.is_alive():
            raise SystemExit(f"What was to go on beside has ended: {kind}")
    finally:
        process.terminate()
        process.join()
        time.sleep(1)
        target.cancel()


def measure(
    targets: Sequence[Target], floods: Sequence[str], *, count: int, rounds: int, seconds: float
) -> dict[str, Any]:
    """Take the columns by turns, so that what else the machine does meanwhile falls on all of them."""
    measured, other = Measured(targets[0]), targets[1]
    found: dict[str, Any] = {}
    for flood in floods:
        ingest = flood in WORKER_FLOODS
        measured.times(WARM_UP, seconds, ingest=ingest)
        columns: dict[str, list[float]] = {"alone": [], WELL_BEHAVED: [], "flood": []}
        kinds = {WELL_BEHAVED: WELL_BEHAVED_INGEST if ingest else WELL_BEHAVED, "flood": flood}
        failed = 0
        for _ in range(rounds):
            for column, taken in columns.items():
                with beside(kinds[column], other) if column != "alone" else nullcontext():
                    more, refused = measured.times(count // rounds, seconds, ingest=ingest)
                measured.settle()
                taken += more
                failed += refused
        found[flood] = _figures(columns, failed)
        print(flood, json.dumps(found[flood]), flush=True)
    return found


def _figures(columns: dict[str, list[float]], failed: int) -> dict[str, Any]:
    p95 = {column: float(np.percentile(taken, 95)) for column, taken in columns.items()}
    return {
        "p95_ms": {column: round(value, 1) for column, value in p95.items()},
        "median_ms": {column: round(float(np.median(taken)), 1) for column, taken in columns.items()},
        "requests": {column: len(taken) for column, taken in columns.items()},
        "failed": failed,
        "times": round(p95["flood"] / p95[WELL_BEHAVED], 2),
    }


@contextmanager
def two_tenants(folder: Path, owner_url: str) -> Iterator[list[Target]]:
    """Serve two tenants, who have no documents."""
    settings = Settings(database_url=owner_url, home=folder, engine="none")
    migrate(settings, dimension=lambda: E5Encoder.dimension)
    keys = asyncio.run(_keys(settings.service_url))
    with served(folder, owner_url, log_level="error") as (port, _):
        yield [Target(port, key) for key in keys]


async def _keys(service_url: str) -> list[str]:
    database = Database(service_url)
    await database.open()
    try:
        for tenant in TENANTS:
            await create_tenant(database, tenant, tenant)
        return [(await create_key(database, tenant, ["query", "ingest"])).secret for tenant in TENANTS]
    finally:
        await database.close()


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.fairness", description=__doc__.partition("\n")[0])
    parser.add_argument("--home", type=Path, required=True, help="folder for the database; its contents are replaced")
    parser.add_argument("--floods", default=",".join(FLOODS), help="with commas between (default: %(default)s)")
    parser.add_argument("--count", type=int, default=300, help="requests in each column (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="into which they are parted (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=120, help="the most for a column's round")
    parser.add_argument("--documents", type=int, default=200, help="of each tenant (default: %(default)s)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    with opened(options.home) as server:
        packaged_folder(options.home / "models")
        create_database(server, DATABASE)
        url = urlunsplit(urlsplit(server.owner_url)._replace(path=f"/{DATABASE}"))
        with two_tenants(options.home, url) as targets:
            with working(options.home, url, 1, log_level="error"):
                for target in targets:
                    target.fill(options.documents)
            chosen = options.floods.split(",")
            work = {"count": options.count, "rounds": options.rounds, "seconds": options.seconds}
            found: dict[str, Any] = {"load average before": os.getloadavg()[0]}
            found |= measure(targets, [each for each in chosen if each not in WORKER_FLOODS], **work)
            if with_worker := [each for each in chosen if each in WORKER_FLOODS]:
                with working(options.home, url, 1, log_level="error"):
                    found |= measure(targets, with_worker, **work)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
