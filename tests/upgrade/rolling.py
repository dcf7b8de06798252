"""Two API processes behind HAProxy, a worker and a slow engine, and the next version, which adds to the schema."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

from app.settings import Settings
from app.storage.revisions import pending
from app.up.child import Child, ChildSpec
from tests.app.fake_engine import CHUNK, END, USAGE, FakeEngine
from tests.stack import ADMIN_KEY, ROOT, free_port

PIECES, PIECE_S = 40, 0.2
PACKAGES = ("app", "ingest", "migrations")
ADDED = ("tenants", "api_keys", "documents", "jobs", "job_items")
REVISION = '''"""Add a column to a table that every request reads."""

from alembic import op

revision = "{number}"
down_revision = "{last}"
oldest_software = "0.2.0"
locks = {{"{table}": "AccessExclusiveLock"}}


def upgrade() -> None:
    op.execute("alter table {table} add column of_the_next_version text default 'x'")
'''


class SlowEngine(FakeEngine):
    """Eight seconds for an answer, longer than a process that stops takes new requests."""

    def _reply(self):
        events = [asyncio.Event() for _ in range(PIECES)]
        for number, event in enumerate(events):
            asyncio.get_running_loop().call_later(PIECE_S * number, event.set)
        return 200, [each for event in events for each in (event, CHUNK)] + [END, USAGE]


def next_version(folder: Path) -> Path:
    """A copy of the code with a few revisions more."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "alembic.ini"):
        if (ROOT / file).exists():
            shutil.copy(ROOT / file, folder / file)
    last = pending(None)[-1].number
    # A revision for each: two locks in one transaction can deadlock with a request.
    for number, table in enumerate(ADDED, 9000):
        text = REVISION.format(number=number, last=last, table=table)
        (folder / "migrations" / "versions" / f"{number}_next.py").write_text(text)
        last = str(number)
    return folder


class Rolling:
    """The processes, by their names, and how long each took to end."""

    def __init__(self, settings: Settings, engine_url: str, drain_s: float) -> None:
        self.children: dict[str, Child] = {}
        self.ports = {"api": free_port(), "api-2": free_port()}
        self.stopped_in: dict[str, float] = {}
        self._settings = settings
        self._env = {
            **os.environ,
            "PYTHONPATH": "",
            "KYUJANG_SERVICE_DATABASE_URL": settings.service_url,
            "KYUJANG_HOME": str(settings.home),
            "KYUJANG_ADMIN_KEY": ADMIN_KEY,
            "KYUJANG_LLM_URL": engine_url,
            "KYUJANG_LLM_KEY": "k",
            "KYUJANG_DRAIN_S": str(drain_s),
            "KYUJANG_LOG_LEVEL": "warning",
        }

    async def start(self, name: str, tree: Path = ROOT) -> None:
        """Raises AssertionError if it does not get ready."""
        module, command = ("app", "serve") if name in self.ports else ("ingest", "worker")
        env = self._env | {"KYUJANG_PORT": str(self.ports.get(name, 1))}
        argv = [sys.executable, "-m", module, command]
        log = Path(self._settings.home, "logs", f"{name}.log")
        child = Child(ChildSpec(name, argv, env, log, cwd=tree, grace_s=60))
        child.start()
        self.children[name] = child
        async with httpx.AsyncClient() as client:
            deadline = time.monotonic() + 120
            while name in self.ports and not await _ready(client, self.ports[name]):
                assert child.alive, child.last_lines(40)
                assert time.monotonic() < deadline, child.last_lines(40)
                await asyncio.sleep(0.2)

    async def replace(self, name: str, tree: Path) -> None:
        """As `docker compose up -d NAME` does: ended, and started with the next version."""
        child, began = self.children[name], time.monotonic()
        assert child.alive, child.last_lines(40)
        child.signal(signal.SIGTERM)
        while child.alive:
            assert time.monotonic() < began + 60, child.last_lines(40)
            await asyncio.sleep(0.05)
        self.stopped_in[name] = time.monotonic() - began
        await self.start(name, tree)

    async def migrate(self, tree: Path) -> None:
        env = self._env | {"DATABASE_URL": self._settings.owner_url}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app", "migrate", cwd=tree, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        said, _ = await process.communicate()
        assert process.returncode == 0, said.decode()

    def stop(self) -> None:
        for child in self.children.values():
            child.signal(signal.SIGTERM)
        for child in self.children.values():
            child.stop()


async def _ready(client: httpx.AsyncClient, port: int) -> bool:
    try:
        return (await client.get(f"http://127.0.0.1:{port}/readyz", timeout=15)).status_code == 200
    except httpx.TransportError:
        return False


@contextmanager
def proxied(folder: Path, ports: dict[str, int]):
    """The address of a HAProxy with the configuration of deploy/, whose addresses alone are of this machine."""
    port = free_port()
    config = (ROOT / "deploy" / "haproxy.cfg").read_text().replace("bind :8000", f"bind 127.0.0.1:{port}")
    for name, behind in ports.items():
        config, found = re.subn(rf" {name}:8000", f" 127.0.0.1:{behind}", config)
        assert found == 2
    (folder / "haproxy.cfg").write_text(config)
    with ExitStack() as held:
        log = held.enter_context((folder / "haproxy.log").open("wb"))
        command = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
        process = held.enter_context(subprocess.Popen(command, stdout=log, stderr=log))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
