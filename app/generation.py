"""The client of vLLM's OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

import httpx

from app.errors import EngineUnavailable, InvalidInput
from app.prompts import Message, Sampling
from app.settings import Settings

FinishReason = Literal["stop", "length"]
UNIX = "unix://"


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
    def __init__(self, url: str, *, key: str | None, model: str | None, timeout_s: float) -> None:
        self._model = model
        self._salt = (key or secrets.token_hex(16)).encode()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        transport = httpx.AsyncHTTPTransport(uds=url.removeprefix(UNIX)) if url.startswith(UNIX) else None
        self._http = httpx.AsyncClient(
            base_url="http://engine" if transport else url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            transport=transport,
            timeout=httpx.Timeout(timeout_s, connect=5),
            trust_env=False,
        )
        self._served: Served | None = None

    async def close(self) -> None:
        await self._http.aclose()

    async def served(self) -> Served:
        """Asked once. Raises EngineUnavailable."""
        if self._served is None:
            models = (await self._call("GET", "/v1/models"))["data"]
            chosen = [each for each in models if self._model in (None, each["id"])]
            if not chosen:
                names = ", ".join(each["id"] for each in models)
                raise EngineUnavailable(f"The engine does not serve {self._model!r}; it serves {names}.")
            self._served = Served(chosen[0]["id"], int(chosen[0].get("max_model_len") or 4096))
        return self._served

    async def ready(self) -> None:
        """A completion of one token: /health alone stays green on a broken engine. Raises EngineUnavailable."""
        served = await self.served()
        await self._call("POST", "/v1/completions", {"model": served.model, "prompt": "1", "max_tokens": 1})

    async def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """By the engine's own tokenizer, without special tokens."""
        model = (await self.served()).model
        answers = await asyncio.gather(
            *(
                self._call("POST", "/tokenize", {"model": model, "prompt": text, "add_special_tokens": False})
                for text in texts
            )
        )
        return [answer["count"] for answer in answers]

    async def count_message_tokens(self, messages: Sequence[Message]) -> int:
        """The whole prompt as the chat template makes it."""
        body = {"model": (await self.served()).model, "messages": list(messages), "add_generation_prompt": True}
        count: int = (await self._call("POST", "/tokenize", body))["count"]
        return count

    async def generate(
        self, messages: Sequence[Message], sampling: Sampling, *, tenant: int, schema: dict[str, Any] | None = None
    ) -> AsyncGenerator[str | Generation]:
        """The text as it comes, and at the end the whole. Closed before that, it ends the engine's request.

        With a JSON schema the text is JSON that fits it. Raises EngineUnavailable, or InvalidInput for what the
        engine refuses.
        """
        served = await self.served()
        started = time.perf_counter()
        parts: list[str] = []
        thoughts: list[str] = []
        first_token_s, finish, usage = 0.0, "stop", {"prompt_tokens": 0, "completion_tokens": 0}
        body = self._body(served, messages, sampling, tenant, schema)
        pointer = "/response_format" if schema is not None else ""
        async with aclosing(self._events("/v1/chat/completions", body, pointer)) as events:
            async for event in events:
                usage = event.get("usage") or usage
                for choice in event.get("choices", ()):
                    finish = choice.get("finish_reason") or finish
                    delta = choice["delta"]
                    text, thought = delta.get("content"), delta.get("reasoning") or delta.get("reasoning_content")
                    if text or thought:
                        first_token_s = first_token_s or time.perf_counter() - started
                    if thought:
                        thoughts.append(thought)
                    if text:
                        parts.append(text)
                        yield text
        yield Generation(
            text="".join(parts).strip(),
            finish_reason="length" if finish == "length" else "stop",
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
            first_token_s=first_token_s,
            reasoning="".join(thoughts).strip(),
        )

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

    async def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            response = await self._http.request(method, path, json=body)
            _raise_for(response.status_code, response.content)
            return response.json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            self._served = None
            raise EngineUnavailable(_reason(error)) from error

    async def _events(self, path: str, body: dict[str, Any], pointer: str) -> AsyncGenerator[dict[str, Any]]:
        finished = False
        try:
            async with self._http.stream("POST", path, json=body) as response:
                if response.status_code != 200:
                    _raise_for(response.status_code, await response.aread(), pointer)
                async for line in response.aiter_lines():
                    if line == "data: [DONE]":
                        finished = True
                    elif line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            self._served = None
            raise EngineUnavailable(_reason(error)) from error
        if not finished:
            raise EngineUnavailable("The engine broke off its answer.")


def open_engine(settings: Settings) -> Engine | None:
    """None when the answers are extractive only: KYUJANG_ENGINE=none."""
    if settings.engine == "none" or settings.llm_url is None:
        return None
    key = settings.llm_key.get_secret_value() if settings.llm_key else None
    return Engine(settings.llm_url, key=key, model=settings.model, timeout_s=settings.llm_timeout_s)


def _raise_for(status: int, content: bytes, pointer: str = "") -> None:
    if status in (400, 413, 422):
        raise InvalidInput(f"The engine refused this request: {_message(content)}", pointer=pointer)
    if status >= 300:
        raise EngineUnavailable(f"The engine answered {status}: {_message(content)}")


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "The engine did not answer in time (KYUJANG_LLM_TIMEOUT_S)."
    if isinstance(error, httpx.ConnectError):
        return "The engine cannot be reached; it may be starting or down."
    return "The engine broke off or sent something that is no answer."
