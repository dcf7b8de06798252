"""Check an adapter: archive, config, base model, weights (check_child.py), publish, load, prove.

Every step may be repeated. An engine gets nothing that has not passed them.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from app.adapters import registry
from app.adapters.engine_model import with_engine_model
from app.adapters.folders import version_folder
from app.adapters.version import AdapterVersion, Check
from app.errors import NotFound
from app.services import Services
from app.storage.adapter_archives import save_version
from app.storage.blobs import Blob
from app.storage.tenancy import TenantNumber
from ingest.adapters.checking import check_archive
from ingest.adapters.proving import load, prove
from ingest.adapters.publish import publish, unfinished, write_config
from ingest.adapters.rejection import Rejected
from ingest.jobs import queue
from ingest.jobs.queue import ClaimedTask, LeaseLost

log = logging.getLogger("kyujang.adapters")


async def check_adapter(services: Services, task: ClaimedTask) -> None:
    """Take the version from where it is to ready or rejected. Raises LeaseLost if it was deleted meanwhile."""
    assert task.version is not None
    try:
        adapter = await registry.get(services.database, task.tenant, task.name, task.version)
        if adapter.status == "checking":
            adapter = await check_and_publish(services, task, adapter)
        if adapter.status == "loading":
            adapter = await load(services, task, adapter)
        if adapter.status == "proving":
            adapter = await prove(services, task, adapter)
    except Rejected as refused:
        adapter = await reject(services, task, refused)
    except NotFound:
        raise LeaseLost from None
    await queue.finish(services.database, task)
    log.info("adapter checked", extra={"adapter": adapter.engine_name, "status": adapter.status})


async def check_and_publish(services: Services, task: ClaimedTask, adapter: AdapterVersion) -> AdapterVersion:
    """Check the archive and publish what engines read. Raises Rejected."""
    assert adapter.blob is not None
    checks: list[Check] = []

    async def report(one: Check) -> None:
        checks.append(one)
        await registry.set_status(
            services.database, task.tenant, adapter.name, adapter.version, "checking", checks=checks
        )

    settings = await with_engine_model(services.settings, services.engine)
    with unfinished(settings.adapters, task.tenant, adapter.engine_name, f"{task.job_id}-{task.attempt}") as folder:
        async with services.blobs.local(Blob(adapter.blob, adapter.bytes, bytes.fromhex(adapter.sha256))) as archive:
            config = await check_archive(settings, archive, folder, report)
        # Another worker may have it by now, and may be further.
        await queue.renew(services.database, task, lease_s=settings.lease_s)
        await asyncio.to_thread(write_config, folder, config)
        digest = await _publish(services, task.tenant, adapter.engine_name, folder)
    return await registry.set_status(
        services.database,
        task.tenant,
        adapter.name,
        adapter.version,
        "loading",
        base_model=config["base_model_name_or_path"],
        rank=max(config["r"], *config["rank_pattern"].values(), 0),
        target_modules=config["target_modules"],
        published=True,
        digest=digest,
    )


async def _publish(services: Services, tenant: TenantNumber, engine_name: str, folder: Path) -> str | None:
    """Put the files where engines get them from; return their digest in object storage."""
    if services.storage is not None:
        return (await save_version(services.storage, tenant, engine_name, folder)).digest
    await asyncio.to_thread(publish, folder, version_folder(services.settings, tenant, engine_name))
    return None


async def reject(services: Services, task: ClaimedTask, refused: Rejected) -> AdapterVersion:
    """Reject the version for good. Its published files go as those of deleted ones do: engines may have them open."""
    assert task.version is not None
    adapter = await registry.get(services.database, task.tenant, task.name, task.version)
    passed = [each for each in adapter.checks if each.name != refused.check]
    return await registry.set_status(
        services.database,
        task.tenant,
        task.name,
        task.version,
        "rejected",
        checks=[*passed, Check(refused.check, False, refused.detail)],
        error_detail=refused.detail,
    )


async def fail_adapter(services: Services, task: ClaimedTask, detail: str) -> None:
    """End the check without a verdict on the adapter: the same archive may be sent again."""
    assert task.version is not None
    with suppress(NotFound):
        await registry.set_status(
            services.database, task.tenant, task.name, task.version, "failed", error_detail=detail
        )
