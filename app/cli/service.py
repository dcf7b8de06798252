"""python -m app up and serve: start the service."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from app import logs, tracing
from app.cli.commands import add_command
from app.cli.stopping_server import longest_answer_s, stopping_server
from app.errors import KyujangError
from app.main import create_app
from app.settings import Settings
from app.up import run

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
ASGIApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


def add_commands(commands: Any) -> None:
    add_command(commands, "up", "start everything on this machine: database, workers, API, engine", _up)
    add_command(commands, "serve", "start the API alone", _serve)


def _up(settings: Settings, _: argparse.Namespace) -> int:
    return run.up(settings)


def _serve(settings: Settings, _: argparse.Namespace) -> int:
    import uvicorn

    logs.configure(settings.log_level)
    made = create_app(settings)
    app = _saying_why(made)
    configs = [
        uvicorn.Config(
            app,
            host=settings.host,
            port=port,
            log_config=None,
            access_log=False,
            server_header=False,
            http="app.cli.bounded_connection:BoundedConnection",
            timeout_keep_alive=settings.keep_alive_s,
            limit_concurrency=settings.max_connections,
            timeout_graceful_shutdown=longest_answer_s(settings.llm_timeout_s),
        )
        for port in (settings.port, settings.metrics_port)
        if port is not None
    ]
    with tracing.sending("kyujang-api", to=settings.otlp_endpoint):
        server = stopping_server(configs[0], made.state.stopping, settings.drain_s)
        server.run(sockets=[each.bind_socket() for each in configs])
    return 0


def _saying_why(app: ASGIApp) -> ASGIApp:
    """Have a start that is refused say the reason alone, where Starlette sends a traceback."""

    async def wrapped(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        async def send_reason(message: Message) -> None:
            refusal = sys.exception()
            if message["type"] == "lifespan.startup.failed" and isinstance(refusal, KyujangError):
                message = {**message, "message": refusal.detail}
            await send(message)

        await app(scope, receive, send_reason if scope["type"] == "lifespan" else send)

    return wrapped
