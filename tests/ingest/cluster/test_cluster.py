"""The Ray engine on a cluster of two nodes: the worker's chunks, nothing lost when a node dies, nothing doubled."""

from __future__ import annotations

import asyncio
import dataclasses
import os
import pickle
import signal
from pathlib import Path

import numpy as np
import pytest
from pydantic import SecretStr
from tqdm import tqdm

from app.errors import KyujangError
from app.settings import Settings
from ingest.cluster import run
from ingest.cluster.run import AGAIN, ingest_with_ray, node_settings
from ingest.cluster.stages import FurtherSteps, load
from ingest.jobs import queue
from ingest.pipeline import DocumentState
from ingest.sync.command import open_for_ray
from ingest.sync.folder import find
from ingest.sync.report import AddReport
from ingest.sync.sync import Options, add
from tests.conftest import EXAMPLES, ROOT
from tests.ingest.jobs.claiming import MANY, accepted, by_worker, outcomes, query, stored, whole
from tests.s3 import breaking_proxy, new_bucket

NODE = {"num_cpus": 1, "object_store_memory": 100 << 20}
NOWHERE = "127.0.0.1:1"
DONE = "select 1 from job_items where status = 'succeeded'"
CLAIM = queue.ClaimedDocument(1, "job_1", 0, 1, "ray-1", 0, "a.txt", "1/abc", 1, b"", "a.txt", kind="ingest")


