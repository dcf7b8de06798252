"""HTTP as uvicorn speaks it, with a problem for what is not HTTP, and for one connection too many."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.flow_control import service_unavailable
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import BadRequest, Overloaded

FULL = "This service has as many connections as it takes (KYUJANG_MAX_CONNECTIONS). Try again shortly."


class ProblemProtocol(HttpToolsProtocol):
    def send_400_response(self, msg: str) -> None:
        self.refuse(BadRequest.status, BadRequest.code, "This is not a valid HTTP request.")

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Answer, and close: what follows on the connection cannot be told apart. No application has seen it."""
        headers, content = _problem(status, code, detail)
        lines = "".join(f"{name.decode()}: {value.decode()}\r\n" for name, value in headers)
        self.transport.write(f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n{lines}\r\n".encode() + content)
        self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        super()._start_asgi_task(cycle, _full if app is service_unavailable else app)


async def _full(scope: Any, receive: Any, send: Any) -> None:
    error = Overloaded(FULL)
    headers, content = _problem(error.status, error.code, error.detail)
    headers += [(name.lower().encode(), value.encode()) for name, value in error.headers.items()]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _problem(status: int, code: str, detail: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the headers and the body."""
    request_id = f"req_{secrets.token_hex(12)}"
    body = {
        "type": f"urn:kyujang:problem:{code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
    }
    content = json.dumps(body).encode()
    headers = {
        "content-type": "application/problem+json",
        "content-length": str(len(content)),
        "x-request-id": request_id,
        "connection": "close",
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()], content
