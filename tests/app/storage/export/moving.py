"""Three tenants with everything that a tenant can have, and an installation elsewhere to move one to."""

from __future__ import annotations

import asyncio
import io
from contextlib import asynccontextmanager

import httpx
import psycopg

from app.adapters import activation, registry
from app.bootstrap import open_services
from app.main import create_app
from app.storage import cancellation, job_creation, jobs, query_log
from app.storage.backup.reading import open_backup
from app.storage.export.load import import_tenant
from app.storage.export.loading import BaseModels
from app.storage.export.make import export_tenant
from app.storage.keys import create_key
from app.storage.tenants import tenant_by_slug
from tests.conftest import ingest_text
from tests.ingest.working import Worker, until

MOVED = "library"
# Words that nothing of another tenant holds.
CANARIES = {
    "library": ("Haetae-Amber-4711", "해태등불사칠일일"),
    "archive": ("Bonghwang-Cobalt-1624", "봉황서고일육이사"),
    "office": ("Girin-Scarlet-9035", "기린관아구공삼오"),
}
BASE = "smollm2"
NOTICES = """
update {table} t set page_counts = '{{"text": 1, "ocr": 2, "unreadable": 3}}',
    warnings = jsonb_build_array(jsonb_build_object('code', 'attachment_skipped', 'part', %(part)s::text, 'detail', ''))
from tenants where tenants.id = t.tenant_id and tenants.slug = %(slug)s returning 1
"""
SERVED = BaseModels([BASE], "")


def silent(step: str, done: int, total: int) -> None:
    pass


def export(settings, place, slug=MOVED):
    return export_tenant(settings, slug, place, silent)


async def bring_back(settings, place, slug="moved", base=SERVED):
    with open_backup(place, None, settings.home) as backup:
        return await import_tenant(settings, backup, slug, base, silent)


def texts(slug: str, count: int) -> list[tuple[str, str]]:
    """(id, text) of documents, by turns in English and Korean."""
    english, korean = CANARIES[slug]
    made = []
    for n in range(count):
        text = (
            f"Shelf {n} of the {slug} holds {n * 7 + 3} volumes of the annals, says {english}."
            if n % 2 == 0
            else f"{slug}의 {n}번 서가에는 실록 {n * 7 + 3}권이 있다고 {korean}이 적었다."
        )
        made.append((f"{slug}-{n}.txt", text))
    return made


def questions(slug: str, count: int) -> list[str]:
    return [
        f"How many volumes does shelf {n} of the {slug} hold?" if n % 2 == 0 else f"{n}번 서가에는 실록이 몇 권 있나요?"
        for n in range(count)
    ]


async def fill(services, client, slug: str, documents: int) -> None:
    """Give the tenant documents, prompts, an active adapter, another version, ended work and a key."""
    english, korean = CANARIES[slug]
    made = texts(slug, documents)
    await client.post("/collections", json={"id": "desk", "name": english, "defaults": {"top_k": 3}})
    async with Worker(services):
        for first in range(0, len(made), 50):
            body = [
                {"text": text, "id": id, "source": f"{korean}/{id}", "title": f"{english} {id}",
                 "metadata": {"desk": korean, "shelf": first}, "collection": "desk"}
                for id, text in made[first : first + 50]
            ]  # fmt: skip
            job = (await client.post("/ingest", json={"documents": body})).json()["id"]
            await until(client, job, "succeeded", timeout=300)
        await ingest_text(client, f"{english} in a second version.", id=made[0][0])
    await query_log.set_days(services.database, slug, 30)
    asked = (await client.post("/query", json={"input": questions(slug, 1)[0]})).json()
    feedback = {"vote": "up", "comment": korean}
    assert (await client.post(f"/queries/{asked['id']}/feedback", json=feedback)).is_success
    for table in ("documents", "job_items"):
        query(services.settings, NOTICES.format(table=table), slug=slug, part=korean)
    for version in (1, 2):
        assert (await client.put("/prompts/desk", json={"persona": f"{korean} {version}"})).status_code in (200, 201)
    number = (await tenant_by_slug(services.database, slug)).number
    for version in (1, 2):
        blob = await services.blobs.save(number, io.BytesIO(f"archive {english} {version}".encode()))
        adapter, _ = await registry.create_version(services.database, number, "tone", blob)
        await registry.set_status(
            services.database, number, "tone", version, "ready",
            published=True, base_model=BASE, proof={"difference": 1.0, "answers": []},
        )  # fmt: skip
        folder = services.settings.adapters / str(number) / adapter.engine_name
        folder.mkdir(parents=True)
        (folder / "adapter_config.json").write_text(f'{{"words": "{korean}"}}')
        (folder / "adapter_model.safetensors").write_bytes(f"weights of {english}".encode() * 100)
        await activation.activate(services.database, number, "tone", version)
    await activation.rollback(services.database, number)
    task = jobs.Task("evaluate", "tone", 1, {"cases": [{"input": english}]})
    job, _ = await job_creation.create_job(services.database, number, task)
    await cancellation.cancel_job(services.database, number, job.id)
    await create_key(services.database, slug, ["query"])


def query(settings, statement: str, **key) -> list[tuple]:
    with psycopg.connect(settings.owner_url) as owner:
        return owner.execute(statement, key).fetchall()


@asynccontextmanager
async def served(settings, slug: str, headers=None):
    """The installation's services, and a client of one of its tenants, with a new key unless there are headers."""
    async with open_services(settings) as services:
        if headers is None:
            key = await create_key(services.database, slug, ["query", "read", "ingest", "adapters"])
            headers = {"Authorization": f"Bearer {key.secret}"}
        app = create_app(settings, services)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://kyujang", headers=headers, timeout=120
            ) as client:
                yield services, client


async def contexts(client, asked: list[str], **options) -> list[list[dict]]:
    found = []
    for each in asked:
        answer = await client.post("/search", json={"input": each, **options})
        assert answer.status_code == 200, answer.text
        # Each service embeds the question, and what moves it into the other language, in batches of its own, whose last
        # digits differ.
        found.append([each | {"score": round(each["score"], 4)} for each in answer.json()["contexts"]])
    return found


async def in_thread(function, *arguments):
    return await asyncio.to_thread(function, *arguments)
