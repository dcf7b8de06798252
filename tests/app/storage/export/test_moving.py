"""What is imported elsewhere is the tenant that was exported, and nothing of another one."""

from __future__ import annotations

import asyncio
import json
import tarfile

import pytest

from app.storage.backup.reading import open_backup
from app.storage.export import make
from app.storage.export.loading import BaseModels
from ingest.cleanup import remove_noted
from tests.app.storage.export.moving import (
    CANARIES,
    MOVED,
    SERVED,
    bring_back,
    contexts,
    export,
    query,
    questions,
    served,
    silent,
)
from tests.conftest import ingest_text
from tests.ingest.working import Worker, accept

CHUNKS = "select id, document_id, ord, md5(content) from chunks c where tenant_id = %(tenant)s order by id"
VERSIONS = """
select name, version, status, published, engine_name, error_detail from adapter_versions
where tenant_id = %(tenant)s order by 2
"""


def number(settings, slug) -> int:
    return query(settings, "select id from tenants where slug = %(slug)s", slug=slug)[0][0]


async def shown(client) -> dict:
    """What the tenant's own routes show, but for what differs between installations."""
    found = {
        path: (await client.get(path)).raise_for_status().json()
        for path in ("/documents?limit=200", "/prompts/desk", "/jobs?limit=200", "/adapters")
    }
    found["activations"] = [
        {key: each[key] for key in ("action", "name", "version", "at")}
        for each in (await client.get("/adapters/activations")).json()["data"]
    ]
    found["evaluations"] = (await client.get("/adapters/tone/evaluations")).raise_for_status().json()
    return found


@pytest.mark.parametrize("place", ["export", "export.tar"])
async def test_a_tenant_elsewhere_answers_as_before(tenants, documents, settings, elsewhere, tmp_path, place):
    asked = questions(MOVED, min(documents, 200))
    manifest = await asyncio.to_thread(export, settings, tmp_path / place)
    assert (manifest.damaged, manifest.export.rows["documents"]) == ([], documents)
    imported = await bring_back(elsewhere, tmp_path / place)
    assert (imported.embedding, imported.refused) == (0, [])
    new = number(elsewhere, "moved")
    assert query(elsewhere, CHUNKS, tenant=new) == query(settings, CHUNKS, tenant=number(settings, MOVED))
    assert [row[4] for row in query(elsewhere, VERSIONS, tenant=new)] == [
        row[4].replace(f"t{number(settings, MOVED)}--", f"t{new}--")
        for row in query(settings, VERSIONS, tenant=number(settings, MOVED))
    ]
    async with served(elsewhere.model_copy(update={"index": "faiss"}), "moved") as (_, client):
        found = await contexts(client, asked[:20], mode="dense")
    faiss = settings.model_copy(update={"index": "faiss"})
    async with served(faiss, MOVED, tenants[MOVED].headers) as (_, client):
        assert await contexts(client, asked[:20], mode="dense") == found
    async with served(elsewhere, "moved") as (_, client):
        assert await shown(client) == await shown(tenants[MOVED])
        for mode in ("hybrid", "dense"):
            assert await contexts(client, asked, mode=mode) == await contexts(tenants[MOVED], asked, mode=mode)
        document = (await client.get("/documents?limit=1")).json()["data"][0]["id"]
        content = await client.get(f"/documents/{document}/content")
        assert content.content == (await tenants[MOVED].get(f"/documents/{document}/content")).content
    adapters = sorted(elsewhere.adapters.rglob("*.safetensors"))
    assert len(adapters) == 2
    assert {path.read_bytes() for path in adapters} == {f"weights of {CANARIES[MOVED][0]}".encode() * 100}
    assert {path.parent.stat().st_mode & 0o777 for path in adapters} == {0o555}


