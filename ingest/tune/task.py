"""Train an adapter, from the rows to a version, which is then checked as an upload is."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.adapters import registry
from app.adapters.engine_model import with_engine_model
from app.adapters.training_request import Hyperparameters, validated_rows
from app.adapters.version import AdapterVersion
from app.errors import DatabaseUnavailable, NotFound
from app.services import Services
from app.settings import Settings
from app.settings.addresses import is_loopback
from app.storage import jobs
from app.storage.blobs import Blob
from app.storage.idempotency import Idempotency, payload_hash
from app.storage.peft_folder import pack
from app.storage.tenancy import TenantNumber
from app.storage.usage import Usage
from app.up import gpus
from ingest.adapters.checking import base_model
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedTask, TaskFailed
from ingest.tune.gpu_room import room_on_card
from ingest.tune.instructions import Examples, examples
from ingest.tune.plan import PLAN, RESULT, Plan
from ingest.tune.progress import TrainingProgress
from ingest.tune.run import TrainingDied, require_installed, train

log = logging.getLogger("kyujang.tune")

PUBLISH_S = 1.0
# What is counted by then is paid for, however the training ends.
COUNT_S = 10
MAX_DEATHS = 3
TOO_LONG = (
    "The training takes more than {:g} hours, the most that this service gives one (KYUJANG_TUNE_TIMEOUT_H). "
    "Take fewer rows or steps, or a smaller max_length."
)
NOTICE = "It shares this machine's {} with the engine: answers and training both take longer."


async def tune(services: Services, task: ClaimedTask) -> None:
    """Train and register a version. Raises TaskFailed, and LeaseLost if the task is cancelled or another worker's."""
    folder = services.settings.trainings / task.job_id
    try:
        require_installed()
        await _tune(services, task, folder)
    except TaskFailed:
        await asyncio.to_thread(shutil.rmtree, folder, True)
        raise
    finally:
        # Otherwise it goes on there, here or in another worker.
        if await _is_over(services, task):
            await asyncio.to_thread(shutil.rmtree, folder, True)


async def sweep_trainings(services: Services) -> int:
    """Remove the folders of trainings that ended without their worker; return how many."""
    found = await asyncio.to_thread(lambda: list(services.settings.trainings.glob("*")))
    under_way = await queue.unfinished(services.database, "tune") if found else []
    gone = [folder for folder in found if folder.name not in under_way]
    for folder in gone:
        await asyncio.to_thread(shutil.rmtree, folder, True)
    return len(gone)


async def _tune(services: Services, task: ClaimedTask, folder: Path) -> None:
    began = time.monotonic()
    beside = beside_the_engine(services.settings)
    base, names = await asyncio.to_thread(base_model, await with_engine_model(services.settings, services.engine))
    notice = await asyncio.to_thread(with_room, beside, task.spec, base)
    progress = TrainingProgress.resumed(task.progress, notice=notice)
    progress.duplicates = await asyncio.to_thread(_prepare, services.settings, task, folder, base, names[0])
    for deaths in range(1, MAX_DEATHS + 1):
        try:
            await _train(services, task, folder, base, progress, began)
            break
        except TrainingDied as died:
            log.warning("training died", extra={"job": task.job_id, "cause": str(died)})
            if deaths == MAX_DEATHS:
                raise TaskFailed(
                    "internal",
                    f"The training ended {MAX_DEATHS} times before it was done; the worker's log says why. If it was "
                    "killed, the machine is short of memory: take a smaller batch_size or max_length.",
                ) from died
    version = await _register(services, task, folder)
    seconds = progress.shown(time.monotonic() - began)["seconds"]
    result = {"adapter": {"name": version.name, "version": version.version}, **progress.outcome, "seconds": seconds}
    await queue.finish(services.database, task, result, used=Usage(training_seconds=seconds - progress.counted))