@pytest.fixture(scope="module")
def cluster():
    """Two nodes of one CPU each, on loopback."""
    environment = {"RAY_BACKEND_LOG_LEVEL": "fatal", "PYTHONPATH": str(ROOT)}
    for name in ("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "RAY_USAGE_STATS_ENABLED", "RAY_ENABLE_AUTO_CONNECT"):
        environment[name] = "0"
    # Else every other process on the machine comes first.
    environment["RAY_worker_niceness"] = "0"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        from ray.cluster_utils import Cluster

        started = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
        started.add_node(**NODE)
        yield started
        started.shutdown()


@pytest.fixture
def every_death(pytestconfig):
    if pytestconfig.getoption("--ray") == "sample":
        pytest.skip("takes minutes: make check-all, or --ray whole")


@pytest.fixture(scope="module")
def patient(services):
    """A lease that outlives the pauses of a machine with two nodes on it."""
    return dataclasses.replace(services, settings=services.settings.model_copy(update={"lease_s": 30.0}))


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


async def add_with_ray(services, tenant_id, folder, address, outcomes):
    """What the command does."""
    sources = find([folder], include=[], exclude=[])
    async with open_for_ray(services.settings, tenant_id, address=address) as target:
        await add(target, sources, Options(metadata={"from": "Ray"}), outcomes, tqdm(disable=True))


async def by_ray(services, tenant, job_ids, address):
    complete = asyncio.Event()
    complete.set()
    await ingest_with_ray(services, tenant, job_ids, complete, address=address)
    return await outcomes(services, tenant, job_ids)


async def until_some_are_done(services, tenant, count):
    """And some more, if need be: return how many."""
    async with asyncio.timeout(600):
        while (done := len(await query(services, tenant, DONE))) < count:
            await asyncio.sleep(0.1)
    return done


def children(parent, named):
    """Of a process, those with this in their command line."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            state, of = (process / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(of) == parent and state != "Z" and named in (process / "cmdline").read_text():
                found.append(int(process.name))
        except OSError:
            continue  # it has ended
    return found


async def test_the_same_chunks_as_the_worker_and_the_second_time_unchanged(patient, new_tenant_row, cluster, folder):
    by_command, other = await new_tenant_row(), (await new_tenant_row()).number
    one, counted = by_command.number, AddReport()
    await add_with_ray(patient, by_command.slug, folder, cluster.address, counted)
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


@pytest.mark.usefixtures("every_death")
async def test_a_node_that_dies_and_a_run_that_is_stopped_take_nothing_with_them(patient, new_number, cluster, many):
    tenant = await new_number()
    job_ids = await accepted(patient, tenant, many)
    running = asyncio.create_task(by_ray(patient, tenant, job_ids, cluster.address))
    await until_some_are_done(patient, tenant, 5)
    await asyncio.to_thread(cluster.remove_node, next(iter(cluster.worker_nodes)), allow_graceful=False)
    done = await until_some_are_done(patient, tenant, 0)
    await until_some_are_done(patient, tenant, done + 5)
    running.cancel()
    assert isinstance((await asyncio.gather(running, return_exceptions=True))[0], asyncio.CancelledError)

    rows = await query(patient, tenant, "select status, attempt from job_items where status <> 'succeeded'")
    assert {(row["status"], row["attempt"]) for row in rows} == {("queued", 0)}
    assert set((await by_worker(patient, tenant, job_ids)).values()) == {"succeeded"}
    await whole(patient, tenant, MANY)


@pytest.mark.usefixtures("every_death")
async def test_a_process_of_ray_that_ends_is_replaced_once_in_each_run_and_the_next_run_goes_on(
    patient, new_tenant_row, cluster, many, monkeypatch, caplog
):
    tenant, counted = await new_tenant_row(), AddReport()
    with monkeypatch.context() as patch:
        patch.setattr(run, "DRIVER", "tests.ingest.cluster.ending_driver")
        with pytest.raises(KyujangError, match=r"ended its driver 2 times\..* same command again"):
            await add_with_ray(patient, tenant.slug, many, cluster.address, counted)
    assert (counted.accepted, counted.waiting) == (MANY, MANY)
    rows = await query(patient, tenant.number, "select status, attempt from job_items")
    assert [(row["status"], row["attempt"]) for row in rows] == [("queued", 0)] * MANY

    caplog.clear()
    again = AddReport()
    running = asyncio.create_task(add_with_ray(patient, tenant.slug, many, cluster.address, again))
    await until_some_are_done(patient, tenant.number, 3)
    (child,) = children(os.getpid(), "ingest.cluster.driver")
    # As Ray does itself when the node that it is used from has died.
    os.kill(child, signal.SIGKILL)
    await running
    assert again.counts["failed"] == 0
    assert [record.getMessage() for record in caplog.records if record.name == "kyujang.ray"] == [AGAIN]
    await whole(patient, tenant.number, MANY)
    assert not children(os.getpid(), "ingest.cluster.driver")


async def test_stages_that_fit_no_node_end_in_an_error(patient, new_number, cluster, many, monkeypatch):
    monkeypatch.setattr(run, "DRIVER", "tests.ingest.cluster.greedy_driver")
    tenant = await new_number()
    job_ids = await accepted(patient, tenant, many)
    with pytest.raises(KyujangError, match=r"no room .* 0\.2, 1\.5 CPUs"):
        await by_ray(patient, tenant, job_ids, cluster.address)
    assert set((await outcomes(patient, tenant, job_ids)).values()) == {"queued"}


async def test_an_address_where_nothing_answers_ends_the_command_and_nothing_is_lost(patient, new_tenant_row, many):
    tenant, counted = await new_tenant_row(), AddReport()
    with pytest.raises(KyujangError, match=f"No Ray cluster answers at {NOWHERE}"):
        await add_with_ray(patient, tenant.slug, many, NOWHERE, counted)
    assert (counted.accepted, counted.waiting) == (MANY, MANY)
    rows = await query(patient, tenant.number, "select status, attempt from job_items")
    assert [(row["status"], row["attempt"]) for row in rows] == [("queued", 0)] * MANY


def test_a_node_that_does_not_share_the_blob_folder_says_so(tmp_path):
    home = tmp_path / "another"
    assert f"cannot read {home / 'blobs'}" in load({"claim": pickle.dumps(CLAIM)}, Settings(home=home))["broken"]


def test_a_node_that_the_storage_does_not_let_in_is_named(scratch, s3, monkeypatch):
    url = str(new_bucket(s3, monkeypatch))
    with breaking_proxy(s3) as (address, broken):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        broken.rule = lambda method, path: "403"
        row = load({"claim": pickle.dumps(CLAIM)}, Settings(home=scratch / "of-a-node", storage=url))
    assert "credentials are not let in" in row["broken"]


async def test_a_node_that_cannot_open_its_services_says_so(owner_url, tmp_path, many):
    settings = Settings(database_url=owner_url, home=tmp_path / "home", lexical="kiwi")
    row = {"document": pickle.dumps((DocumentState(CLAIM), None)), "broken": ""}
    assert "KYUJANG_LEXICAL" in (await asyncio.to_thread(FurtherSteps(settings), row))["broken"]


def test_no_secret_leaves_that_the_stages_do_not_need():
    secret = {name: SecretStr(f"secret-{name}" * 2) for name in ("admin_key", "llm_key", "reranker_key", "key")}
    settings = Settings(database_url="postgresql://owner:secret-owner@db/kyujang", embedder_key="needed", **secret)
    sent = node_settings(settings)
    assert b"secret-" not in pickle.dumps(sent)
    assert sent.service_url == settings.service_url
    assert sent.embedder_key == SecretStr("needed")
    assert "needed" not in repr(sent)
    assert sent.service_url not in repr(sent)
