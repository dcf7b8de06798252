"""HTTP as uvicorn speaks it, with a problem for what is not HTTP."""

from __future__ import annotations

import json
import secrets

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import BadRequest


class ProblemProtocol(HttpToolsProtocol):
    def send_400_response(self, msg: str) -> None:
        """Answer, and close: what follows on the connection cannot be told apart. No application has seen it."""
        request_id = f"req_{secrets.token_hex(12)}"
        body = {
            "type": f"urn:kyujang:problem:{BadRequest.code}",
            "title": "Bad Request",
            "status": BadRequest.status,
            "detail": "This is not a valid HTTP request.",
            "code": BadRequest.code,
            "request_id": request_id,
        }
        content = json.dumps(body).encode()
        head = (
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\n"
            f"content-length: {len(content)}\r\nx-request-id: {request_id}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + content)
        self.transport.close()
