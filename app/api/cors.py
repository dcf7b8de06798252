"""Cross-origin requests of the web pages that KYUJANG_CORS_ORIGINS names."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

EXPOSED = ("X-Request-Id", "Location", "Retry-After", "Idempotency-Replayed")


class Cors(CORSMiddleware):
    """Lets the pages of these origins ask. Others get the answers of a service that knows no CORS."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        super().__init__(
            app, origins, allow_methods="*", allow_headers="*", expose_headers=EXPOSED, allow_private_network=True
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The library would answer their preflight requests itself, and not with a problem.
        if scope["type"] == "http" and not self.is_allowed_origin(Headers(scope=scope).get("origin", "")):
            await self.app(scope, receive, send)
            return
        await super().__call__(scope, receive, send)
