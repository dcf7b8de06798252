"""An S3 server for tests, and a proxy before it that breaks requests as it is told."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Lock, Thread
from typing import Literal

import httpx
import pytest
from moto.server import ThreadedMotoServer

from app.settings.object_storage import StorageUrl, storage_url

Fault = Literal["503", "slow", "cut upload", "cut answer", "lost answer", "403"]
Rule = Callable[[str, str], Fault | None]
PART = 64 << 10
REFUSAL = b"<Error><Code>InvalidAccessKeyId</Code><AWSAccessKeyId>%s</AWSAccessKeyId></Error>"


@dataclass
class Broken:
    """What the proxy does: `rule` sees method and path of each request."""

    target: tuple[str, int]
    rule: Rule = lambda method, path: None
    seen: list[tuple[str, str, Fault | None]] = field(default_factory=list)
    ended: Event = field(default_factory=Event)
    lock: Lock = field(default_factory=Lock)

    def judge(self, method: str, path: str) -> Fault | None:
        with self.lock:
            fault = self.rule(method, path)
            self.seen.append((method, path, fault))
        return fault


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    broken: Broken

    def log_message(self, *_: object) -> None:
        pass

    def handle_one(self) -> None:
        self.close_connection = True
        fault = self.broken.judge(self.command, self.path)
        if fault in ("503", "403"):
            self.rfile.read(int(self.headers.get("content-length", 0)))
            body = REFUSAL % b"AKIDSECRET" if fault == "403" else b"<Error><Code>SlowDown</Code></Error>"
            self.send_response(int(fault))
            self.send_header("content-length", str(len(body)))
            self.send_header("connection", "close")
            self.end_headers()
            self.wfile.write(body)
            return
        if fault == "slow":
            self.broken.ended.wait(0.1)
        server = HTTPConnection(*self.broken.target, timeout=60)
        try:
            if self.pass_request(server, cut=fault == "cut upload") and fault != "lost answer":
                self.pass_answer(server.getresponse(), cut=fault == "cut answer")
            elif fault == "lost answer":
                server.getresponse().read()
        finally:
            server.close()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

    def pass_request(self, server: HTTPConnection, *, cut: bool) -> bool:
        server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            server.putheader(name, value)
        server.endheaders()
        left = int(self.headers.get("content-length", 0))
        stop = left // 2 if cut else 0
        while left > stop:
            part = self.rfile.read(min(PART, left - stop))
            server.send(part)
            left -= len(part)
        return not cut

    def pass_answer(self, answer: HTTPResponse, *, cut: bool) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in ("connection", "date", "server"):
                self.send_header(name, value)
        self.send_header("connection", "close")
        self.end_headers()
        stop = int(answer.headers.get("content-length", 0)) // 2 if cut else None
        sent = 0
        while (part := answer.read(PART if stop is None else min(PART, stop - sent))) and self.command != "HEAD":
            self.wfile.write(part)
            sent += len(part)


@contextmanager
def breaking_proxy(target: tuple[str, int]) -> Iterator[tuple[str, Broken]]:
    """Yield the proxy's address, and what tells it what to break."""
    broken = Broken(target)
    proxy = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"broken": broken}))
    proxy.daemon_threads = True
    Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}", broken
    finally:
        broken.ended.set()
        proxy.shutdown()
        proxy.server_close()


@contextmanager
def s3_server() -> Iterator[tuple[str, int]]:
    """Yield the address of an empty S3 in this process."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        yield server.get_host_and_port()
    finally:
        server.stop()


def new_bucket(address: tuple[str, int], patch: pytest.MonkeyPatch) -> StorageUrl:
    """Make a bucket of this server, which the environment leads to then."""
    url, name = f"http://{address[0]}:{address[1]}", f"b-{secrets.token_hex(4)}"
    for variable, value in {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}.items():
        patch.setenv(variable, value)
    patch.setenv("AWS_REGION", "us-east-1")
    httpx.put(f"{url}/{name}").raise_for_status()
    return storage_url(f"s3://{name}/here")
