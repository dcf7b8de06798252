"""The client of one replica: vLLM's OpenAI-compatible server."""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from app import tracing
from app.errors import EngineUnavailable, InvalidInput, NotInEngine
from app.generation.adapter_cache import Adapter, AdapterCache
from app.generation.chat import ChatRequest
from app.generation.completion import CompletionBuilder, Generation
from app.generation.engine_load import EngineLoad, load_of
from app.generation.event_stream import EventStream
from app.generation.faults import well_formed
from app.generation.messages import Message
from app.generation.spans import chat_span, tell_outcome
from app.generation.special_tokens import special_tokens
from app.generation.timeouts import Timeouts
from app.generation.transport import UNIX, EngineHttp
from app.metering import CallMeter, EngineCall, TokenUsage, Unmetered
from app.metrics import Metrics
from app.settings import PACKAGED_MODEL
from app.tracing import NO_SPAN, Span

log = logging.getLogger("kyujang.engine")

CHAT = "/v1/chat/completions"
MAX_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class Served:
    """The model that the engine serves, and how many tokens prompt and answer may have together."""

    model: str
    context_tokens: int
    special_tokens: frozenset[str] = field(default=frozenset(), compare=False)
    """What text must not spell in a prompt; empty where the engine does not tell."""

    @property
    def is_packaged(self) -> bool:
        """Whether it is the packaged toy, which invents most of what it says."""
        return self.model == PACKAGED_MODEL


