"""An engine that says what a test tells it to, over real HTTP: for replies that the packaged model never gives."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.generation.engine import Engine
from app.metering import CallMeter
from tests.app.fake_engine import FakeEngine, engine_of, fake_engines


@dataclass(eq=False)
class Script(FakeEngine):
    """`replies` in their order, the last one again and again; a number is a status. Token counts are words."""

    replies: Sequence[str | int] = ()
    model: str = "scripted-7b"
    piece: int = 0
    """The characters that come at a time; 0 for two pieces."""

    @property
    def asked(self) -> list[dict[str, Any]]:
        return [json.loads(chat) for chat in self.chats]

    def _reply(self) -> tuple[int, Sequence[str]]:
        reply = self.replies[min(len(self.chats), len(self.replies)) - 1]
        return (reply, ["{}"]) if isinstance(reply, int) else (200, [_stream(reply, self.piece)])

    def _count(self, body: dict[str, Any]) -> int:
        texts = [body["prompt"]] if "prompt" in body else [each["content"] for each in body["messages"]]
        return sum(len(text.split()) for text in texts)


def _stream(reply: str, piece: int) -> str:
    parts = [reply[at : at + piece] for at in range(0, len(reply), piece)] if piece else [reply[:7], reply[7:]]
    deltas = [{"delta": {"content": part}, "finish_reason": None} for part in parts if part]
    events = [{"choices": [delta]} for delta in deltas]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    events.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}})
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"


@asynccontextmanager
async def scripted(script: Script, meter: CallMeter | None = None) -> AsyncIterator[Engine]:
    async with fake_engines(script):
        engine = engine_of(script.replica(meter=meter))
        yield engine
        await engine.close()
