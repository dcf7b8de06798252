"""Serve the API below a path prefix, whether the proxy in front takes the prefix off or passes it on."""

from __future__ import annotations

from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.raw_path import raw_path


class Prefix:
    """Takes the prefix off paths and puts it before those of Location headers; the application knows none of it."""

    def __init__(self, app: ASGIApp, *, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_prefix(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [(name, self._located(name, value)) for name, value in message["headers"]]
            await send(message)

        await self._app(self._without_prefix(scope), receive, send_with_prefix)

    def _without_prefix(self, scope: Scope) -> Scope:
        depth = self._prefix.count("/") + 1
        parts = raw_path(scope).split("/", depth)
        if unquote("/".join(parts[:depth])) != self._prefix:
            return scope
        rest = "/" + "".join(parts[depth:])
        return {
            **scope,
            "path": scope["path"].removeprefix(self._prefix) or "/",
            "raw_path": rest.encode(errors="surrogateescape"),
        }

    def _located(self, name: bytes, value: bytes) -> bytes:
        ours = name.lower() == b"location" and value.startswith(b"/")
        return self._prefix.encode() + value if ours else value
