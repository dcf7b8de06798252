"""The engine's door: an ASGI middleware for vLLM's OpenAI server, `--middleware engine_guard.Guard`.

`engine_guard.PoolerGuard` is that of a vLLM which embeds or reranks.

vLLM's own --api-key leaves several routes open (POST /adapters loads an adapter, /invocations generates), so
only the routes Kyujang uses exist behind this one, and all of them but /health want the key in
KYUJANG_ENGINE_KEY. One file, standard library only: it is also mounted into the official container.
"""

from __future__ import annotations

import hmac
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

ALLOWED = frozenset(
    {
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/tokenizer_info"),
        ("GET", "/v1/models"),
        ("POST", "/tokenize"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/v1/load_lora_adapter"),
        ("POST", "/v1/unload_lora_adapter"),
    }
)

POOLER_ALLOWED = frozenset(
    {
        ("GET", "/health"),
        ("GET", "/metrics"),
        ("GET", "/v1/models"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/rerank"),
    }
)


TOO_SHORT = "KYUJANG_ENGINE_KEY must be set to a secret of at least 16 characters"
SERVER = "vllm.entrypoints.openai.api_server"


class Guard:
    allowed = ALLOWED

    def __init__(self, app: App) -> None:
        key = _key()
        if key is None:
            raise RuntimeError(TOO_SHORT)
        self._app = app
        self._expected = f"Bearer {key}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif (scope["method"], scope["path"]) not in self.allowed:
            await _refuse(send, 404, b'{"error": "not found"}')
        elif scope["path"] != "/health" and not self._has_key(scope):
            await _refuse(send, 401, b'{"error": "a key is needed"}')
        else:
            await self._app(scope, receive, send)

    def _has_key(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(sent) == 1 and hmac.compare_digest(sent[0], self._expected)


class PoolerGuard(Guard):
    allowed = POOLER_ALLOWED


def main(arguments: list[str]) -> None:
    """Become vLLM's server, if there is a key: it would make the guard only after minutes of loading its model."""
    if _key() is None:
        sys.exit(TOO_SHORT)
    os.execv(sys.executable, [sys.executable, "-m", SERVER, *arguments])  # noqa: S606


def _key() -> str | None:
    key = os.environ.get("KYUJANG_ENGINE_KEY", "")
    return key if len(key) >= 16 else None


async def _refuse(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main(sys.argv[1:])
