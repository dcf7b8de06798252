"""An engine that says what a test tells it to, over real HTTP: for replies that the packaged model never gives."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from app.generation import Engine
from app.replicas import Replicas
from tests.app.fake_engine import PATIENT, replicas_of


@dataclass
class Script:
    """`replies` in their order, the last one again and again; a number is a status. Token counts are words."""

    replies: Sequence[str | int]
    model: str = "scripted-7b"
    context_tokens: int = 4096
    asked: list[dict[str, Any]] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        size = next((int(line.split(":")[1]) for line in head.split("\r\n") if "content-length" in line), 0)
        body = json.loads(await reader.readexactly(size) or b"null")
        status, content = self._answer(head.split()[1], body)
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n".encode())
        writer.write(content)
        await writer.drain()
        writer.close()

    def _answer(self, path: str, body: Any) -> tuple[int, bytes]:
        if path == "/v1/models":
            return 200, json.dumps({"data": [{"id": self.model, "max_model_len": self.context_tokens}]}).encode()
        if path == "/tokenize":
            texts = [body["prompt"]] if "prompt" in body else [each["content"] for each in body["messages"]]
            return 200, json.dumps({"count": sum(len(text.split()) for text in texts)}).encode()
        if path == "/v1/completions":
            return 200, b"{}"
        reply = self.replies[min(len(self.asked), len(self.replies) - 1)]
        self.asked.append(body)
        return (reply, b"{}") if isinstance(reply, int) else (200, _stream(reply).encode())


def _stream(reply: str) -> str:
    deltas = [{"delta": {"content": part}, "finish_reason": None} for part in (reply[:7], reply[7:]) if part]
    events = [{"choices": [delta]} for delta in deltas]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    events.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


@asynccontextmanager
async def scripted(script: Script) -> AsyncIterator[Replicas]:
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    engine = replicas_of(Engine(f"http://127.0.0.1:{port}", key="k", model=None, timeouts=PATIENT))
    yield engine
    await engine.close()
    server.close()
