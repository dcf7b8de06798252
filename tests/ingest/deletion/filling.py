"""A tenant that has something of everything, each with a word that stands nowhere else."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

import httpx
import psycopg

from app.adapters import activation, registry
from app.adapters.folders import version_folder
from app.services import Services
from app.storage import job_creation, jobs
from app.storage.tenants import SCOPES, tenant_by_slug
from ingest.jobs import queue
from tests.app.fake_engine import FakeEngine
from tests.conftest import ADMIN_KEY, ingest_text

OPERATOR = {"Authorization": f"Bearer {ADMIN_KEY}"}
STAGED = """
insert into staged_chunks (tenant_id, job_id, n, ord, start, stop, tokens, content, embedding, space)
values (%s, %s, %s, 0, 0, 9, 2, %s, (select ('[' || repeat('0,', 383) || '1]')::halfvec), 1)
"""

SCAN = """
    with page as (insert into staged_pages (tenant_id, job_id, n, page, content) values (%s, %s, %s, 1, %s))
    insert into document_words (tenant_id, document_id, page, words)
    select tenant_id, id, 1, '' from documents where tenant_id = %s
"""
PAGE = """
    insert into document_pages (tenant_id, document_id, start, stop, page)
    select tenant_id, id, 0, 1, 1 from documents where tenant_id = %s and id = %s
"""

AXES = """
    insert into map_axes (tenant_id, space, version, chunks, across, upwards, origin)
    values (%s, 1, 1, 1, '{1}', '{1}', '{0,0}')
"""
LAYOUT = """
    insert into map_layouts (tenant_id, space, version, chunks, chunk_ids, x, y)
    values (%s, 1, 1, 1, '{1}', '{0}', '{0}')
"""

CALL = """
    insert into engine_calls (id, tenant_id, key_id, adapter, most_prompt_tokens, most_completion_tokens)
    values (gen_random_uuid(), %s, %s, %s, 1, 1)
"""

SEGMENT = """
    with segment as (
        insert into posting_segments (tenant_id, id, chunks, ids) values (%(tenant)s, %(tenant)s, 0, '')
        returning tenant_id, id
    ), term as (
        insert into lexicon (tenant_id, term, chunks) select tenant_id, %(word)s, 1 from segment
    )
    insert into posting_blocks (tenant_id, segment, first_term, postings)
    select tenant_id, id, %(word)s, decode('0000000000000000', 'hex') from segment
"""
INDEXED = "insert into index_positions (tenant_id, collection, version, removed) values (%s, 'kyujang_1', 1, 1)"
PART = """
    with part as (
        insert into parts (tenant_id, filter, digest)
        values (%(tenant)s, jsonb_build_object('key', 'metadata.keeper', 'op', 'eq', 'value', %(word)s::text), '')
        returning number
    )
    insert into part_documents (tenant_id, part, document, number)
    select %(tenant)s, part.number, d.id, d.number from part, documents d where d.tenant_id = %(tenant)s
"""

NOTICE = """
    update documents set warnings = jsonb_build_array(jsonb_build_object('code', 'truncated', 'detail', %(word)s::text))
    where tenant_id = %(tenant)s
