"""Files that a killed process has left behind."""

from __future__ import annotations

import os
import time

import pytest

from ingest.cleanup import OLDER_THAN_S, remove_noted, sweep
from tests.conftest import NewTenant, ingest_text
from tests.ingest.working import accept

pytestmark = pytest.mark.usefixtures("nothing_queued")


def blobs(settings) -> set:
    return {path for path in settings.blobs.rglob("*") if path.is_file()}


def written(path, *, age_s: float) -> None:
    at = time.time() - age_s
    os.utime(path, (at, at))


def left_behind(settings, *folders: str, age_s: float) -> set:
    made = set()
    for folder in folders:
        path = settings.blobs / folder / "left-behind"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("nobody's")
        written(path, age_s=age_s)
        made.add(path)
    return made


async def test_what_nothing_refers_to_goes_and_the_rest_stays(worker, services, new_tenant: NewTenant):
    client = await new_tenant()
    await ingest_text(client, "Stored.", id="stored")
    needed = blobs(services.settings)
    tenant = next(iter(needed)).parent.name
    for path in needed:
        written(path, age_s=2 * OLDER_THAN_S)
    old = left_behind(services.settings, tenant, "999999", age_s=2 * OLDER_THAN_S)
    assert blobs(services.settings) == needed | old
    assert await sweep(services) == len(old) == 2
    assert blobs(services.settings) == needed
    new = left_behind(services.settings, tenant, age_s=1)
    assert await sweep(services) == 0
    assert await sweep(services, older_than_s=0) == len(new)
    assert blobs(services.settings) == needed


async def test_an_upload_that_waits_keeps_its_file(services, new_tenant: NewTenant):
    before = blobs(services.settings)
    client = await new_tenant()
    job = await accept(client, "Waits.", id="waits")
    (waiting,) = blobs(services.settings) - before
    await sweep(services, older_than_s=-1)
    assert waiting in blobs(services.settings)
    await client.delete(f"/jobs/{job}")
    await remove_noted(services)
    assert waiting not in blobs(services.settings)
