"""Everything as `make up` starts it, and the way to its engine past the service."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.generation.transport import UNIX
from bench.processes import tree
from bench.service import ROOT, free_port

READY_WITHIN_S = 900
STOP_WITHIN_S = 60
ENGINE_KEY = b"KYUJANG_ENGINE_KEY="


@contextmanager
def started(home: Path, environment: Mapping[str, str], **settings: object) -> Iterator[tuple[str, int]]:
    """Address and process of `python -m app up` with its data in `home`, which keeps it for the next time."""
    home.mkdir(parents=True, exist_ok=True)
    own = {"home": home.absolute(), "port": free_port(), **settings}
    environment = {**environment, **{f"KYUJANG_{name.upper()}": str(value) for name, value in own.items()}}
    with (home / "up.log").open("w") as log:
        command = [sys.executable, "-m", "app", "up"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{own['port']}"
            _wait(url, process, home / "up.log")
            yield url, process.pid
        finally:
            process.terminate()
            process.wait(STOP_WITHIN_S)


@contextmanager
def started_with_engine(home: Path, **settings: object) -> Iterator[tuple[str, str, str]]:
    """(address of the service, of the engine, the engine's key), with these settings and those of the environment."""
    with started(home, os.environ, **settings) as (url, pid):
        yield url, f"{UNIX}{home.absolute()}/run/engine.sock", _engine_key(pid)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            answer = httpx.get(f"{url}/readyz", timeout=15, trust_env=False)
            # Without a key there are details, since make up on loopback asks for none.
            if answer.status_code == 200 and answer.json().get("dependencies", {}).get("engine") != "starting":
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"The service does not start:\n{log.read_text()[-2000:]}")


def _engine_key(pid: int) -> str:
    for each in tree(pid):
        for entry in Path(f"/proc/{each}/environ").read_bytes().split(b"\0"):
            if entry.startswith(ENGINE_KEY):
                return entry.removeprefix(ENGINE_KEY).decode()
    raise SystemExit("No engine has been started: set KYUJANG_ENGINE=vllm.")
