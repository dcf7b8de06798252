"""The Ray engine on a cluster of two nodes: the worker's chunks, nothing lost when a node dies, nothing doubled."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import pickle
import secrets

import numpy as np
import pytest
from pydantic import SecretStr
from tqdm import tqdm

from app.errors import KyujangError
from app.jobs import get_job
from app.settings import Settings
from app.tenants import Tenant, create_tenant, tenant_by_id
from ingest import claims, jobs, ray_cluster
from ingest.add import Options, add
from ingest.folder import find
from ingest.in_place import accept
from ingest.jobs import LeaseLost
from ingest.outcomes import Outcomes
from ingest.ray_engine import node_settings, open_for_ray, take_in
from ingest.ray_stages import Passing, Store, load_stage, pack, unpack
from ingest.worker import run
from tests.conftest import EXAMPLES, ROOT

NODE = {"num_cpus": 1, "object_store_memory": 100 << 20}
NOWHERE = "127.0.0.1:1"
MANY = 24


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, on loopback."""
    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_AUTO_CONNECT"):
        os.environ[name] = "0"
    # Else every other process on the machine comes first.
    os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112
    os.environ["RAY_BACKEND_LOG_LEVEL"] = "fatal"
    os.environ["PYTHONPATH"] = str(ROOT)
    from ray.cluster_utils import Cluster

    started = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    started.add_node(**NODE)
    yield started
    started.shutdown()


@pytest.fixture(scope="module")
def patient(services):
    """A lease that outlives the pauses of a machine with two nodes on it."""
    return dataclasses.replace(services, settings=services.settings.model_copy(update={"lease_s": 30.0}))


@pytest.fixture
def new_tenant_row(services):
    async def make() -> Tenant:
        record = await create_tenant(services.database, f"t-{secrets.token_hex(4)}", "Ray")
        return await tenant_by_id(services.database, record.id)

    return make


@pytest.fixture
def new_number(new_tenant_row):
    """Makes a tenant; gives its number."""

    async def make() -> int:
        return (await new_tenant_row()).number

    return make


@pytest.fixture
def folder(tmp_path):
    """Both languages, several batches of chunks, and a file that cannot be read."""
    for example in EXAMPLES.iterdir():
        (tmp_path / example.name).write_bytes(example.read_bytes())
    korean = "\n".join(f"제{n}조 서가 {n}에는 연보 {n * 7}권이 있으며 열람은 사서에게 신청한다." for n in range(150))
    (tmp_path / "규정").mkdir()
    (tmp_path / "규정" / "열람 규정.txt").write_text(korean, encoding="cp949")
    english = " ".join(f"Paragraph {n} says that shelf {n} holds {n * 7} volumes." for n in range(300))
    (tmp_path / "annals.md").write_text(f"# Annals\n\n{english}")
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing")
    return tmp_path


@pytest.fixture
def many(tmp_path):
    for n in range(MANY):
        line = f"Shelf {n} holds {n * 7} volumes. 서가 {n}에는 {n * 7}권이 있다."
        (tmp_path / f"{n:02}.txt").write_text("\n".join(f"{line} ({k})" for k in range(20)))
    return tmp_path


async def accepted(services, tenant, folder):
    return await accept(services, tenant, find([folder], include=[], exclude=[]), {"from": "Ray"})


async def outcomes(services, tenant, job_ids):
    """Document to status, or to the reason where it failed."""
    found = [await get_job(services.database, tenant, job_id) for job_id in job_ids]
    return {item.id: item.error.code if item.error else item.status for job in found for item in job.documents}


async def add_with_ray(services, tenant_id, folder, address, outcomes):
    """What the command does."""
    sources = find([folder], include=[], exclude=[])
    async with open_for_ray(services.settings, tenant_id, address=address, work=True) as target:
        await add(target, sources, Options(metadata={"from": "Ray"}), outcomes, tqdm(disable=True))


async def by_ray(services, tenant, job_ids, address):
    all_there = asyncio.Event()
    all_there.set()
    await take_in(services, tenant, job_ids, address=address, all_there=all_there)
    return await outcomes(services, tenant, job_ids)