"""


@dataclass
class Filled:
    """`word` is in everything of the tenant but its id."""

    slug: str
    word: str
    number: int = 0
    client: httpx.AsyncClient = field(default_factory=httpx.AsyncClient)
    key_ids: list[str] = field(default_factory=list)

    @property
    def needles(self) -> list[str]:
        return [self.word, *self.key_ids]


async def registered(anonymous: httpx.AsyncClient, services: Services, slug: str, word: str) -> Filled:
    filled = Filled(slug, word)
    headers = OPERATOR | {"Idempotency-Key": f"made-{word}"}
    made = await anonymous.post("/tenants", json={"id": slug, "name": f"Archive of {word}"}, headers=headers)
    assert made.status_code == 201
    limits = {"limits": {"requests_per_minute": 10**6}, "query_log_days": 30}
    assert (await anonymous.patch(f"/tenants/{slug}", json=limits, headers=OPERATOR)).status_code == 200
    filled.number = (await tenant_by_slug(services.database, slug)).number
    for _ in range(2):
        key = (await anonymous.post(f"/tenants/{slug}/keys", json={"scopes": SCOPES}, headers=OPERATOR)).json()
        filled.key_ids.append(key["id"])
    own = {"Authorization": f"Bearer {key['key']}"}
    filled.client = httpx.AsyncClient(
        transport=anonymous._transport, base_url="http://kyujang", headers=own, timeout=120
    )
    return filled


async def store(filled: Filled) -> None:
    """While a worker runs: two documents, one of them replaced, in an index in memory and in a file."""
    client, word = filled.client, filled.word
    assert (await client.post("/collections", json={"id": word, "name": f"Of {word}"})).status_code == 201
    about = {"source": f"{word}.txt", "title": f"Of {word}", "metadata": {"keeper": word}, "collection": word}
    hook = {"url": f"https://hooks.example/{word}"}
    assert (await client.post("/webhooks", json=hook)).status_code == 201
    await ingest_text(client, f"The first seal of {word} is lost.", id=f"seal/{word}", **about)
    await ingest_text(client, f"{word}의 옥새는 다시 찾았다. The seal was found.", id=f"seal/{word}", **about)
    await ingest_text(client, f"A letter to {word}.", id=f"letter/{word}")
    asked = (await client.post("/query", json={"input": f"Where is the seal of {word}?"})).json()
    feedback = {"vote": "down", "comment": f"Not so, says {word}.", "right_answer": word}
    assert (await client.post(f"/queries/{asked['id']}/feedback", json=feedback)).is_success
    found = await client.post("/search", json={"input": f"Where is the seal of {word}?", "mode": "dense"})
    assert found.json()["contexts"][0]["document_id"] == f"seal/{word}"


async def leave_waiting(filled: Filled, services: Services, engine: FakeEngine, owner_url: str) -> None:
    """While no worker runs: an upload that is half done, prompts, adapters, tasks."""
    client, word, number, database = filled.client, filled.word, filled.number, services.database
    body = {"documents": [{"id": f"waits/{word}", "text": f"{word} waits.", "source": word}]}
    await client.post("/ingest", json=body, headers={"Idempotency-Key": f"upload-{word}"})
    claimed = await queue.claim(database, f"worker-{word}", "ingest", lease_s=60)
    assert claimed is not None
    assert claimed.tenant == number
    with psycopg.connect(owner_url) as owner:
        owner.execute(STAGED, [number, claimed.job_id, claimed.item_number, f"{word} is staged."])
        staged = f"{word} is read from a scan."
        owner.execute(SCAN, [number, claimed.job_id, claimed.item_number, staged, number])
        owner.execute(AXES, [number])
        owner.execute(LAYOUT, [number])
        owner.execute(PAGE, [number, f"letter/{word}"])
        owner.execute(CALL, [number, filled.key_ids[0], f"{word}@1"])
        owner.execute(INDEXED, [number])
        owner.execute(PART, {"tenant": number, "word": word})
        owner.execute(NOTICE, {"tenant": number, "word": word})
        owner.execute(SEGMENT, {"tenant": number, "word": word})
    assert (await client.put(f"/prompts/{word}", json={"persona": f"You serve {word}."})).is_success
    await client.put(f"/prompts/{word}", json={"persona": f"You serve {word} well."})
    await leave_adapters(filled, services, engine)
    for kind in ("evaluate", "tune"):
        task = jobs.Task(kind, word, 1, {"rows": [word]})
        job, _ = await job_creation.create_job(database, number, task)
    training = services.settings.trainings / job.id
    training.mkdir(parents=True)
    (training / "rows.jsonl").write_text(word)


async def leave_adapters(filled: Filled, services: Services, engine: FakeEngine) -> None:
    """One is published, active and loaded; one waits for its check."""
    word, number, database = filled.word, filled.number, services.database
    for version in (1, 2):
        blob = await services.blobs.save(number, io.BytesIO(f"{word} {version}".encode()))
        made, _ = await registry.create_version(database, number, word, blob)
        if version == 1:
            await registry.set_status(database, number, word, 1, "ready", published=True, proof={"said": word})
            folder = version_folder(services.settings, filled.number, made.engine_name)
            folder.mkdir(parents=True)
            (folder / "adapter_model.safetensors").write_text(word)
            folder.chmod(0o555)
            engine.adapters[made.engine_name] = str(folder)
            await activation.activate(database, number, word, 1, filled.key_ids[0])
