"""The API and workers as processes of their own, started as `make up` starts them, without an engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from app.retrieval.search import Mode

ROOT = Path(__file__).resolve().parents[1]
READY_WITHIN_S = 120


class Client:
    """One connection that is kept."""

    def __init__(self, port: int, key: str) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=300)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def search(self, text: str, mode: Mode, top_k: int, **more: object) -> dict[str, Any]:
        body = json.dumps({"input": text, "mode": mode, "top_k": top_k, **more})
        self._connection.request("POST", "/search", body, self._headers)
        answer = self._connection.getresponse()
        found: dict[str, Any] = json.loads(answer.read())
        if answer.status != 200:
            raise SystemExit(f"POST /search answers {answer.status}: {found}")
        return found


def plain_environment() -> dict[str, str]:
    """Without settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KYUJANG_")}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(home: Path, owner_url: str, **settings: object) -> Iterator[tuple[int, int]]:
    """Port and process of an API that is ready."""
    port = free_port()
    environment = _environment(home, owner_url, {"port": port, **settings})
    with _running("app", "serve", environment) as process:
        _wait(port, process)
        yield port, process.pid


@contextmanager
def working(home: Path, owner_url: str, count: int, **settings: object) -> Iterator[list[int]]:
    """Processes of workers that have been started."""
    environment = _environment(home, owner_url, settings)
    with ExitStack() as stack:
        yield [stack.enter_context(_running("ingest", "worker", environment)).pid for _ in range(count)]


def _environment(home: Path, owner_url: str, settings: dict[str, object]) -> dict[str, str]:
    own = {"home": home, "engine": "none", "log_level": "warning", **settings}
    return (
        plain_environment() | {"DATABASE_URL": owner_url} | {f"KYUJANG_{name.upper()}": str(own[name]) for name in own}
    )


@contextmanager
def _running(module: str, command: str, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    arguments = [sys.executable, "-m", module, command]
    with subprocess.Popen(arguments, cwd=ROOT, env=environment, start_new_session=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.2)
    raise SystemExit("The API does not start.")
