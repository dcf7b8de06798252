"""A dump of an earlier version, brought to today's schema, served, and worked through until nothing is left to do."""

from __future__ import annotations

import asyncio
import gzip
import subprocess
import tarfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.bootstrap import open_services
from app.embedding.e5 import E5Encoder
from app.main import create_app
from app.services import Services
from app.settings import Settings
from app.storage.migrate import migrate
from app.up.pgbinaries import packaged_binaries
from tests.ingest.working import Worker
from tests.scripted import Script
from tests.upgrade.killing import kill_at_each_step
from tests.upgrade.sending import BASE, sent

DUMP = Path(__file__).parent / "0.1"
# They count for 24 hours, and the dump is older.
OF_TODAY = b"update public.idempotency_keys set created_at = now();"


@dataclass
class Upgraded:
    services: Services
    script: Script
    anonymous: httpx.AsyncClient
    expected: dict[str, Any]
    asked: Sequence[dict[str, Any]] = ()
    """What the worker has asked the engine."""

    def client(self, tenant: str, key: str = "all") -> httpx.AsyncClient:
        headers = {"Authorization": f"Bearer {self.expected['keys'][tenant][key]}"}
        transport = self.anonymous._transport
        return httpx.AsyncClient(transport=transport, base_url="http://kyujang", headers=headers, timeout=120)

    async def job(self, name: str, tenant: str = "library") -> dict[str, Any]:
        return sent(await self.client(tenant).get(f"/jobs/{self.expected['jobs'][name]}"))


def restore_database(dump: Path, owner_url: str) -> None:
    """Into an empty database."""
    command = [packaged_binaries() / "bin" / "psql", "-q", "-v", "ON_ERROR_STOP=1", owner_url]
    statements = gzip.decompress((dump / "database.sql.gz").read_bytes())
    subprocess.run(command, input=statements + OF_TODAY, stdout=subprocess.DEVNULL, check=True)


def restore_home(dump: Path, home: Path, base: Path) -> None:
    """Into a folder; with `base` as the model that a training in the dump goes on with."""
    with tarfile.open(dump / "home.tar.gz") as packed:
        packed.extractall(home, filter="tar")
    for plan in home.glob("tune/*/plan.json"):
        plan.write_text(plan.read_text().replace(BASE, str(base)))


@asynccontextmanager
async def upgraded(settings: Settings, script: Script, expected: dict[str, Any]) -> AsyncIterator[Upgraded]:
    """After a `migrate` that was killed at each step."""
    await asyncio.to_thread(kill_at_each_step, settings)
    await asyncio.to_thread(migrate, settings, dimension=lambda: E5Encoder.dimension)
    async with open_services(settings) as services:
        app = create_app(settings, services)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://kyujang", timeout=120) as anonymous,
        ):
            opened = Upgraded(services, script, anonymous, expected)
            async with Worker(services), asyncio.timeout(600):
                while await _unfinished(opened):
                    await asyncio.sleep(0.2)
            opened.asked = script.asked
            yield opened


async def _unfinished(opened: Upgraded) -> bool:
    for tenant in opened.expected["keys"]:
        client = opened.client(tenant)
        jobs = sent(await client.get("/jobs?limit=200"))["data"]
        adapters = sent(await client.get("/adapters?limit=200"))["data"]
        if any(job["finished_at"] is None for job in jobs):
            return True
        if any(each["status"] in ("checking", "loading", "proving") for each in adapters):
            return True
    return False


def holds(now: Any, then: Any) -> bool:
    """Fields may have been added, and none may have changed."""
    if isinstance(then, dict):
        return all(name in now and holds(now[name], value) for name, value in then.items())
    if isinstance(then, list):
        return len(now) == len(then) and all(map(holds, now, then))
    return now == then
