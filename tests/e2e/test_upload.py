"""Large uploads to the API as a process of its own: they pass through the disk, not through memory."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from app.up.child import Child, ChildSpec
from tests.stack import ROOT, free_port

UPLOAD_MB = 200
MORE_MEMORY_MB = 48
LINE = "한 줄의 글, a line of text. ".encode() * 4


class Lines:
    """A file of so many bytes that nobody has to hold."""

    def __init__(self, size: int) -> None:
        self._left = size

    def read(self, wanted: int = -1) -> bytes:
        size = self._left if wanted < 0 else min(wanted, self._left)
        self._left -= size
        return (LINE * (size // len(LINE) + 1))[:size]


@pytest.fixture(scope="module")
def api(settings) -> Iterator[tuple[str, psutil.Process]]:
    port = free_port()
    env = {
        **os.environ,
        "KYUJANG_SERVICE_DATABASE_URL": settings.service_url,
        "KYUJANG_HOME": str(settings.home),
        "KYUJANG_PORT": str(port),
        "KYUJANG_ENGINE": "none",
        "KYUJANG_AUTH": "off",
        "KYUJANG_MAX_UPLOAD_MB": str(UPLOAD_MB + 1),
    }
    log = settings.home / "api.log"
    child = Child(ChildSpec("api", [sys.executable, "-m", "app", "serve"], env, log, cwd=ROOT))
    child.start()
    url = f"http://127.0.0.1:{port}"
    while not ready(url):
        assert child.alive, child.last_lines(30)
        time.sleep(0.1)
    assert child.pid is not None
    yield url, psutil.Process(child.pid)
    child.stop()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


class Peak(threading.Thread):
    """The most memory that a process held while this ran, in MB."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__()
        self._process, self._over, self.mb = process, threading.Event(), 0.0

    def __enter__(self) -> Peak:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        while not self._over.wait(0.02):
            self.mb = max(self.mb, self._process.memory_info().rss / 2**20)


def upload(url: str, size: int, **headers: str) -> httpx.Response:
    return httpx.post(f"{url}/ingest", files={"file": ("큰 파일.txt", Lines(size))}, headers=headers, timeout=300)


def test_memory_stays_flat_while_200_mb_pass(api, settings):
    url, process = api
    upload(url, 1 << 20)
    before = process.memory_info().rss / 2**20
    with Peak(process) as peak:
        answer = upload(url, UPLOAD_MB << 20)
    assert answer.status_code == 202, answer.text
    assert peak.mb < before + MORE_MEMORY_MB
    job = answer.json()
    stored = [path.stat().st_size for path in settings.blobs.rglob("*") if path.is_file()]
    assert UPLOAD_MB << 20 in stored
    httpx.delete(f"{url}/jobs/{job['id']}")


def test_a_larger_one_is_413_and_leaves_nothing(api, settings):
    url, _ = api
    before = list(settings.blobs.rglob("*"))
    answer = upload(url, (UPLOAD_MB + 2) << 20)
    assert answer.status_code == 413
    assert f"{UPLOAD_MB + 1} MB" in answer.json()["detail"]
    assert "KYUJANG_MAX_UPLOAD_MB" in answer.json()["detail"]
    assert list(settings.blobs.rglob("*")) == before


def test_a_caller_that_hangs_up_leaves_nothing(api, settings):
    url, process = api
    before, spooled = list(settings.blobs.rglob("*")), nameless_files(process)

    def half() -> Iterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n' + LINE * 10_000
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        httpx.post(f"{url}/ingest", content=half(), headers={"Content-Type": "multipart/form-data; boundary=b"})
    assert ready(url)
    assert list(settings.blobs.rglob("*")) == before
    deadline = time.monotonic() + 20
    while nameless_files(process) != spooled and time.monotonic() < deadline:
        time.sleep(0.1)
    assert nameless_files(process) == spooled


def nameless_files(process: psutil.Process) -> list[str]:
    """What a large upload passes through has no name, and is there for as long as somebody holds it open."""
    held = (os.readlink(each) for each in Path(f"/proc/{process.pid}/fd").iterdir() if each.is_symlink())
    return sorted(name for name in held if name.endswith("(deleted)"))
