"""The service that is asked: started as `make up` starts it, or one that runs already; with the corpora taken in."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.client import call
from app.evaluation.corpus import ingest_corpus
from app.evaluation.questions import CorpusDocument
from bench.service import ROOT

READY_WITHIN_S = 600
STOP_WITHIN_S = 60


@contextmanager
def started(home: Path, engine: str, documents: Sequence[CorpusDocument]) -> Iterator[httpx.Client]:
    """`python -m app up` with its data in `home`, which keeps it for the next time."""
    home.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    plain = {name: value for name, value in os.environ.items() if not name.startswith("KYUJANG_")}
    own = {"KYUJANG_HOME": str(home), "KYUJANG_PORT": str(port), "KYUJANG_ENGINE": engine}
    with (home / "up.log").open("w") as log:
        command = [sys.executable, "-m", "app", "up"]
        process = subprocess.Popen(command, cwd=ROOT, env=plain | own, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url, process, home / "up.log")
            with running(url, None, documents) as client:
                yield client
        finally:
            process.terminate()
            process.wait(STOP_WITHIN_S)


@contextmanager
def running(url: str, key: str | None, documents: Sequence[CorpusDocument]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=url, headers=headers, timeout=600) as client:
        failures = ingest_corpus(client, documents, call(client, "GET", "/limits"))
        if failures:
            raise SystemExit(f"{len(failures)} documents were not taken in, such as {': '.join(failures[0])}")
        yield client


def has_engine(client: httpx.Client) -> bool:
    return not call(client, "GET", "/readyz")["dependencies"]["engine"].startswith("none")


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=15, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"The service does not start:\n{log.read_text()[-2000:]}")
