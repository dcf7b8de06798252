"""`python -m app up` itself: embedded PostgreSQL, vLLM with the packaged model, worker, API, as a newcomer has them."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
KEY = "KYUJANG_ENGINE_KEY"
ADMIN_KEY = "operator-key-of-the-tests"

START_LIMIT_S = 700


@dataclass
class Stack:
    url: str
    home: Path
    process: subprocess.Popen[str]
    log: Path

    def environment(self) -> dict[str, str]:
        return {**os.environ, "KYUJANG_URL": self.url, "KYUJANG_ADMIN_KEY": ADMIN_KEY, "PYTHONPATH": str(ROOT)}

    def engine(self) -> httpx.Client:
        """vLLM itself, through the door that only the service knows."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        key = next(each[KEY] for each in map(psutil.Process.environ, children) if KEY in each)
        transport = httpx.HTTPTransport(uds=str(self.home / "run" / "engine.sock"))
        return httpx.Client(transport=transport, base_url="http://engine", headers={"Authorization": f"Bearer {key}"})


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_stack(home: Path, **environment: str) -> Stack:
    """Ready to answer, or the test fails with what `up` printed."""
    port = free_port()
    log = home.with_suffix(".log")
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", "up"],
            cwd=ROOT,
            env={
                **os.environ,
                "KYUJANG_HOME": str(home),
                "KYUJANG_PORT": str(port),
                "KYUJANG_ADMIN_KEY": ADMIN_KEY,
                **environment,
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    stack = Stack(f"http://127.0.0.1:{port}", home, process, log)
    deadline = time.monotonic() + START_LIMIT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()
        try:
            answer = httpx.get(f"{stack.url}/readyz", headers={"Authorization": f"Bearer {ADMIN_KEY}"}, timeout=15)
            if answer.status_code == 200 and answer.json()["dependencies"]["engine"] != "starting":
                return stack
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    stop_stack(stack)
    raise AssertionError(f"not ready in {START_LIMIT_S} s:\n{log.read_text()}")


def stop_stack(stack: Stack) -> None:
    if stack.process.poll() is None:
        stack.process.send_signal(signal.SIGTERM)
        stack.process.wait(60)