class EngineReplica:
    def __init__(
        self,
        url: str,
        *,
        key: str | None,
        model: str | None,
        timeouts: Timeouts,
        max_adapters: int = 1,
        metrics: Metrics | None = None,
        meter: CallMeter | None = None,
    ) -> None:
        self._model = model
        self._meter = meter or Unmetered()
        # Without a key it differs from process to process: they share no prefixes then, and it cannot be guessed.
        self._salt = (key or secrets.token_hex(16)).encode()
        self._http = EngineHttp(url, key=key, timeouts=timeouts)
        self._served: Served | None = None
        self._special_tokens: frozenset[str] | None = None
        self.patience_s = timeouts.first_token_s
        self.address = address(url)
        self.adapters = AdapterCache(self._http, self.address, max_adapters, metrics or Metrics())
        self.last_event_at = 0.0
        """When it last sent a part of an answer, by time.monotonic()."""

    async def close(self) -> None:
        await self._http.close()

    async def served(self) -> Served:
        """Ask once, and again after a fault. Raises EngineUnavailable."""
        if self._served is None:
            self._served = await self._ask_served()
        return self._served

    async def probe(self) -> Served:
        """Complete one token: /health alone stays green on a broken engine. Raises EngineUnavailable."""
        served = self._served = await self._ask_served()
        body = {"model": served.model, "prompt": "1", "max_tokens": 1, "logprobs": 1}
        used = TokenUsage()
        async with self._metered(EngineCall(None, served.context_tokens, 1), used):
            try:
                answer = await self._call("POST", "/v1/completions", body)
            except InvalidInput as error:
                raise EngineUnavailable(error.detail) from error
            with well_formed():
                used.see(answer)
        with well_formed():
            # One whose numbers have become NaN still answers 200, with an empty text.
            found = [choice.get("logprobs") or {} for choice in answer.get("choices", [])]
            if any(each is None or not math.isfinite(each) for one in found for each in one.get("token_logprobs", [])):
                raise EngineUnavailable("The engine returned NaN probabilities.")
        return served

    async def load(self) -> EngineLoad:
        """Ask what it is at. Raises EngineUnavailable, or NotInEngine where it does not tell."""
        return load_of(await self._http.text("/metrics"))

    async def tokenize(self, body: dict[str, Any]) -> int:
        """Return the number of tokens of `prompt` or `messages`, by the engine's own tokenizer."""
        answer = await self._call("POST", "/tokenize", body)
        with well_formed():
            return int(answer["count"])

    async def generate(self, request: ChatRequest) -> AsyncGenerator[str | Generation]:
        """Yield the text as it comes, and last the whole. Closing it earlier ends the engine's request.

        Raises EngineUnavailable, or InvalidInput for what the engine refuses.
        """
        served = await self.served()
        builder = CompletionBuilder(started=time.perf_counter())
        body = request.body(served.model, self._salt)
        with self._forgetting(), chat_span(body, self.address) as asked:
            async with (
                self._metered(request.call(served.context_tokens), builder.usage),
                self._stream(body, request.adapter, request.pointer, asked) as events,
            ):
                async for event in events:
                    self.last_event_at = time.monotonic()
                    if text := builder.add(event):
                        yield text
            generation = builder.finish()
            tell_outcome(asked, generation)
        yield generation

    async def next_tokens(
        self, messages: Sequence[Message], tokens: int, adapter: Adapter | None = None
    ) -> list[dict[str, float]]:
        """Return, for each of the next `tokens` ones, the log-probabilities of the 20 likeliest in its place."""
        served, used = await self.served(), TokenUsage()
        body = {
            "model": adapter.name if adapter else served.model,
            "messages": list(messages),
            "max_tokens": tokens,
            "temperature": 0.0,
            "logprobs": True,
            "top_logprobs": 20,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        places: list[dict[str, float]] = []
        with self._forgetting():
            call = EngineCall(None, served.context_tokens, tokens)
            async with self._metered(call, used), self._stream(body, adapter) as events:
                async for event in events:
                    with well_formed():
                        used.see(event)
                        places += [_likely(place) for choice in event["choices"] for place in _places(choice)]
        return places

    async def listed_adapters(self) -> list[str]:
        """Return the adapters that the engine itself lists. Raises EngineUnavailable."""
        listed = await self._call("GET", "/v1/models")
        with well_formed():
            return [str(each["id"]) for each in listed["data"] if each.get("parent")]

    @asynccontextmanager
    async def _metered(self, call: EngineCall, used: TokenUsage) -> AsyncIterator[None]:
        try:
            await self._meter.begin(call)
            yield
        finally:
            await self._meter.settle(call, used)

    @asynccontextmanager
    async def _stream(
        self, body: dict[str, Any], adapter: Adapter | None, pointer: str = "", span: Span = NO_SPAN
    ) -> AsyncIterator[EventStream]:
        async with AsyncExitStack() as held:
            yield await self._open(held, body, adapter, pointer, tracing.headers_of(span))

    async def _open(
        self, held: AsyncExitStack, body: dict[str, Any], adapter: Adapter | None, pointer: str, headers: dict[str, str]
    ) -> EventStream:
        """Load the adapter first; again if the engine has forgotten it, as it does when it restarts.

        If another process has unloaded it to make room, it may take more than one attempt.
        """
        for left in reversed(range(MAX_ATTEMPTS)):
            try:
                if adapter is not None:
                    await held.enter_async_context(self.adapters.pinned(adapter))
                return await held.enter_async_context(aclosing(await self._http.stream(CHAT, body, pointer, headers)))
            except NotInEngine:
                if adapter is None or not left:
                    raise
                self.adapters.forget(adapter.name)
        raise AssertionError("the last attempt returns or raises")

    async def _ask_served(self) -> Served:
        listed = await self._call("GET", "/v1/models")
        with well_formed():
            own = [each for each in listed["data"] if not each.get("parent")]
            models = {str(each["id"]): int(each.get("max_model_len") or 4096) for each in own}
        model = self._model or next(iter(models), None)
        if model not in models:
            raise EngineUnavailable(f"The engine does not serve {model!r}; it serves {', '.join(models) or 'nothing'}.")
        if self._special_tokens is None:
            self._special_tokens = await self._ask_special_tokens()
        return Served(model, models[model], self._special_tokens)

    async def _ask_special_tokens(self) -> frozenset[str]:
        try:
            info = await self._call("GET", "/tokenizer_info")
        except NotInEngine:
            log.warning(
                "the engine does not tell its special tokens: start it with --enable-tokenizer-info-endpoint",
                extra={"engine": self.address},
            )
            return frozenset()
        with well_formed():
            return special_tokens(dict(info))

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        with self._forgetting():
            return await self._http.call(method, path, body)

    @contextmanager
    def _forgetting(self) -> Iterator[None]:
        """After a fault another model may be there."""
        try:
            yield
        except EngineUnavailable:
            self._served = self._special_tokens = None
            raise


def _places(choice: dict[str, Any]) -> list[dict[str, Any]]:
    return (choice.get("logprobs") or {}).get("content") or []


def _likely(place: dict[str, Any]) -> dict[str, float]:
    return {str(each["token"]): float(each["logprob"]) for each in place["top_logprobs"]}


def address(url: str) -> str:
    """Return where an engine is, for people to read: without a user, a password or a folder."""
    return url.rpartition("/")[2] if url.startswith(UNIX) else urlsplit(url).netloc.rpartition("@")[2]
