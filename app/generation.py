"""The client of vLLM's OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from app.engine_http import BROKE_OFF, UNIX, EngineHttp, Timeouts, well_formed
from app.errors import EngineUnavailable, InvalidInput
from app.prompts import Message, Sampling
from app.settings import Settings

__all__ = ["UNIX", "Engine", "Generation", "Sampling", "Served", "Timeouts", "address", "open_engines"]

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Served:
    """The model that the engine serves, and how many tokens prompt and answer may have together."""

    model: str
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Generation:
    text: str
    """Without the reasoning, which the engine's reasoning parser sends apart."""
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    first_token_s: float
    reasoning: str = ""


class Engine:
    """One replica."""

    def __init__(self, url: str, *, key: str | None, model: str | None, timeouts: Timeouts) -> None:
        self._model = model
        # Without a key it differs from process to process: they share no prefixes then, and nobody can guess it.
        self._salt = (key or secrets.token_hex(16)).encode()
        self._http = EngineHttp(url, key=key, timeouts=timeouts)
        self._served: Served | None = None
        self.address = address(url)
        self.heard_at = 0.0
        """When it last sent a part of an answer, by time.monotonic()."""

    async def close(self) -> None:
        await self._http.close()

    async def served(self) -> Served:
        """Asked once, and again after a fault. Raises EngineUnavailable."""
        if self._served is None:
            self._served = await self._ask_served()
        return self._served

    async def ready(self) -> Served:
        """A completion of one token: /health alone stays green on a broken engine. Raises EngineUnavailable."""
        served = self._served = await self._ask_served()
        try:
            await self._call("POST", "/v1/completions", {"model": served.model, "prompt": "1", "max_tokens": 1})
        except InvalidInput as error:
            raise EngineUnavailable(error.detail) from error
        return served

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """By the engine's own tokenizer, without special tokens."""
        model = (await self.served()).model
        bodies = [{"model": model, "prompt": text, "add_special_tokens": False} for text in texts]
        return list(await asyncio.gather(*(self._count(body) for body in bodies)))

    async def count_message_tokens(self, messages: Sequence[Message]) -> int:
        """The whole prompt as the chat template makes it."""
        model = (await self.served()).model
        return await self._count({"model": model, "messages": list(messages), "add_generation_prompt": True})

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling, *, tenant: int, schema: dict[str, Any] | None = None
    ) -> AsyncGenerator[str | Generation]:
        """The text as it comes, and at the end the whole. Closed before that, it ends the engine's request.

        With a JSON schema the text is JSON that fits it. Raises EngineUnavailable, or InvalidInput for what the
        engine refuses.
        """
        served = await self.served()
        answer = _Answer(started=time.perf_counter())
        body = self._body(served, messages, sampling, tenant, schema)
        pointer = "/response_format" if schema is not None else ""
        with self._forgetting():
            async with aclosing(self._http.events("/v1/chat/completions", body, pointer)) as events:
                async for event in events:
                    self.heard_at = time.monotonic()
                    if text := answer.take(event):
                        yield text
            generation = answer.whole()
        yield generation

    def _body(
        self,
        served: Served,
        messages: Sequence[Message],
        sampling: Sampling,
        tenant: int,
        schema: dict[str, Any] | None,
    ) -> dict[str, Any]:
        body = {
            **sampling,
            "model": served.model,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            # Without it a tenant could tell from the latency what another tenant has asked.
            "cache_salt": hmac.new(self._salt, str(tenant).encode(), hashlib.sha256).hexdigest(),
        }
        if schema is not None:
            answer = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": answer}
        return body

    async def _ask_served(self) -> Served:
        listed = await self._call("GET", "/v1/models")
        with well_formed():
            models = {str(each["id"]): int(each.get("max_model_len") or 4096) for each in listed["data"]}
        model = self._model or next(iter(models), None)
        if model not in models:
            raise EngineUnavailable(f"The engine does not serve {model!r}; it serves {', '.join(models) or 'nothing'}.")
        return Served(model, models[model])

    async def _count(self, body: dict[str, Any]) -> int:
        answer = await self._call("POST", "/tokenize", body)
        with well_formed():
            return int(answer["count"])

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with self._forgetting():
            return await self._http.call(method, path, body)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """After a fault another model may be there."""
        try:
            yield
        except EngineUnavailable:
            self._served = None
            raise


@dataclass(slots=True)
class _Answer:
    """What has come of it."""

    started: float
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    first_token_s: float = 0.0
    finish_reason: str | None = None
    usage: dict[str, int] = field(default_factory=dict)

    def take(self, event: Any) -> str:
        """The text that is new. Raises EngineUnavailable if the event is none of a completion."""
        new = ""
        with well_formed():
            self.usage = event.get("usage") or self.usage
            for choice in event["choices"]:
                self.finish_reason = choice.get("finish_reason") or self.finish_reason
                delta = choice["delta"]
                text, thought = delta.get("content"), delta.get("reasoning") or delta.get("reasoning_content")
                if text or thought:
                    self.first_token_s = self.first_token_s or time.perf_counter() - self.started
                self.thoughts.append(thought or "")
                self.texts.append(text or "")
                new += self.texts[-1]
        return new

    def whole(self) -> Generation:
        """Raises EngineUnavailable if it is not."""
        if self.finish_reason in (None, "abort", "error"):
            raise EngineUnavailable(BROKE_OFF)
        with well_formed():
            return Generation(
                text="".join(self.texts).strip(),
                finish_reason="length" if self.finish_reason == "length" else "stop",
                prompt_tokens=int(self.usage.get("prompt_tokens", 0)),
                completion_tokens=int(self.usage.get("completion_tokens", 0)),
                first_token_s=self.first_token_s,
                reasoning="".join(self.thoughts).strip(),
            )


def address(url: str) -> str:
    """Where an engine is, for people to read: without a user, a password or a folder."""
    return url.rpartition("/")[2] if url.startswith(UNIX) else urlsplit(url).netloc.rpartition("@")[2]


def open_engines(settings: Settings) -> list[Engine]:
    """None at all when the answers are extractive only: KYUJANG_ENGINE=none."""
    if settings.engine == "none":
        return []
    key = settings.llm_key.get_secret_value() if settings.llm_key else None
    timeouts = Timeouts(
        connect_s=settings.llm_connect_timeout_s,
        first_token_s=settings.llm_first_token_timeout_s,
        token_s=settings.llm_token_timeout_s,
        answer_s=settings.llm_timeout_s,
    )
    return [Engine(url, key=key, model=settings.model, timeouts=timeouts) for url in settings.llm_urls]