async def by_worker(services, tenant, job_ids):
    stop = asyncio.Event()
    worker = asyncio.create_task(run(services, stop))
    async with asyncio.timeout(600):
        while await claims.unfinished(services.database, tenant, job_ids):
            await asyncio.sleep(0.1)
    stop.set()
    await worker
    return await outcomes(services, tenant, job_ids)


async def until_some_are_done(services, tenant, job_ids, done):
    async with asyncio.timeout(600):
        while list((await outcomes(services, tenant, job_ids)).values()).count("succeeded") < done:
            await asyncio.sleep(0.1)


async def query(services, tenant, text):
    async with services.database.transaction(tenant) as connection:
        return await (await connection.execute(text)).fetchall()


async def stored(services, tenant):
    """What each chunk is, and the vectors in the same order."""
    table = f"vectors_{services.spaces.current.number}"
    rows = await query(
        services,
        tenant,
        f"""
        select c.document_id, c.ord, c.page, c.start, c.stop, c.tokens, c.content, v.embedding::text as vector
        from chunks c join {table} v on v.tenant_id = c.tenant_id and v.chunk_id = c.id
        order by c.document_id, c.ord
        """,
    )
    return [list(row.values())[:-1] for row in rows], np.array([json.loads(row["vector"]) for row in rows])


async def whole(services, tenant, documents):
    """Each document once with all of its chunks, and nothing that was on its way."""
    chunks, _ = await stored(services, tenant)
    counted = await query(services, tenant, "select id, chunks from documents")
    assert len(counted) == documents
    assert {row["id"]: row["chunks"] for row in counted} == {
        name: sum(1 for chunk in chunks if chunk[0] == name) for name in {chunk[0] for chunk in chunks}
    }
    assert await query(services, tenant, "select from staged_chunks") == []
    assert len(list((services.settings.blobs / str(tenant)).iterdir())) == documents


async def test_the_same_chunks_as_the_worker_and_the_second_time_unchanged(patient, new_tenant_row, cluster, folder):
    by_command, other = await new_tenant_row(), (await new_tenant_row()).number
    one, counted = by_command.number, Outcomes()
    await add_with_ray(patient, by_command.id, folder, cluster.address, counted)
    first = await by_worker(patient, other, await accepted(patient, other, folder))
    assert first.pop("broken.pdf") == "corrupt"
    assert set(first.values()) == {"succeeded"}
    assert counted.counts == {"added": len(first), "failed": 1}
    assert next(counted.failures()) == "corrupt (1)"

    chunks, vectors = await stored(patient, one)
    chunks_of_worker, vectors_of_worker = await stored(patient, other)
    assert len(chunks) > len(first) + 10
    assert chunks == chunks_of_worker
    assert np.abs(vectors - vectors_of_worker).max() < 1e-3
    await whole(patient, one, len(first))

    (folder / "broken.pdf").unlink()
    # Ray is not even asked.
    again = await by_ray(patient, one, await accepted(patient, one, folder), NOWHERE)
    assert set(again.values()) == {"unchanged"}
    assert (await stored(patient, one))[0] == chunks
    await whole(patient, one, len(first))


async def test_a_node_that_dies_and_a_run_that_is_stopped_take_nothing_with_them(patient, new_number, cluster, many):
    tenant = await new_number()
    job_ids = await accepted(patient, tenant, many)
    running = asyncio.create_task(by_ray(patient, tenant, job_ids, cluster.address))
    await until_some_are_done(patient, tenant, job_ids, 5)
    await asyncio.to_thread(cluster.remove_node, next(iter(cluster.worker_nodes)), allow_graceful=False)
    done = list((await outcomes(patient, tenant, job_ids)).values()).count("succeeded")
    await until_some_are_done(patient, tenant, job_ids, done + 5)
    running.cancel()
    assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], asyncio.CancelledError)

    rows = await query(patient, tenant, "select status, attempt from job_items where status <> 'succeeded'")
    assert {(row["status"], row["attempt"]) for row in rows} == {("queued", 0)}
    assert set((await by_worker(patient, tenant, job_ids)).values()) == {"succeeded"}
    await whole(patient, tenant, MANY)


