"""Jobs that have ended long ago; no worker runs beside these tests."""

from __future__ import annotations

import psycopg
import pytest

from app.adapters import registry
from app.errors import NotFound
from app.storage import jobs
from app.storage.blobs import Blob
from app.storage.job_creation import create_job
from ingest.cleanup import sweep_jobs
from ingest.jobs import queue
from tests.conftest import NewTenant
from tests.ingest.working import accept, rows


async def test_finished_jobs_of_documents_and_checks_go_after_their_time(services, new_tenant: NewTenant, owner_url):
    """Those that have not ended stay, and so do the reports of evaluations and trainings."""
    client, days = await new_tenant(), services.settings.jobs_kept_days
    old, new, unfinished = [await accept(client, f"Number {n}.") for n in range(3)]
    ended = [await queue.claim(services.database, "w", "ingest", lease_s=60) for _ in range(2)]
    tenant = ended[0].tenant
    tasks = []
    for kind in ("evaluate", "tune"):
        tasks.append((await create_job(services.database, tenant, jobs.Task(kind, "tone", 1)))[0].id)
        ended.append(await queue.claim(services.database, "w", kind, lease_s=60))
    blob = Blob("1/x", 8, b"1" * 32)
    await registry.create_version(services.database, tenant, "tone", blob)
    ended.append(await queue.claim(services.database, "w", "check", lease_s=60))
    for claimed in ended:
        await queue.finish(services.database, claimed)
    with psycopg.connect(owner_url) as connection:
        age = "interval '1 day' * %s"
        connection.execute(f"update jobs set created_at = created_at - {age}", [days + 1])
        connection.execute(
            f"update job_items set finished_at = finished_at - {age} where job_id <> %s", [days + 1, new]
        )
    assert await sweep_jobs(services) == 2
    assert rows(owner_url, "select kind from job_items where kind = 'check'") == []
    with pytest.raises(NotFound):
        await jobs.get_job(services.database, tenant, old)
    for kept in (new, unfinished, *tasks):
        assert (await jobs.get_job(services.database, tenant, kept)).id == kept
    assert await sweep_jobs(services) == 0
