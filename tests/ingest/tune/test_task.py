"""A training as the worker carries it out: to an adapter version, over a kill, until it is cancelled."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import psutil
import psycopg
import pytest

from app.adapters import registry
from app.adapters.training_request import Hyperparameters
from app.settings import Settings
from app.storage import cancellation, job_creation, jobs
from app.storage.database import fetch_one
from app.up.gpus import Gpu, Gpus
from ingest.jobs.queue import TaskFailed
from ingest.tune.progress import MAX_POINTS, TrainingProgress
from ingest.tune.run import NEEDED
from ingest.tune.task import beside_the_engine, sweep_trainings
from tests.ingest.working import Worker

FEW = {"rank": 2, "batch_size": 2, "target_modules": ["q_proj", "v_proj"], "eval_share": 0.2, "patience": None}


@pytest.fixture
def trainer(services, tiny_model):
    """The services of a worker whose engine has the tiny model."""
    settings = services.settings.model_copy(update={"base_model": tiny_model, "tune_threads": 1})
    return dataclasses.replace(services, settings=settings)


@pytest.fixture(autouse=True)
def nothing_open(owner_url):
    yield
    with psycopg.connect(owner_url) as connection:
        connection.execute("set role kyujang_operator")
        connection.execute("update job_items set status = 'cancelled', lease_until = null")


async def begin(services, tenant: int, **parameters: Any) -> str:
    spec = {
        "method": "sft",
        "rows": [
            {"instruction": f"몇 시인가요, {number % 11}?", "input": "", "output": "열 시."} for number in range(12)
        ],
        "hyperparameters": Hyperparameters(**{**FEW, **parameters}).model_dump(),
    }
    task, _ = await job_creation.create_job(services.database, tenant, jobs.Task("tune", "tone", spec=spec))
    return task.id


async def until(services, tenant: int, task_id: str, reached) -> jobs.Job:
    async with asyncio.timeout(300):
        while True:
            task = await jobs.get_job(services.database, tenant, task_id)
            if reached(task) or task.finished_at:
                return task
            await asyncio.sleep(0.05)


def children_at(task_id: str) -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if any(task_id in part for part in each.cmdline())]


async def counted_seconds(services, tenant: int) -> int:
    query = "select coalesce(sum(training_seconds), 0)::int as seconds from usage_days"
    async with services.database.transaction(tenant) as connection:
        row = await fetch_one(connection, query)
    return row["seconds"]


def at_step(step: int):
    return lambda task: (task.progress or {}).get("step", 0) >= step


async def test_a_training_survives_a_kill_and_ends_in_a_checked_version(trainer, new_number):
    tenant = await new_number()
    task_id = await begin(trainer, tenant, max_steps=200)
    async with Worker(trainer):
        await until(trainer, tenant, task_id, at_step(30))
        (child,) = children_at(task_id)
        assert child.nice() > psutil.Process().nice()
        child.kill()
        ended = await until(trainer, tenant, task_id, lambda task: False)
        assert ended.status == "succeeded", ended.error
        async with asyncio.timeout(60):
            while (adapter := await registry.get(trainer.database, tenant, "tone")).status == "checking":
                await asyncio.sleep(0.05)
    assert ended.adapter == jobs.AdapterReference("tone", 1)
    assert ended.result is not None
    assert ended.result["adapter"] == {"name": "tone", "version": 1}
    assert ended.result["steps"] == 200
    assert await counted_seconds(trainer, tenant) == ended.result["seconds"]
    progress = ended.progress
    assert progress is not None
    assert 20 <= progress["resumed_at"] < 200
    assert progress["rows"] == {"train": 9, "held_out": 2, "too_long": 0, "duplicates": 1}
    steps = [point["step"] for point in progress["curve"] if "loss" in point]
    assert steps == list(range(1, 201))
    assert (adapter.status, adapter.rank, adapter.error_detail) == ("loading", 2, None)
    assert not (trainer.settings.trainings / task_id).exists()


async def test_a_cancelled_training_ends_with_its_child_and_its_files_and_counts_until_then(trainer, new_number):
    tenant = await new_number()
    task_id = await begin(trainer, tenant, max_steps=100_000)
    async with Worker(trainer):
        await until(trainer, tenant, task_id, lambda task: (task.progress or {}).get("seconds", 0) > 0)
        (child,) = children_at(task_id)
        await cancellation.cancel_job(trainer.database, tenant, task_id)
        await asyncio.to_thread(child.wait, 30)
        async with asyncio.timeout(30):
            while (trainer.settings.trainings / task_id).exists():
                await asyncio.sleep(0.05)
    cancelled = await jobs.get_job(trainer.database, tenant, task_id)
    assert cancelled.progress is not None
    assert await counted_seconds(trainer, tenant) == cancelled.progress["seconds"]


async def test_without_the_extra_the_job_says_what_to_install(trainer, new_number, monkeypatch):
    monkeypatch.setattr("ingest.tune.run.NEEDED", (*NEEDED, "no_such_library"))
    tenant = await new_number()
    task_id = await begin(trainer, tenant)
    async with Worker(trainer):
        ended = await until(trainer, tenant, task_id, lambda task: False)
    assert ended.error is not None
    assert ended.error.code == "not_installed"
    assert "no_such_library" in ended.error.detail
    assert "EXTRAS=tune" in ended.error.detail


async def test_what_a_dead_worker_has_left_is_swept_unless_it_is_under_way(trainer, new_number):
    task_id = await begin(trainer, await new_number())
    for name in (task_id, "job_of_a_dead_worker"):
        (trainer.settings.trainings / name).mkdir(parents=True)
    assert await sweep_trainings(trainer) == 1
    assert [path.name for path in trainer.settings.trainings.iterdir()] == [task_id]


@pytest.mark.parametrize(
    ("url", "beside"),
    [
        ("unix:///run/engine.sock", True),
        ("http://127.0.0.1:8001", True),
        ("http://gpu-1:8000,http://localhost:8001", True),
        ("http://gpu-1:8000", False),
        (None, False),
    ],
)
def test_a_training_beside_the_engine_says_so(monkeypatch, url, beside):
    monkeypatch.setattr("app.up.gpus.look", Gpus)
    found = beside_the_engine(Settings(llm_url=url))
    assert (found is not None) == beside
    assert found is None or "processors" in found


def test_on_the_engine_s_gpu_it_must_be_allowed(monkeypatch):
    monkeypatch.setattr("app.up.gpus.look", lambda: Gpus((Gpu("a GPU", 1 << 30),)))
    url = "http://127.0.0.1:8000"
    with pytest.raises(TaskFailed, match="KYUJANG_TUNE_BESIDE_ENGINE"):
        beside_the_engine(Settings(llm_url=url))
    assert "GPU" in (beside_the_engine(Settings(llm_url=url, tune_beside_engine=True)) or "")


def test_the_curve_of_a_long_run_stays_short_and_goes_on_after_a_break():
    progress = TrainingProgress()
    for step in range(1, 5001):
        progress.update({"step": step, "steps": 5000, "loss": 1 / step})
        if step % 1000 == 0:
            progress.update({"step": step, "steps": 5000, "eval_loss": 2 / step})
    assert len([point for point in progress.curve if "loss" in point]) <= MAX_POINTS + 1
    assert [point["step"] for point in progress.curve if "eval_loss" in point] == [1000, 2000, 3000, 4000, 5000]
    again = TrainingProgress.resumed(progress.shown(10), notice=None)
    again.update({"step": 3001, "steps": 5000, "loss": 0.5})
    assert max(point["step"] for point in again.curve) == 3000
    assert again.shown(5)["seconds"] == 15


async def test_a_training_has_a_limit_of_time(trainer, new_number):
    tenant = await new_number()
    task_id = await begin(trainer, tenant, max_steps=100_000)
    hasty = trainer.settings.model_copy(update={"tune_timeout_h": 1e-5})
    async with Worker(dataclasses.replace(trainer, settings=hasty)):
        ended = await until(trainer, tenant, task_id, lambda task: False)
        assert not children_at(task_id)
    assert ended.error is not None
    assert (ended.status, ended.error.code) == ("failed", "timeout")
    assert "KYUJANG_TUNE_TIMEOUT_H" in ended.error.detail
    assert not (trainer.settings.trainings / task_id).exists()
