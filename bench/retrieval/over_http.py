"""POST /search of a real API process, beside the embedder and pgvector called by hand."""

from __future__ import annotations

import time
from random import Random
from statistics import median
from typing import Any, get_args

import numpy as np

from app.embedding.e5 import E5Encoder
from app.embedding.packaged.folder import packaged_folder
from app.retrieval.search import Mode
from app.storage.database import Database, fetch_all
from app.storage.keys import create_key
from app.storage.tenancy import TenantNumber
from bench.processes import resident_mb
from bench.retrieval.contenders import TOP_K, RawPgvector, raw_pgvector
from bench.retrieval.home import TENANT, Place
from bench.retrieval.measure import Effort, ratio, tenant_numbers, times
from bench.retrieval.progress import say
from bench.service import Client, served

WORDS_ASKED = 6
MODES: tuple[Mode, ...] = get_args(Mode)


async def over_http(where: Place, effort: Effort) -> dict[str, Any]:
    """For each index and mode; of the corpus's one tenant."""
    (tenant,) = await tenant_numbers(where, 1)
    async with where.database() as database:
        texts = await texts_of(database, tenant, effort.warm_up + effort.questions)
        key = (await create_key(database, TENANT.format(0), ["query"])).secret
    encoder = E5Encoder(packaged_folder(where.models), threads=1)
    results = {}
    for index in ("pgvector", "faiss"):
        with served(where.folder, where.owner_url, index=index) as (port, pid):
            client = Client(port, key)
            async with raw_pgvector(where) as raw:
                idle = round(resident_mb(pid))
                await _asked(client, encoder, raw, texts[: effort.warm_up])
                results[index] = await _asked(client, encoder, raw, texts[effort.warm_up :])
            results[index]["rss_mb"] = {"idle": idle, "after": round(resident_mb(pid))}
        modes = results[index]["modes"]
        say(f"{where.plan.name} over HTTP, {index}: " + ", ".join(f"{mode} {modes[mode]['p50']}" for mode in modes))
    return results


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
                parts[mode].append(client.search(text, mode, TOP_K)["timings_ms"])
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


async def texts_of(database: Database, tenant: TenantNumber, count: int) -> list[str]:
    """Some words of a chunk each."""
    rng = np.random.default_rng(23)
    async with database.snapshot(tenant) as snapshot:
        rows = await fetch_all(
            snapshot.connection,
            "select content from chunks where tenant_id = %(tenant)s and id > %(after)s order by id limit %(count)s",
            {"tenant": tenant, "after": 2**62, "count": count},
        )
    if not rows[0]["content"]:
        raise SystemExit("Over HTTP texts are asked for, and the corpus was built with --words 0.")
    return [" ".join(rng.permutation(rows[n % len(rows)]["content"].split())[:WORDS_ASKED]) for n in range(count)]