async def test_an_export_holds_no_byte_of_another_tenant(tenants, settings, tmp_path):
    await asyncio.to_thread(export, settings, tmp_path / "export.tar")
    assert (tmp_path / "export.tar").stat().st_mode & 0o077 == 0
    with tarfile.open(tmp_path / "export.tar") as tar:
        tar.extractall(tmp_path / "unpacked", filter="data")
    files = [path for path in (tmp_path / "unpacked").rglob("*") if path.is_file()]
    everything = b"".join(path.read_bytes() for path in files) + "\n".join(map(str, files)).encode()
    found = {
        slug: [
            canary
            for canary in canaries
            if canary.encode() in everything or json.dumps(canary).strip('"').encode() in everything
        ]
        for slug, canaries in CANARIES.items()
    }
    assert found == {MOVED: [*CANARIES[MOVED]], "archive": [], "office": []}
    rows = next(path for path in files if path.name == "rows.jsonl").read_text()
    # Of documents, chunks, prompts, work and adapters alike.
    for table in ("documents", "chunks", "prompt_versions", "job_items"):
        part = rows.split(f'["{table}", ', 1)[1].split("\n[", 1)[0]
        assert any(canary in part for canary in CANARIES[MOVED]), table
    secrets_there = query(settings, "select encode(secret_hash, 'hex') from api_keys")
    assert [each for (each,) in secrets_there if each.encode() in everything] == []


async def test_the_manifest_lists_the_keys_to_make_again(tenants, settings, tmp_path):
    manifest = await asyncio.to_thread(export, settings, tmp_path / "export")
    assert [each.scopes for each in manifest.export.keys] == [["query", "read", "ingest", "adapters"], ["query"]]
    assert all(each.revoked_at is None for each in manifest.export.keys)


async def test_a_copy_in_the_same_installation_lives_on_its_own(tenants, settings, services, anonymous, tmp_path):
    await asyncio.to_thread(export, settings, tmp_path / "export")
    await bring_back(settings, tmp_path / "export", "twin")
    async with served(settings, "twin") as (_, twin):
        asked = questions(MOVED, 4)
        before = await contexts(tenants[MOVED], asked)
        assert await contexts(twin, asked) == before
        # What was numbered again goes on from there.
        assert (await twin.post("/adapters/tone/activate", json={"version": 2})).json()["active"]
        assert (await twin.get("/adapters/tone?version=2")).json()["active"]
        async with Worker(services):
            await ingest_text(twin, "The twin's own moat.", id="moat", metadata={"own": "moat"})
        assert (await twin.delete("/documents/library-0.txt")).status_code == 204
        found = await contexts(twin, ["moat"], filters={"key": "metadata.own", "op": "eq", "value": "moat"})
        assert [each["document_id"] for each in found[0]] == ["moat"]
        assert await contexts(tenants[MOVED], asked) == before
    assert (await tenants[MOVED].get("/adapters/tone?version=1")).json()["active"]
    await remove_noted(services)
    assert (await tenants[MOVED].get("/documents/library-0.txt/content")).status_code == 200


@pytest.mark.parametrize("index", ["pgvector", "faiss"])
async def test_another_embedding_model_embeds_again(tenants, documents, settings, elsewhere, tmp_path, index):
    elsewhere = elsewhere.model_copy(update={"index": index})
    rename = "update embedding_spaces set model = %(model)s where state = 'active' returning number"
    (model,) = query(settings, "select model from embedding_spaces")[0]
    manifest = None
    try:
        query_commit(settings, rename, model="another")
        manifest = await asyncio.to_thread(export, settings, tmp_path / "export")
    finally:
        query_commit(settings, rename, model=model)
    assert manifest.export.model == "another"
    assert (await bring_back(elsewhere, tmp_path / "export")).embedding == documents
    asked = questions(MOVED, 4)
    async with served(elsewhere, "moved") as (services, client):
        assert await contexts(client, asked, mode="dense") == [[]] * len(asked)
        assert all(await contexts(client, asked, mode="lexical"))
        assert all(await contexts(client, asked))
        async with Worker(services):
            (job,) = query(elsewhere, "select distinct job_id from job_items where kind = 'rechunk'")
            async with asyncio.timeout(600):
                while (await client.get(f"/jobs/{job[0]}")).json()["status"] in ("queued", "running"):
                    await asyncio.sleep(0.1)
        found = await contexts(client, asked, mode="dense")
        # Documents that differ by a number alone are so near to each other that the batch decides which is first.
        for ours, theirs in zip(found, await contexts(tenants[MOVED], asked, mode="dense"), strict=True):
            assert [each["score"] for each in ours] == pytest.approx([each["score"] for each in theirs], abs=0.005)


