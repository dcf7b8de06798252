"""Bound what a connection may send before a request begins: uvicorn limits neither headers nor the wait for them."""

from __future__ import annotations

import asyncio
from typing import Any

from app.cli.http_protocol import ProblemProtocol

MAX_HEAD_BYTES = 64 << 10
MAX_HEADERS = 100
HEAD_TIMEOUT_S = 60
TOO_LARGE = (431, "headers_too_large", "A request has at most 100 headers and, with its first line, 64 KB.")
TOO_SLOW = (408, "too_slow", "The request did not come in time.")


class BoundedConnection(ProblemProtocol):
    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._await_head()
            self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.refuse(*TOO_LARGE)

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._stop_timer()
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            # The parser turns it into its own error, and the connection ends.
            raise ValueError("the head is too large")
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        if len(self.headers or ()) > MAX_HEADERS or sum(len(value) for _, value in self.headers or ()) > MAX_HEAD_BYTES:
            self.refuse(*TOO_LARGE)
        else:
            super().send_400_response(msg)

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.refuse, *TOO_SLOW)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
