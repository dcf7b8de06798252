"""Made tests/upgrade/0.1 with the code of commit 1825a1a, and runs with no other.

Put this folder into a checkout of that commit, whose environment has the extra `test`, and run

    python -m tests.upgrade.make_dump FOLDER

The imports here and in states.py name that commit's modules, whatever they are called by now.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import httpx

from app.embedding.e5 import E5Encoder
from app.embedding.e5_folder import packaged_folder
from app.main import create_app
from app.migrate import migrate
from app.services import open_services
from app.settings import Settings
from app.up.pgbinaries import packaged_binaries
from app.up.postgres import EmbeddedPostgres
from ingest import worker
from tests.ingest.tune import tiny
from tests.scripted import Script
from tests.stack import ADMIN_KEY
from tests.upgrade.sending import BASE, MODEL, REPLIES, Clients, Said, ended
from tests.upgrade.states import finished, held_documents, held_tasks, queued

ROLES = "\n".join(
    f"do $$ begin create role {role} nologin; exception when duplicate_object then null; end $$;"
    for role in ("kyujang_service", "kyujang_operator")
)


async def fill(settings: Settings, script: Script) -> dict:
    async with open_services(settings) as services:
        app = create_app(settings, services)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://kyujang", timeout=120) as anonymous,
        ):
            clients = Clients(anonymous)
            asking, gone = {"scopes": ["query"]}, {"expires_at": "2026-01-01T00:00:00Z"}
            one = await clients.tenant("library", query=asking, revoked=asking, expired={**asking, **gone})
            other = await clients.tenant("archive", query=asking)
            chunks: dict[str, int] = {}
            jobs = await finished(services, one, other, chunks)
            jobs |= await held_documents(services, one, other)
            jobs |= await held_tasks(services, script, one)
            jobs |= await queued(one, other)
            order = {
                name: (await client.get("/jobs?limit=200")).json()["data"]
                for name, client in {"library": one, "archive": other}.items()
            }
            return {
                "keys": clients.keys,
                "jobs": {name: job["id"] for name, job in jobs.items()},
                "finished": {
                    job["id"]: await ended(one if name != "other's" else other, job["id"])
                    for name, job in jobs.items()
                    if job["finished_at"]
                },
                "order": {name: [job["id"] for job in rows] for name, rows in order.items()},
                "chunks": chunks,
            }


def dump(settings: Settings, postgres: EmbeddedPostgres, base: Path, out: Path, expected: dict) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "expected.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    command = [packaged_binaries() / "bin" / "pg_dump", "--no-owner", postgres.owner_url]
    text = subprocess.run(command, check=True, capture_output=True).stdout
    # Without a time in it, the same dump is the same file.
    (out / "database.sql.gz").write_bytes(gzip.compress(ROLES.encode() + b"\n" + text, mtime=0))

    def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        if entry.name.endswith("README.md"):
            return None
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        return entry

    for plan in settings.trainings.glob("*/plan.json"):
        plan.write_text(plan.read_text().replace(str(base), BASE))
    for log in settings.trainings.glob("*/log"):
        log.write_text("")
    with tarfile.open(out / "home.tar.gz", "w:gz") as packed:
        for folder in (settings.blobs, settings.adapters, settings.trainings):
            packed.add(folder, folder.name, filter=anonymous)


async def make(folder: Path, out: Path) -> None:
    # Of this machine nothing is told.
    worker.socket.gethostname = lambda: "worker"
    base = tiny.make(folder / "tiny-model")
    home = folder / "home"
    packaged_folder(home / "models")
    script = await Script(replies=REPLIES, said=Said()).start()
    with EmbeddedPostgres(folder / "postgres", extra_settings={"fsync": "off"}) as postgres:
        settings = Settings(
            database_url=postgres.owner_url, home=home, admin_key=ADMIN_KEY, llm_url=script.url, base_model=base,
            model=MODEL, lease_s=2, chunk_tokens=48, tune_threads=1,
        )  # fmt: skip
        await asyncio.to_thread(migrate, settings, dimension=lambda: E5Encoder.dimension)
        expected = await fill(settings, script)
        await asyncio.to_thread(dump, settings, postgres, base, out, expected)
    await script.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="kyujang-") as folder:
        Path(folder).chmod(0o711)
        asyncio.run(make(Path(folder), Path(sys.argv[1])))
