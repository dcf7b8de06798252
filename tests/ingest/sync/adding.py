"""Shared by the tests of adding folders."""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import asynccontextmanager

from ingest.worker import run
from tests.conftest import ROOT

FILES = {
    "returns.md": "# Returns\n\nAn item may be returned within 30 days.",
    "규정/연차 휴가.txt": "연차 휴가는 15일이다.",
    "규정/출장 (국내).txt": "국내 출장은 하루 전에 알린다.",
}


def write(root, files):
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


async def stored(client):
    page = (await client.get("/documents?limit=200")).json()
    return {each["id"]: each for each in page["data"]}


@asynccontextmanager
async def worker(services):
    stop = asyncio.Event()
    task = asyncio.create_task(run(services, stop))
    yield
    stop.set()
    await task


async def interrupted(client, *words):
    """Ctrl-C once all jobs are there, and not before they are counted: (exit status, printed, complaints)."""
    options = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE, "cwd": ROOT}
    # A shell that runs the tests in its background has told them to ignore it.
    options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ingest", "add", *words, **options)
    while sum(job["counts"]["total"] for job in (await client.get("/jobs")).json()["data"]) < len(FILES):
        assert process.returncode is None
        await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    process.send_signal(signal.SIGINT)
    printed, complaints = (output.decode() for output in await process.communicate())
    assert "Traceback" not in complaints
    return process.returncode, printed, complaints


class Faults:
    """What the service answers to the next uploads instead of taking them."""

    def __init__(self, app) -> None:
        self.app, self.next, self.posts = app, [], 0

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http" and scope["method"] == "POST":
            self.posts += 1
            if self.next:
                return await self.next.pop(0)(scope, receive, send)
        await self.app(scope, receive, send)


def busy(status):
    async def answer(scope, receive, send):
        headers = [(b"retry-after", b"1")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return answer
