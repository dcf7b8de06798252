"""Everything as `make up` starts it, with the engine, and the way to the engine past the service."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from app.generation import UNIX
from bench.processes import tree
from bench.service import ROOT

READY_WITHIN_S = 900
ENGINE_KEY = b"KYUJANG_ENGINE_KEY="


@contextmanager
def started(home: Path) -> Iterator[tuple[str, str, str]]:
    """(address of the service, of the engine, the engine's key)."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    home = home.absolute()
    environment = {**os.environ, "KYUJANG_HOME": str(home), "KYUJANG_PORT": str(port)}
    process = subprocess.Popen([sys.executable, "-m", "app", "up"], cwd=ROOT, env=environment, stdout=sys.stderr)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url, f"{UNIX}{home}/run/engine.sock", _engine_key(process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urlopen(f"{url}/readyz", timeout=10):  # noqa: S310
                return
        except (URLError, OSError):
            time.sleep(0.5)
    process.terminate()
    raise SystemExit("The service does not start.")


def _engine_key(pid: int) -> str:
    for each in tree(pid):
        for entry in Path(f"/proc/{each}/environ").read_bytes().split(b"\0"):
            if entry.startswith(ENGINE_KEY):
                return entry.removeprefix(ENGINE_KEY).decode()
    raise SystemExit("No engine has been started: set KYUJANG_ENGINE=vllm.")
