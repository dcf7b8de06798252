"""Wrap every request: give it an id, a log line and metrics, refuse foreign pages, limit its body.

Plain ASGI, so that it streams.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import time
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import logs, tracing
from app.api.limit_headers import headers as limit_headers
from app.api.other_origins import CrossOrigin, Misdirected
from app.api.problems import failure, problem
from app.errors import KyujangError
from app.metrics import Metrics
from app.settings import Settings
from app.storage.tenancy import WHOLE, part
from app.tracing import Span

log = logging.getLogger("kyujang.request")

SANE_ID = re.compile(rb"[A-Za-z0-9._\-]{1,100}")
MAX_QUESTION_BYTES = 1 << 20
MAX_TENANT_BYTES = 64 << 10
# A body has this long, and longer for what has come of it.
BODY_S = 60
SLOWEST_BYTES_A_SECOND = 50_000
EVALUATE = re.compile(r"/adapters/[^/]+/evaluate")
PORT = re.compile(r":\d*$")
QUIET = frozenset({"/healthz", "/readyz", "/metrics"})


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def _span(scope: Scope) -> AbstractContextManager[Span]:
    if not tracing.is_on() or scope["path"] in QUIET:
        return tracing.OFF
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return tracing.served(scope["method"], {name: named[name] for name in tracing.INCOMING if name in named})


def _tell(span: Span, fields: Mapping[str, Any]) -> None:
    """The route and not the path, which may hold a document's name."""
    span.update_name(f"{fields['method']} {fields['route']}")
    span.set_attribute("http.request.method", fields["method"])
    span.set_attribute("http.route", fields["route"])
    span.set_attribute("http.response.status_code", fields["status"])
    span.set_attribute("kyujang.tenant", fields["tenant_id"])
    span.set_attribute("kyujang.request_id", logs.request_id.get())
    if fields["status"] >= 500:
        tracing.fail(span)


class RequestContext:
    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with _span(scope) as span:
            await self._answer(scope, receive, send, span)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, span: Span) -> None:
        given = dict(scope["headers"]).get(b"x-request-id", b"")
        request_id = given.decode() if SANE_ID.fullmatch(given) else f"req_{secrets.token_hex(12)}"
        scope.setdefault("state", {})["request_id"] = request_id
        logs.request_id.set(request_id)
        logs.tenant_id.set("")
        part.set(WHOLE)
        started, status = time.perf_counter(), 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = {"x-request-id": request_id} | limit_headers(scope["state"])
                message["headers"] = [*message["headers"], *_encoded(added)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            log.exception("unexpected error")
            if status:
                raise
            response = problem(Request(scope), 500, KyujangError.code, KyujangError().detail)
            await response(scope, receive, send_with_id)
        finally:
            self._record(scope, status, time.perf_counter() - started, span)

    def _record(self, scope: Scope, status: int, seconds: float, span: Span) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(scope["method"], route, status).inc()
        self._metrics.request_seconds.labels(route).observe(seconds, tracing.exemplar())
        if route not in QUIET:
            fields: dict[str, Any] = {"method": scope["method"], "route": route, "status": status}
            caller = scope.get("state", {}).get("caller")
            fields["tenant_id"] = caller.slug if caller else ""
            log.info("request", extra={**fields, "ms": round(seconds * 1000, 1)})
            if tracing.is_on():
                _tell(span, fields)


class OwnPagesOnly:
    """Keeps the web pages of others out of a service without keys, DNS rebinding included."""

    def __init__(self, app: ASGIApp, *, host: str, origins: Collection[str]) -> None:
        self._app = app
        self._origins = origins
        self._hosts = {"localhost", "127.0.0.1", "[::1]", f"[{host}]" if ":" in host else host.lower()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := self._refusal(Headers(scope=scope))):
            await failure(Request(scope), refusal)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> KyujangError | None:
        host = headers.get("host", "").lower()
        if PORT.sub("", host) not in self._hosts:
            return Misdirected()
        origin = headers.get("origin", f"http://{host}").lower()
        if origin in self._origins:
            return None
        if headers.get("sec-fetch-site", "none") not in ("same-origin", "none") or origin.partition("://")[2] != host:
            return CrossOrigin()
        return None


class BodyLimit:
    """Counts what really arrives: a length header may be missing or wrong."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, named = self._limit(scope)
        seen, whole = 0, False
        loop = asyncio.get_running_loop()
        started = loop.time()

        async def receive_counted() -> Message:
            nonlocal seen, whole
            try:
                # What comes after the body is waited for as long as the answer takes.
                async with asyncio.timeout_at(None if whole else started + BODY_S + seen / SLOWEST_BYTES_A_SECOND):
                    message = await receive()
            except TimeoutError:
                raise HTTPException(408, "The body did not come in time.", {"Connection": "close"}) from None
            whole = not message.get("more_body", False)
            seen += len(message.get("body", b""))
            if seen > limit:
                # HTTPException, because FastAPI turns any other error while it reads a body into a 400.
                raise HTTPException(413, f"The body is larger than {named}.")
            return message

        await self._app(scope, receive_counted, send)

    def _limit(self, scope: Scope) -> tuple[int, str]:
        """Return the limit in bytes, and its name for the caller."""
        path = scope["path"]
        if path == "/ingest" and dict(scope["headers"]).get(b"content-type", b"").startswith(b"multipart/form-data"):
            return self._set("max_upload_mb")
        if path == "/adapters":
            return self._set("max_adapter_mb")
        if path in ("/ingest", "/tune", "/v1/embeddings", "/evaluations") or EVALUATE.fullmatch(path):
            return self._set("max_json_mb")
        if path == "/tenants" or path.startswith("/tenants/"):
            return MAX_TENANT_BYTES, f"{MAX_TENANT_BYTES >> 10} KB, the limit of this route"
        return MAX_QUESTION_BYTES, f"{MAX_QUESTION_BYTES >> 20} MB, the limit of this route"

    def _set(self, setting: str) -> tuple[int, str]:
        limit: int = getattr(self._settings, setting)
        return limit << 20, f"{limit} MB, the limit of this service (KYUJANG_{setting.upper()})"