async def _train(
    services: Services, task: ClaimedTask, folder: Path, base: Path, progress: TrainingProgress, began: float
) -> None:
    """Publish the child's progress, and so notice within a second or two that the task is cancelled."""
    settings = services.settings
    child = asyncio.create_task(
        train(folder, base, progress.update, threads=settings.tune_threads, memory_mb=settings.tune_memory_mb)
    )
    try:
        published = 0
        while not child.done():
            await asyncio.wait({child}, timeout=PUBLISH_S)
            received, shown = progress.messages, progress.shown(time.monotonic() - began)
            if shown["seconds"] > settings.tune_timeout_h * 3600:
                raise TaskFailed("timeout", TOO_LONG.format(settings.tune_timeout_h))
            try:
                if received > published or shown["seconds"] >= progress.counted + COUNT_S:
                    used = Usage(training_seconds=shown["seconds"] - progress.counted)
                    await queue.record(services.database, task, progress=shown, used=used)
                    published, progress.counted = received, shown["seconds"]
                else:
                    await queue.renew(services.database, task, lease_s=settings.lease_s)
            except DatabaseUnavailable:
                log.warning("the progress could not be kept", extra={"job": task.job_id})
        child.result()
    finally:
        if not child.done():
            child.cancel()
            await asyncio.gather(child, return_exceptions=True)


async def _register(services: Services, task: ClaimedTask, folder: Path) -> AdapterVersion:
    """Register the version; it is the same one again after a crash between this and the end."""
    blob = await _archived(services, task.tenant, folder)
    request = Idempotency(f"tune-{task.job_id}", payload_hash("tune", [task.job_id]))
    version, new = await registry.create_version(services.database, task.tenant, task.name, blob, request=request)
    if not new:
        await services.blobs.discard([blob.path])
    await queue.record(services.database, task, version=version.version)
    return version


async def _archived(services: Services, tenant: TenantNumber, folder: Path) -> Blob:
    with (folder / "adapter.tar.gz").open("w+b") as archive:
        await asyncio.to_thread(pack, folder / RESULT, archive)
        archive.seek(0)
        return await services.blobs.save(tenant, archive)


def _prepare(settings: Settings, task: ClaimedTask, folder: Path, base: Path, base_name: str) -> int:
    """Write what the child reads, unless an earlier attempt has. Return how many rows were there twice."""
    method, parameters = task.spec["method"], Hyperparameters(**task.spec["hyperparameters"])
    made: Examples = examples(
        validated_rows(method, task.spec["rows"]), seed=parameters.seed, eval_share=parameters.eval_share
    )
    if not (folder / PLAN).exists():
        plan = Plan(
            method=method,
            base=str(base),
            base_name=base_name,
            hyperparameters=parameters,
            memory_mb=settings.tune_memory_mb,
        )
        plan.write(folder, made)
    return made.duplicates


def beside_the_engine(settings: Settings) -> str | None:
    """Return the job's notice of an engine on this machine. Raises TaskFailed where both want the GPU's memory."""
    if settings.engine == "none" or not any(_is_local(url) for url in settings.llm_urls):
        return None
    if gpus.look().first is None:
        return NOTICE.format("processors")
    if not settings.tune_beside_engine:
        raise TaskFailed(
            "engine_busy",
            "The engine on this machine holds its GPU. Train on another machine with a worker, or leave room "
            "(vLLM's --gpu-memory-utilization) and set KYUJANG_TUNE_BESIDE_ENGINE=1 for the worker.",
        )
    return NOTICE.format("GPU")


def with_room(beside: str | None, spec: dict[str, Any], base: Path) -> str | None:
    """Add to the notice what a training takes of the engine's card. Raises TaskFailed where it does not fit."""
    gpu = gpus.look().first
    if beside is None or gpu is None:
        return beside
    return f"{beside} {room_on_card(gpu, base, spec['method'], Hyperparameters(**spec['hyperparameters']))}"


def _is_local(url: str) -> bool:
    return url.startswith("unix:") or is_loopback(urlsplit(url).hostname or "")


async def _is_over(services: Services, task: ClaimedTask) -> bool:
    try:
        return (await jobs.get_job(services.database, task.tenant, task.job_id)).finished_at is not None
    except NotFound:
        return True
    except DatabaseUnavailable:
        return False
