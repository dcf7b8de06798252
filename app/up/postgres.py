"""Embedded PostgreSQL: the packaged binaries, run as our own child, reachable through a Unix socket only."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGINT
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql

from app.errors import NotConfigured
from app.up.accounts import database_account
from app.up.child import Child, ChildSpec
from app.up.owner import DATABASE, OWNER, owner_password, owner_url
from app.up.pgbinaries import packaged_binaries, runnable_binaries
from app.up.preflight import make_home

SOCKET_PATH_LIMIT = 100
FIRST_ANSWER_S = 60
STALE_LOCK_TRIES = 10

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    "jit": "off",
    "huge_pages": "off",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
# Nothing of the caller's: PG* variables or the caller's locale would change what the server does.
ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


class EmbeddedPostgres:
    """`folder` holds the cluster, the owner's password and the log; it may be used again and again."""

    def __init__(
        self,
        folder: Path,
        *,
        extra_settings: Mapping[str, str] | None = None,
        log: Path | None = None,
        binaries: Path | None = None,
    ) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._log = log or folder / "postgres.log"
        self._settings = {**SETTINGS, **(extra_settings or {})}
        self._packaged = binaries
        self._account = database_account()
        self._password = ""
        self._sockets: Path | None = None
        self.child: Child | None = None

    @property
    def owner_url(self) -> str:
        """Return the URL of the superuser who owns the schema: for migrations, never for the service."""
        if self._sockets is None:
            raise NotConfigured("The embedded PostgreSQL has not been started.")
        return owner_url(self._password, self._sockets)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, pause: Callable[[float], None] = time.sleep, tick: Callable[[str], None] = lambda _: None) -> None:
        self._prepare()
        for attempt in range(STALE_LOCK_TRIES):
            if attempt:
                pause(0.5)
            if self._start_once(pause, tick):
                self._create_database()
                return
        raise NotConfigured(f"PostgreSQL does not start ({self._log}):\n{self._child.last_lines()}")

    def stop(self) -> None:
        if self.child:
            self.child.stop()
        if self._sockets and self._sockets.parent != self.folder:
            shutil.rmtree(self._sockets, ignore_errors=True)
        self._sockets = None

    @property
    def _child(self) -> Child:
        assert self.child is not None
        return self.child

    def _prepare(self) -> None:
        make_home(self.folder)
        if self._account and not self._account.can_enter(self.folder):
            raise NotConfigured(
                f"{self.folder} is closed to the account '{self._account.name}', which runs PostgreSQL. "
                "Set KYUJANG_HOME to a folder others may enter, /var/lib/kyujang for example."
            )
        binaries = runnable_binaries(self._packaged or packaged_binaries(), self.folder, self._account)
        self._password = owner_password(self.folder)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries)
        self._sockets = self._socket_folder()
        self.child = Child(self._spec(binaries / "bin" / "postgres", self._sockets))

    def _initialise(self, binaries: Path) -> None:
        unfinished = self._own_folder(self.folder / "data.unfinished", empty=True)
        with tempfile.NamedTemporaryFile("w", dir=self.folder) as password:
            password.write(self._password)
            password.flush()
            if self._account:
                self._account.owns(Path(password.name))
            command = [binaries / "bin" / "initdb", "-D", unfinished, "-U", OWNER, f"--pwfile={password.name}"]
            command += ["--auth-local=scram-sha-256", "--auth-host=reject", "--encoding=UTF8"]
            command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            command += ["--no-sync"] if self._settings.get("fsync") == "off" else []
            done = subprocess.run(
                [str(part) for part in command],
                env=ENVIRONMENT,
                cwd="/",
                capture_output=True,
                text=True,
                check=False,
                **(self._account.popen_options() if self._account else {}),
            )
        if done.returncode != 0:
            raise NotConfigured(f"initdb failed in {unfinished}:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
        unfinished.rename(self.data)

    def _socket_folder(self) -> Path:
        folder = self.folder / "run"
        if len(str(folder)) <= SOCKET_PATH_LIMIT - len("/.s.PGSQL.5432"):
            return self._own_folder(folder)
        return self._own_folder(Path(tempfile.mkdtemp(prefix="kyujang-", dir="/tmp")))

    def _own_folder(self, folder: Path, *, empty: bool = False) -> Path:
        if empty and folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(mode=0o700, exist_ok=True)
        if self._account:
            self._account.owns(folder)
        return folder

    def _spec(self, program: Path, sockets: Path) -> ChildSpec:
        settings = {**self._settings, "unix_socket_directories": str(sockets), "unix_socket_permissions": "0700"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ChildSpec(
            name="postgres",
            argv=[str(program), "-D", str(self.data), *options],
            env=ENVIRONMENT,
            log=self._log,
            stop_signal=SIGINT,
            grace_s=60,
            account=self._account,
            before_start=self._drop_stale_lock,
        )

    def _drop_stale_lock(self) -> None:
        """Remove a lock whose pid is another program's, as after a reboot: PostgreSQL would believe it."""
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            state = Path(f"/proc/{pid}/stat").read_text()
            name, _, rest = state.partition("(")[2].rpartition(")")
            if name != "postgres" or rest.split()[0] == "Z":
                lock.unlink()

    def _start_once(self, pause: Callable[[float], None], tick: Callable[[str], None]) -> bool:
        """Return False if a server that is still shutting down prevented the start, which is worth another try."""
        self._child.start()
        deadline = time.monotonic() + FIRST_ANSWER_S
        while self._child.alive:
            refusal = self.refusal()
            if refusal is None:
                return True
            if "the database system is" in refusal:
                tick("recovering after a crash")
            elif time.monotonic() > deadline:
                self.stop()
                raise NotConfigured(f"PostgreSQL does not answer: {refusal}")
            pause(0.05)
        recent = self._child.last_lines(5)
        if "already exists" in recent or "still in use" in recent:
            return False
        raise NotConfigured(f"PostgreSQL does not start ({self._log}):\n{self._child.last_lines()}")

    def refusal(self) -> str | None:
        """Return None if a connection succeeds, else why not."""
        try:
            self._connect().close()
        except psycopg.OperationalError as error:
            return str(error)
        return None

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self.owner_url, dbname="postgres", autocommit=True, connect_timeout=5)

    def _create_database(self) -> None:
        with self._connect() as connection:
            known = connection.execute("select from pg_database where datname = %s", [DATABASE]).fetchone()
            if known is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(DATABASE)))
