"""The client of vLLM's OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import math
import secrets
import time
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from app.errors import EngineUnavailable, InvalidInput, NotInEngine
from app.generation.adapter_cache import Adapter, LoadedAdapters
from app.generation.messages import Message, Sampling
from app.generation.stream import Generation, Streamed
from app.generation.token_counts import TokenCounts
from app.generation.transport import UNIX, EngineHttp, Timeouts, well_formed
from app.metrics import Metrics
from app.settings import Settings
from app.tenancy import TenantNumber

__all__ = ["UNIX", "Engine", "Generation", "Sampling", "Served", "Timeouts", "address", "open_engines"]


@dataclass(frozen=True, slots=True)
class Served:
    """The model that the engine serves, and how many tokens prompt and answer may have together."""

    model: str
    context_tokens: int


CHAT = "/v1/chat/completions"
ATTEMPTS = 4


class Engine:
    """One replica."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        model: str | None,
        timeouts: Timeouts,
        most_adapters: int = 1,
        metrics: Metrics | None = None,
    ) -> None:
        self._model = model
        # Without a key it differs from process to process: they share no prefixes then, and nobody can guess it.
        self._salt = (key or secrets.token_hex(16)).encode()
        self._http = EngineHttp(url, key=key, timeouts=timeouts)
        self._served: Served | None = None
        self._counts = TokenCounts(self._count_text)
        self.address = address(url)
        self.adapters = LoadedAdapters(self._http, self.address, most_adapters, metrics or Metrics())
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
        body = {"model": served.model, "prompt": "1", "max_tokens": 1, "logprobs": 1}
        try:
            answer = await self._call("POST", "/v1/completions", body)
        except InvalidInput as error:
            raise EngineUnavailable(error.detail) from error
        with well_formed():
            # One whose numbers have become NaN still answers 200, with an empty text.
            found = [choice.get("logprobs") or {} for choice in answer.get("choices", [])]
            if any(each is None or not math.isfinite(each) for one in found for each in one.get("token_logprobs", [])):
                raise EngineUnavailable("The engine returned NaN probabilities.")
        return served

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """By the engine's own tokenizer, without special tokens."""
        model = (await self.served()).model
        return list(await asyncio.gather(*(self._counts.of(model, text) for text in texts)))

    async def count_message_tokens(self, messages: Sequence[Message]) -> int:
        """The whole prompt as the chat template makes it."""
        model = (await self.served()).model
        return await self._count({"model": model, "messages": list(messages), "add_generation_prompt": True})

    async def generate(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        tenant: TenantNumber,
        schema: dict[str, Any] | None = None,
        adapter: Adapter | None = None,
    ) -> AsyncGenerator[str | Generation]:
        """The text as it comes, and at the end the whole. Closed before that, it ends the engine's request.

        With a JSON schema the text is JSON that fits it. Raises EngineUnavailable, or InvalidInput for what the
        engine refuses.
        """
        served = await self.served()
        answer = Streamed(started=time.perf_counter())
        body = self._body(adapter.name if adapter else served.model, messages, sampling, tenant, schema)
        pointer = "/response_format" if schema is not None else ""
        with self._forgetting():
            async with aclosing(self._events(body, pointer, adapter)) as events:
                async for event in events:
                    self.heard_at = time.monotonic()
                    if text := answer.take(event):
                        yield text
            generation = answer.whole()
        yield generation

    async def _events(self, body: dict[str, Any], pointer: str, adapter: Adapter | None) -> AsyncGenerator[Any]:
        """With the adapter loaded; again if the engine has forgotten it, as it does when it restarts.

        Or another process has unloaded it to make room: then it may take more than one attempt.
        """
        for left in reversed(range(ATTEMPTS)):
            try:
                async with (
                    self.adapters.held(adapter) if adapter else nullcontext(),
                    aclosing(self._http.events(CHAT, body, pointer)) as events,
                ):
                    async for event in events:
                        yield event
                return
            except NotInEngine:
                if adapter is None or not left:
                    raise
                self.adapters.forget(adapter.name)

    async def next_tokens(
        self, messages: Sequence[Message], tokens: int, adapter: Adapter | None = None
    ) -> list[dict[str, float]]:
        """For each of the `tokens` likeliest next ones, the log-probabilities of the 20 likeliest in its place."""
        body = {
            "model": adapter.name if adapter else (await self.served()).model,
            "messages": list(messages),
            "max_tokens": tokens,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": 20,
            "stream": True,
        }
        places: list[dict[str, float]] = []
        with self._forgetting():
            async with aclosing(self._events(body, "", adapter)) as events:
                async for event in events:
                    with well_formed():
                        places += [_likely(place) for choice in event["choices"] for place in _places(choice)]
        return places

    async def listed_adapters(self) -> list[str]:
        """As the engine itself lists them. Raises EngineUnavailable."""
        listed = await self._call("GET", "/v1/models")
        with well_formed():
            return [str(each["id"]) for each in listed["data"] if each.get("parent")]

    def _body(
        self,
        model: str,
        messages: Sequence[Message],
        sampling: Sampling,
        tenant: TenantNumber,
        schema: dict[str, Any] | None,
    ) -> dict[str, Any]:
        body = {
            **sampling,
            "model": model,
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
            own = [each for each in listed["data"] if not each.get("parent")]
            models = {str(each["id"]): int(each.get("max_model_len") or 4096) for each in own}
        model = self._model or next(iter(models), None)
        if model not in models:
            raise EngineUnavailable(f"The engine does not serve {model!r}; it serves {', '.join(models) or 'nothing'}.")
        return Served(model, models[model])

    async def _count_text(self, model: str, text: str) -> int:
        return await self._count({"model": model, "prompt": text, "add_special_tokens": False})

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
            self._counts.forget()
            raise


def _places(choice: dict[str, Any]) -> list[dict[str, Any]]:
    return (choice.get("logprobs") or {}).get("content") or []


def _likely(place: dict[str, Any]) -> dict[str, float]:
    return {str(each["token"]): float(each["logprob"]) for each in place["top_logprobs"]}


def address(url: str) -> str:
    """Where an engine is, for people to read: without a user, a password or a folder."""
    return url.rpartition("/")[2] if url.startswith(UNIX) else urlsplit(url).netloc.rpartition("@")[2]


def open_engines(settings: Settings, metrics: Metrics) -> list[Engine]:
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
    return [
        Engine(
            url,
            key=key,
            model=settings.model,
            timeouts=timeouts,
            most_adapters=settings.max_cpu_loras,
            metrics=metrics,
        )
        for url in settings.llm_urls
    ]
