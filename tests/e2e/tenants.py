"""A second API process beside the stack's own, which wants keys: several tenants on the one engine."""

from __future__ import annotations

import io
import secrets
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.test_up import answers, find, wait_for
from tests.stack import ADMIN_KEY, ROOT, Stack, free_port

READY_WITHIN_S = 120


@contextmanager
def with_keys(stack: Stack) -> Iterator[str]:
    """Its address."""
    own = find(stack.process, "app serve")
    assert own is not None
    port = free_port()
    environment = {**own.environ(), "KYUJANG_PORT": str(port), "KYUJANG_AUTH": "on"}
    with (stack.home / "logs" / "second-api.log").open("w") as log:
        command = [sys.executable, "-m", "app", "serve"]
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_for(lambda: answers(url), seconds=READY_WITHIN_S)
            yield url
        finally:
            process.terminate()
            process.wait(60)


def new_tenant(url: str) -> httpx.Client:
    """With a key of every scope."""
    operator = {"Authorization": f"Bearer {ADMIN_KEY}"}
    name = f"t-{secrets.token_hex(4)}"
    httpx.post(f"{url}/tenants", json={"id": name, "name": name}, headers=operator).raise_for_status()
    body = {"scopes": ["query", "read", "ingest", "adapters"]}
    made = httpx.post(f"{url}/tenants/{name}/keys", json=body, headers=operator)
    return httpx.Client(base_url=url, timeout=240, headers={"Authorization": f"Bearer {made.json()['key']}"})


def packed(folder: Path) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        archive.add(folder, arcname=folder.name)
    return content.getvalue()


def upload(client: httpx.Client, name: str, folder: Path) -> dict[str, Any]:
    """The adapter when its checks have ended."""
    sent = client.post("/adapters", data={"name": name}, files={"file": ("adapter.tar.gz", packed(folder))})
    assert sent.status_code == 202, sent.text
    adapter: dict[str, Any] = sent.json()
    deadline = time.monotonic() + READY_WITHIN_S
    while adapter["status"] in ("checking", "loading", "proving"):
        assert time.monotonic() < deadline, adapter
        time.sleep(0.2)
        adapter = client.get(f"/adapters/{name}", params={"version": adapter["version"]}).json()
    return adapter
