"""POST /search of a real API process, beside the embedder and pgvector called by hand."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from statistics import median
from typing import Any, get_args

import numpy as np

from app.database import Database, fetch_all
from app.embedding.e5 import E5Encoder
from app.embedding.e5_folder import packaged_folder
from app.retrieval import Mode
from app.tenants import create_key
from bench.retrieval.contenders import TOP_K, RawPgvector, raw_pgvector
from bench.retrieval.home import TENANT, Place
from bench.retrieval.measure import Effort, ratio, tenant_numbers, times
from bench.retrieval.progress import say

ROOT = Path(__file__).resolve().parents[2]
WORDS_ASKED = 6
READY_WITHIN_S = 120
MODES: tuple[Mode, ...] = get_args(Mode)


async def over_http(where: Place, effort: Effort) -> dict[str, Any]:
    """For each index and mode; of the corpus's one tenant."""
    (tenant,) = await tenant_numbers(where, 1)
    database = Database(where.settings.service_url)
    await database.open()
    texts = await _texts(database, tenant, effort.warm_up + effort.questions)
    key = (await create_key(database, TENANT.format(0), ["query"])).secret
    await database.close()
    encoder = E5Encoder(packaged_folder(where.models), threads=1)
    results = {}
    for index in ("pgvector", "faiss"):
        with _served(where, index) as (port, pid):
            client = Client(port, key)
            async with raw_pgvector(where) as raw:
                idle = _resident_mb(pid)
                await _asked(client, encoder, raw, texts[: effort.warm_up])
                results[index] = await _asked(client, encoder, raw, texts[effort.warm_up :])
            results[index]["rss_mb"] = {"idle": idle, "after": _resident_mb(pid)}
        modes = results[index]["modes"]
        say(f"{where.plan.name} over HTTP, {index}: " + ", ".join(f"{mode} {modes[mode]['p50']}" for mode in modes))
    return results


class Client:
    """One connection that is kept."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=300)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def search(self, text: str, mode: Mode) -> dict[str, Any]:
        body = json.dumps({"input": text, "mode": mode, "top_k": TOP_K})
        self._connection.request("POST", "/search", body, self._headers)
        answer = self._connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            raise SystemExit(f"POST /search answers {answer.status}: {found}")
        return found


async def _asked(client: Client, encoder: E5Encoder, raw: RawPgvector, texts: list[str]) -> dict[str, Any]:
    taken: dict[str, list[float]] = {name: [] for name in (*MODES, "raw", "raw embed")}
    parts: dict[Mode, list[dict[str, float]]] = {mode: [] for mode in MODES}
    order = Random(len(texts))
    for text in texts:
        for mode in order.sample((*MODES, None), len(MODES) + 1):
            started = time.perf_counter()
            if mode is None:
                vector = encoder.encode([text], "query")[0]
                taken["raw embed"].append(1000 * (time.perf_counter() - started))
                await raw.nearest(vector)
            else:
                parts[mode].append(client.search(text, mode)["timings_ms"])
            taken[mode or "raw"].append(1000 * (time.perf_counter() - started))
    modes = {
        mode: {
            **times(taken[mode]),
            "ratio": ratio(taken[mode], taken["raw"]),
            "parts": {step: round(median(each[step] for each in parts[mode]), 3) for step in parts[mode][0]},
        }
        for mode in MODES
    }
    return {"modes": modes, "raw": {**times(taken["raw"]), "embed": round(median(taken["raw embed"]), 3)}}


async def _texts(database: Database, tenant: int, count: int) -> list[str]:
    """Some words of a chunk each."""
    rng = np.random.default_rng(23)
    async with database.snapshot(tenant) as connection:
        rows = await fetch_all(
            connection,
            "select content from chunks where tenant_id = %(tenant)s and id > %(after)s order by id limit %(count)s",
            {"tenant": tenant, "after": 2**62, "count": count},
        )
    if not rows[0]["content"]:
        raise SystemExit("Over HTTP texts are asked for, and the corpus was built with --words 0.")
    return [" ".join(rng.permutation(rows[n % len(rows)]["content"].split())[:WORDS_ASKED]) for n in range(count)]


@contextmanager
def _served(where: Place, index: str) -> Iterator[tuple[int, int]]:
    """Port and process of an API as `make up` starts it, without an engine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KYUJANG_")}
    own = {"HOME": where.folder, "INDEX": index, "PORT": port, "ENGINE": "none", "LOG_LEVEL": "warning"}
    env = plain | {"DATABASE_URL": where.owner_url, **{f"KYUJANG_{name}": str(value) for name, value in own.items()}}
    with subprocess.Popen([sys.executable, "-m", "app", "serve"], cwd=ROOT, env=env) as process:
        try:
            _wait(port, process)
            yield port, process.pid
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise SystemExit("The API does not start.")


def _resident_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    return int(found[1]) // 1024 if found else 0
