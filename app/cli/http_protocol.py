"""HTTP as uvicorn speaks it, with a problem for what is not HTTP."""

from __future__ import annotations

import json
import secrets
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import BadRequest


class ProblemProtocol(HttpToolsProtocol):
    def send_400_response(self, msg: str) -> None:
        self.refuse(BadRequest.status, BadRequest.code, "This is not a valid HTTP request.")

    def refuse(self, status: int, code: str, detail: str) -> None:
        """Answer, and close: what follows on the connection cannot be told apart. No application has seen it."""
        request_id, title = f"req_{secrets.token_hex(12)}", HTTPStatus(status).phrase
        body = {
            "type": f"urn:kyujang:problem:{code}",
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": request_id,
        }
        content = json.dumps(body).encode()
        head = (
            f"HTTP/1.1 {status} {title}\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(content)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()