async def test_the_next_run_resumes_what_the_one_before_has_left(services, new_number, many):
    tenant = await new_number()
    before = await accepted(services, tenant, many)
    first = await claims.claim(services.database, tenant, before, "ray-1", lease_s=0, limit=3)
    now = await accepted(services, tenant, many)
    again = await claims.claim(services.database, tenant, now, "ray-2", lease_s=30, limit=100)
    assert [work.document_id for work in first] == ["00.txt", "01.txt", "02.txt"]
    assert {work.job_id for work in again} == set(before)
    assert len({work.document_id for work in again}) == len(again) == MANY
    # A dead run is no attempt of its documents.
    assert {work.attempt for work in again} == {1}
    with pytest.raises(LeaseLost):
        await jobs.progress(services.database, first[0], "split")
    for work in again:
        await jobs.fail(services.database, work, "corrupt", "as good as any end")
    assert len(await claims.claim(services.database, tenant, now, "ray-3", lease_s=30, limit=100)) == MANY


async def test_a_claim_is_of_the_jobs_named_alone_and_is_given_back_whole(services, new_number, many):
    tenant = await new_number()
    named, other = await accepted(services, tenant, many), await accepted(services, await new_number(), many)
    assert len(await claims.claim(services.database, tenant, named, "ray-1", lease_s=30, limit=100)) == MANY
    assert await claims.claim(services.database, tenant, named + other, "ray-2", lease_s=30, limit=100) == []
    await claims.give_back(services.database, tenant, "ray-1", delay_s=0, blameless=True)
    again = await claims.claim(services.database, tenant, named, "ray-3", lease_s=30, limit=100)
    assert [work.attempt for work in again] == [1] * MANY


async def test_stages_that_fit_no_node_end_in_an_error(patient, new_number, cluster, many, monkeypatch):
    monkeypatch.setattr(ray_cluster, "EMBED", 1.5)
    monkeypatch.setattr(ray_cluster, "START_LIMIT_S", 1)
    tenant = await new_number()
    job_ids = await accepted(patient, tenant, many)
    with pytest.raises(KyujangError, match=r"no room .* 0\.2, 0\.1, 1\.5, 0\.1 CPUs"):
        await by_ray(patient, tenant, job_ids, cluster.address)
    assert set((await outcomes(patient, tenant, job_ids)).values()) == {"queued"}


async def test_an_address_where_nothing_answers_ends_the_command_and_nothing_is_lost(patient, new_tenant_row, many):
    tenant, counted = await new_tenant_row(), Outcomes()
    with pytest.raises(KyujangError, match=f"No Ray cluster answers at {NOWHERE}"):
        await add_with_ray(patient, tenant.id, many, NOWHERE, counted)
    assert (counted.accepted, counted.waiting) == (MANY, MANY)
    rows = await query(patient, tenant.number, "select status, attempt from job_items")
    assert [(row["status"], row["attempt"]) for row in rows] == [("queued", 0)] * MANY


def test_a_node_that_does_not_share_the_blob_folder_says_so(tmp_path):
    work = jobs.Work(1, "job_1", 0, 1, "ray-1", "a.txt", "a.txt", None, None, 1, b"", None, "1/abc")
    home = tmp_path / "another"
    assert f"cannot read {home / 'blobs'}" in unpack(load_stage(pack(Passing(work)), Settings(home=home))).broken


async def test_a_node_that_cannot_open_its_services_says_so(owner_url, tmp_path, many):
    settings = Settings(database_url=owner_url, home=tmp_path / "home", lexical="kiwi")
    work = jobs.Work(1, "job_1", 0, 1, "ray-1", "a.txt", "a.txt", None, None, 1, b"", None, "1/abc")
    passed = await asyncio.to_thread(Store(settings), pack(Passing(work)))
    assert "KYUJANG_LEXICAL" in unpack(passed).broken


def test_no_secret_leaves_that_the_stages_do_not_need():
    secret = {name: SecretStr(f"secret-{name}") for name in ("admin_key", "llm_key", "reranker_key", "key")}
    settings = Settings(database_url="postgresql://owner:secret-owner@db/kyujang", embedder_key="needed", **secret)
    sent = node_settings(settings)
    assert b"secret-" not in pickle.dumps(sent)
    assert sent.service_url == settings.service_url
    assert sent.embedder_key == SecretStr("needed")
    assert "needed" not in repr(sent)
    assert sent.service_url not in repr(sent)
