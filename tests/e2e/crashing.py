"""A service whose processes are killed at random."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import httpx
import psycopg
from pydantic import SecretStr

from app.embedding.e5 import E5Encoder
from app.settings import Settings
from app.storage.migrate import migrate
from app.up.child import Child, ChildSpec
from app.up.postgres import EmbeddedPostgres
from tests.stack import ROOT, free_port

WORKERS = 2
LEASE_S = 3
START_LIMIT_S = 120


class Service:
    """PostgreSQL, the API and two workers, as processes of their own. Use from the main thread."""

    def __init__(self, folder: Path, models: Path, storage: str | None = None) -> None:
        folder.mkdir(mode=0o711)
        home = folder / "home"
        home.mkdir()
        (home / "models").symlink_to(models)
        self.postgres = EmbeddedPostgres(
            folder / "postgres", extra_settings={"fsync": "off", "full_page_writes": "off"}
        )
        self.postgres.start()
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.settings = Settings(
            database_url=SecretStr(self.postgres.owner_url), home=home, port=port, engine="none", auth="off",
            lease_s=LEASE_S, chunk_tokens=48, chunk_overlap=0, storage=storage,
        )  # fmt: skip
        migrate(self.settings, dimension=lambda: E5Encoder.dimension)
        self.children = {"api": self._child("api", "app", "serve")}
        self.children |= {f"worker-{n}": self._child(f"worker-{n}", "tests.e2e.merging_worker") for n in range(WORKERS)}
        for child in self.children.values():
            child.start()
        self.wait_ready()

    def _child(self, name: str, module: str, *command: str) -> Child:
        settings = self.settings
        env = {
            **os.environ,
            "KYUJANG_SERVICE_DATABASE_URL": settings.service_url,
            "KYUJANG_HOME": str(settings.home),
            "KYUJANG_PORT": str(settings.port),
            "KYUJANG_ENGINE": "none",
            "KYUJANG_AUTH": "off",
            "KYUJANG_LEASE_S": str(LEASE_S),
            "KYUJANG_CHUNK_TOKENS": str(settings.chunk_tokens),
            "KYUJANG_CHUNK_OVERLAP": "0",
            "KYUJANG_STORAGE": settings.storage or "",
        }
        log = settings.home / "logs" / f"{name}.log"
        return Child(ChildSpec(name, [sys.executable, "-m", module, *command], env, log, cwd=ROOT))

    def wait_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while time.monotonic() < deadline:
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.1)
        raise AssertionError(self.logs())

    def logs(self) -> str:
        return "\n".join(f"{name}:\n{child.last_lines(30)}" for name, child in self.children.items())

    def kill(self, what: str) -> None:
        """And start it again, without waiting until it is ready."""
        if what == "postgres":
            assert self.postgres.child is not None
            assert self.postgres.child.pid is not None
            os.kill(self.postgres.child.pid, signal.SIGKILL)
            self.postgres.start()
        elif what == "backend":
            self._kill_a_backend()
        else:
            child = self.children[what]
            child.signal(signal.SIGKILL)
            while child.alive:
                time.sleep(0.01)
            child.start()

    def _kill_a_backend(self) -> None:
        """PostgreSQL then ends all the others and recovers."""
        try:
            with psycopg.connect(self.postgres.owner_url, connect_timeout=5) as connection:
                rows = connection.execute(
                    "select pid from pg_stat_activity where usename = 'kyujang_app' order by random() limit 1"
                ).fetchall()
        except psycopg.OperationalError:
            return
        for (pid,) in rows:
            os.kill(pid, signal.SIGKILL)

    def revive(self) -> None:
        """What has ended by itself, because the database was away while it started."""
        for child in self.children.values():
            if not child.alive:
                child.start()

    def stop(self) -> None:
        for child in self.children.values():
            child.stop()
        self.postgres.stop()
