"""A Milvus server of its own for tests: the standalone one of the wheel `milvus`, in an environment of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.conftest import ROOT

STARTS_WITHIN_S = 90


def free_port() -> int:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def milvus_server(folder: Path) -> Iterator[str]:
    """Yield its address. Installs it first, from requirements/milvus-server.txt. A machine holds one at a time."""
    python = folder / "venv" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        listed = ROOT / "requirements" / "milvus-server.txt"
        subprocess.run([python, "-m", "pip", "install", "-q", "--require-hashes", "-r", listed], check=True)
    port = free_port()
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            [python.with_name("milvus-server"), "--data", folder / "data", "--proxy-port", str(port)],
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            _wait(server, port, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            # Its data go, too.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _wait(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            assert server.poll() is None, log.read_text()[-2000:]
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.5)
