"""HEAD as RFC 9110 (9.3.2) has it: what GET would answer, without the body. Health checks of load balancers send it."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Plain ASGI. A route that only takes other methods answers 405, as to GET."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def send_head(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def receive_until_answered() -> Message:
            # A stream of events would go on for as long as its caller listens.
            return {"type": "http.disconnect"} if ended else await receive()

        inner = {**scope, "method": "GET"}
        try:
            await self._app(inner, receive_until_answered, send_head)
        finally:
            scope.update({key: inner[key] for key in ("route", "path_params") if key in inner})
