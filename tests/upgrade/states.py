"""The states that the dump holds, made with the code of commit 1825a1a alone (make_dump.py)."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from typing import Any

import httpx

from app.errors import EmbedderUnavailable, EngineUnavailable
from app.services import Services
from ingest import claims, jobs, tasks, worker
from ingest.adapters import pipeline as adapters
from ingest.evaluation.evaluate import evaluate
from ingest.pipeline import ingest
from ingest.tune.task import tune
from tests.scripted import Script
from tests.upgrade.sending import CASES, HOURS, LONG, REPLIES, WAITING, ended, files, sent, texts, training, upload

# Gone when the dump is restored, and long enough that nothing here takes over what is held.
LEASE_S = 120.0


async def finished(services: Services, one: httpx.AsyncClient, other: httpx.AsyncClient, chunks: dict) -> dict:
    """Everything that the worker brought to its end. `chunks`: how many each text makes."""
    stop = asyncio.Event()
    working = asyncio.create_task(worker.run(services, stop))
    for name, text in {"long-en": LONG["en"], "long-ko": LONG["ko"], **WAITING}.items():
        chunks[name] = (await texts(other, wait=60, scratch=text))["documents"][0]["chunks"]
    await other.delete("/documents/scratch")
    found = {
        "stored": await texts(one, wait=60, key="twice", **{"hours-en": HOURS["en"], "hours-ko": HOURS["ko"]}),
        "unchanged": await texts(one, wait=60, **{"hours-en": HOURS["en"]}),
        "files": await files(
            one, wait=60, guide_md=f"# Guide\n\n{HOURS['en']}".encode(), broken_pdf=b"%PDF-1.7 and no more"
        ),
        "other's": await texts(
            other, wait=60, **{"hours-en": "The harbour office opens at noon. 항만청은 정오에 연다."}
        ),
    }
    for version in ("Be brief.", "Be brief and polite."):
        sent(await one.put("/prompts/house", json={"instruction": version, "persona": "사서"}))
    sent(await one.post("/prompts/house/activate", json={"version": 1}))
    tone = await upload(one, "tone", 1, wait=60)
    assert tone["status"] == "ready", tone
    assert (await upload(one, "broken", 0, wait=60))["status"] == "rejected"
    sent(await one.post("/adapters/tone/activate", json={"version": 1}))
    found["trained"] = await ended(one, (await training(one, "trained", 3, key="trained"))["id"])
    body = {"version": 1, "grounding": "mark", "cases": CASES[:1]}
    found["evaluated"] = sent(await one.post("/adapters/tone/evaluate?wait=60", json=body))
    async with asyncio.timeout(60):
        while sent(await one.get("/adapters/trained"))["status"] != "ready":
            await asyncio.sleep(0.1)
    stop.set()
    await working
    return found


async def held_documents(services: Services, one: httpx.AsyncClient, other: httpx.AsyncClient) -> dict:
    """Claimed by workers that have died since. Nothing else waits yet, so each claim gets what was sent before it."""

    async def claimed(lease_s: float = LEASE_S) -> jobs.Work:
        work = await jobs.claim(services.database, "dead", lease_s=lease_s)
        assert work is not None
        return work

    found = {}
    embedder = services.spaces.current.embedder
    for language in LONG:
        found[f"half-{language}"] = await texts(one, **{f"long-{language}": LONG[language]})
        real, batches = embedder.embed, []

        async def dies(texts: Any, kind: Any, real: Any = real, batches: list = batches) -> Any:
            batches.append(len(texts))
            if len(batches) == 2:
                raise EmbedderUnavailable("killed")
            return await real(texts, kind)

        embedder.embed = dies
        with contextlib.suppress(EmbedderUnavailable):
            await ingest(services, await claimed())
        embedder.embed = real
        assert len(batches) == 2
    found["begun"] = await texts(other, begun=HOURS["ko"])
    await claimed()
    found["worn out"] = await texts(other, **{"worn-out": HOURS["en"]})
    for lease_s in (0, 0, 0, 0, LEASE_S):
        await claimed(lease_s)
    found["again"] = await texts(one, again=HOURS["en"])
    await jobs.retry_later(services.database, await claimed(), delay_s=LEASE_S)
    found["of a run"] = await texts(other, **{"run-en": HOURS["en"], "run-ko": HOURS["ko"]})
    number = await tenant_of(services, found["of a run"]["id"])
    held = await claims.claim(services.database, number, [found["of a run"]["id"]], "run", lease_s=LEASE_S, limit=9)
    assert len(held) == 2
    found["partly"] = await texts(one, **{"first": HOURS["en"], "second": HOURS["ko"]})
    await ingest(services, await claimed())
    return found


async def tenant_of(services: Services, job_id: str) -> int:
    async with services.database.operator() as connection:
        row = await (await connection.execute("select tenant_id from job_items where job_id = %s", [job_id])).fetchone()
    return int(row["tenant_id"])


async def held_tasks(services: Services, script: Script, one: httpx.AsyncClient) -> dict:
    async def claimed(kind: str) -> tasks.Claimed:
        task = await tasks.claim(services.database, "dead", [kind], lease_s=LEASE_S)
        assert task is not None
        return task

    body = {"version": 1, "grounding": "mark", "cases": CASES}
    found = {"evaluating": sent(await one.post("/adapters/tone/evaluate", json=body))}
    # Two answers a case: the engine dies in the last one.
    script.replies = [*REPLIES * 5, 500]
    script.chats.clear()
    with contextlib.suppress(EngineUnavailable):
        await evaluate(services, await claimed("evaluate"))
    script.replies = REPLIES
    style = await upload(one, "style", 2)
    task = await claimed("check")
    folder = services.settings.adapters / str(task.tenant) / f".{style['name']}.{task.id}-1"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"half of it")
    await upload(one, "half", 3)
    with contextlib.suppress(EngineUnavailable):
        await adapters.check_adapter(dataclasses.replace(services, engine=None), await claimed("check"))
    assert sent(await one.get("/adapters/half"))["status"] == "loading"
    found["training"] = await training(one, "resumed", 200)
    work = asyncio.create_task(tune(services, await claimed("tune")))
    while ((sent(await one.get(f"/jobs/{found['training']['id']}"))["progress"]) or {}).get("step", 0) < 50:
        await asyncio.sleep(0.1)
    work.cancel()
    await asyncio.gather(work, return_exceptions=True)
    return found


async def queued(one: httpx.AsyncClient, other: httpx.AsyncClient) -> dict:
    found = {
        "waiting": await texts(one, key="waiting", **WAITING),
        "newer": await texts(other, **{"hours-en": "The harbour office opens at ten."}),
        "newest": await texts(other, **{"hours-en": "The harbour office opens at eleven. 항만청은 열한 시에 연다."}),
        "to train": await training(one, "queued", 2),
        "cancelled": await texts(one, cancelled=HOURS["en"]),
        "untrained": await training(one, "cancelled", 2),
        "to evaluate": sent(
            await one.post("/adapters/tone/evaluate", json={"version": 1, "grounding": "mark", "cases": CASES[:2]})
        ),
    }
    for name in ("cancelled", "untrained"):
        sent(await one.delete(f"/jobs/{found[name]['id']}"))
    await upload(one, "tone", 4)
    await upload(other, "tone", 5)
    return found
