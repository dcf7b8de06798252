"""What the API's memory does while a large file passes through it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any

from bench.ingest.home import Home
from bench.processes import forget_peak, peak_mb, resident_mb
from bench.retrieval.progress import say
from bench.service import served

BOUNDARY = "a-large-file"
BLOCK_BYTES = 1 << 20


def upload(home: Home, *, megabytes: int, **settings: object) -> dict[str, Any]:
    """Three times, since the first one loads what an upload needs. No worker looks at the files."""
    home.ready()
    with served(home.folder, home.owner_url, max_upload_mb=megabytes, **settings) as (port, pid):
        _send(port, home.key, 1)
        passes = []
        for _ in range(3):
            forget_peak(pid)
            before, started = resident_mb(pid), time.perf_counter()
            _send(port, home.key, megabytes)
            rate = megabytes / (time.perf_counter() - started)
            figures = {"before_mb": before, "peak_mb": peak_mb(pid), "after_mb": resident_mb(pid), "mb_a_second": rate}
            passes.append({name: round(figure, 1) for name, figure in figures.items()})
            say(f"{megabytes} MB: {passes[-1]}")
    return {"megabytes": megabytes, "passes": passes}


def _send(port: int, key: str, megabytes: int) -> None:
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="large.bin"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    size = megabytes * 1_000_000
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(head) + size + len(tail)),
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    connection.request("POST", "/ingest", _body(head, size, tail), headers)
    job = _answer(connection)
    connection.request("DELETE", f"/jobs/{job['id']}", headers={"Authorization": f"Bearer {key}"})
    _answer(connection)
    connection.close()


def _body(head: bytes, size: int, tail: bytes) -> Iterator[bytes]:
    block = os.urandom(BLOCK_BYTES)
    yield head
    for first in range(0, size, BLOCK_BYTES):
        yield block[: size - first]
    yield tail


def _answer(connection: HTTPConnection) -> dict[str, Any]:
    answer = connection.getresponse()
    body: dict[str, Any] = json.loads(answer.read())
    if answer.status not in (200, 202):
        raise SystemExit(f"The API answers {answer.status}: {body}")
    return body