def query_commit(settings, statement, **key):
    import psycopg

    with psycopg.connect(settings.owner_url) as owner:
        owner.execute(statement, key)


async def test_another_base_model_rejects_the_adapters(tenants, settings, elsewhere, tmp_path):
    manifest = await asyncio.to_thread(export, settings, tmp_path / "export")
    assert manifest.export.base_models == ["smollm2"]
    base = BaseModels([], "the engine's base model is 'qwen3'.")
    assert (await bring_back(elsewhere, tmp_path / "export", base=base)).refused == ["tone@1", "tone@2"]
    async with served(elsewhere, "moved") as (_, client):
        for adapter in (await client.get("/adapters")).json()["data"]:
            assert (adapter["status"], adapter["active"], adapter["ready_at"]) == ("rejected", False, None)
            assert adapter["error_detail"] == "It was trained on smollm2; the engine's base model is 'qwen3'."
            assert [each["ok"] for each in adapter["checks"] if each["name"] == "base_model"] == [False]
        assert (await client.get("/adapters/activations")).json()["data"][0]["action"] == "deactivate"
    assert list(elsewhere.adapters.glob("*/*")) == []


async def test_work_that_waits_goes_on_where_the_tenant_comes_to(tenants, settings, services, elsewhere, tmp_path):
    job = await accept(tenants["archive"], "The gate was rebuilt in 1867.", id="gate")
    try:
        await asyncio.to_thread(export, settings, tmp_path / "export", "archive")
    finally:
        await tenants["archive"].delete(f"/jobs/{job}")
    await bring_back(elsewhere, tmp_path / "export")
    async with served(elsewhere, "moved") as (there, client):
        assert (await client.get(f"/jobs/{job}")).json()["status"] == "queued"
        async with Worker(there):
            async with asyncio.timeout(60):
                while (await client.get(f"/jobs/{job}")).json()["status"] != "succeeded":
                    await asyncio.sleep(0.05)
        assert (await contexts(client, ["When was the gate rebuilt?"]))[0][0]["document_id"] == "gate"


async def test_what_is_deleted_while_it_is_copied_is_still_in_it(tenants, settings, services, tmp_path, monkeypatch):
    async with Worker(services):
        await ingest_text(tenants["office"], "Gone in a moment.", id="short-lived")
    await remove_noted(services)
    loop = asyncio.get_running_loop()
    real = make._write_rows

    def then_deleted(*arguments):
        rows = real(*arguments)
        answer = asyncio.run_coroutine_threadsafe(tenants["office"].delete("/documents/short-lived"), loop).result()
        assert answer.status_code == 204
        assert asyncio.run_coroutine_threadsafe(remove_noted(services), loop).result() == 0
        return rows

    monkeypatch.setattr(make, "_write_rows", then_deleted)
    manifest = await asyncio.to_thread(export, settings, tmp_path / "export", "office")
    assert manifest.damaged == []
    assert await remove_noted(services) == 1
    with open_backup(tmp_path / "export", None, tmp_path) as backup:
        backup.check(silent)
        assert manifest.export.rows["documents"] == len([f for f in backup.files() if f.path.startswith("blobs/")])


async def test_an_adapter_without_files_is_named_and_cannot_answer(tenants, settings, elsewhere, tmp_path):
    new = number(settings, "office")
    folder = next((settings.adapters / str(new)).glob("t*--v1--*"))
    folder.rename(folder.with_name("elsewhere"))
    try:
        manifest = await asyncio.to_thread(export, settings, tmp_path / "export", "office")
    finally:
        folder.with_name("elsewhere").rename(folder)
    assert manifest.damaged == [f"adapters/{new}/{folder.name}"]
    assert (await bring_back(elsewhere, tmp_path / "export", base=SERVED)).refused == ["tone@1"]
    rows = query(elsewhere, VERSIONS, tenant=number(elsewhere, "moved"))
    assert [(row[1], row[2], row[5]) for row in rows] == [
        (1, "failed", "Its files were missing when the tenant was exported."), (2, "ready", None)
    ]  # fmt: skip
