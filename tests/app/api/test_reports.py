"""Evaluations and trainings stay until they are deleted, and only what has ended can be. No worker runs here."""

from __future__ import annotations

import pytest

from app.storage import job_creation, jobs
from app.storage.idempotency import Idempotency
from app.storage.tenants import SCOPES, authenticate
from ingest.jobs import queue
from tests.conftest import NewTenant
from tests.ingest.working import accept, rows

pytestmark = pytest.mark.usefixtures("no_open_tasks")
PATHS = {"tune": "/tune/{}", "evaluate": "/evaluations/{}"}


@pytest.mark.parametrize("kind", PATHS)
async def test_what_has_ended_is_deleted_with_all_that_was_sent(services, new_tenant: NewTenant, owner_url, kind):
    client = await new_tenant(scopes=SCOPES)
    number = (await authenticate(services.database, client.headers["authorization"].split()[1])).number
    task, again = jobs.Task(kind, "tone", 1, {"rows": ["Haetae"]}), Idempotency(f"once-{kind}", b"payload")
    for end in ("cancel", "finish"):
        job, new = await job_creation.create_job(services.database, number, task, again)
        assert new
        early = await client.delete(PATHS[kind].format(job.id))
        assert (early.status_code, early.json()["code"]) == (409, "conflict")
        if end == "cancel":
            assert (await client.delete(f"/jobs/{job.id}")).json()["status"] == "cancelled"
        else:
            claimed = await queue.claim(services.database, "w", kind, lease_s=60)
            assert (await client.delete(PATHS[kind].format(job.id))).status_code == 409
            await queue.finish(services.database, claimed, {"report": "Haetae"})
        assert (await client.delete(PATHS[kind].format(job.id))).status_code == 204
        for method, path in (("DELETE", PATHS[kind].format(job.id)), ("GET", f"/jobs/{job.id}")):
            assert (await client.request(method, path)).status_code == 404
        for table in ("jobs where id", "job_items where job_id", "idempotency_keys where job_id"):
            assert rows(owner_url, f"select count(*) from {table} = '{job.id}'") == [(0,)]


async def test_no_other_job_is_deleted_by_these_routes(services, new_tenant: NewTenant):
    client = await new_tenant(scopes=SCOPES)
    number = (await authenticate(services.database, client.headers["authorization"].split()[1])).number
    upload = await accept(client, "A text.")
    training = (await job_creation.create_job(services.database, number, jobs.Task("tune", "tone")))[0].id
    for path in (f"/evaluations/{upload}", f"/tune/{upload}", f"/evaluations/{training}"):
        assert (await client.delete(path)).status_code == 404
    for job in (upload, training):
        assert (await client.get(f"/jobs/{job}")).json()["status"] == "queued"
