"""How an engine is talked to: its deadlines, and each way it can fail as an error that says which."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from app.errors import EngineNotBegun, EngineUnavailable, InvalidInput, NotInEngine

UNIX = "unix://"
# vLLM closes a connection that was idle for 5 s; a request must not meet one that is just being closed.
KEEP_ALIVE_S = 2
NO_ANSWER = "The engine returned something other than an answer."
BROKE_OFF = "The engine stopped in the middle of its answer."


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a connection, for the first token or a short answer, from token to token, and for a whole answer."""

    connect_s: float
    first_token_s: float
    token_s: float
    answer_s: float


class EngineHttp:
    def __init__(self, url: str, *, key: str | None, timeouts: Timeouts) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Who may ask at once is Admission's business.
        limits = httpx.Limits(max_connections=None, keepalive_expiry=KEEP_ALIVE_S)
        transport = (
            httpx.AsyncHTTPTransport(uds=url.removeprefix(UNIX), limits=limits) if url.startswith(UNIX) else None
        )
        self._http = httpx.AsyncClient(
            base_url="http://engine" if transport else url.rstrip("/").removesuffix("/v1"),
            headers=headers,
            transport=transport,
            limits=limits,
            timeout=httpx.Timeout(None, connect=timeouts.connect_s),
            trust_env=False,
        )
        self._timeouts = timeouts

    async def close(self) -> None:
        await self._http.aclose()

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Raises EngineUnavailable, or InvalidInput for what the engine refuses."""
        with self._faults():
            return (await self._answer(method, path, body)).json()

    async def send(self, path: str, body: dict[str, Any], pointer: str = "") -> None:
        """Where the answer says no more than that it is done. Raises as call() does."""
        with self._faults():
            await self._answer("POST", path, body, pointer)

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None, pointer: str = "") -> httpx.Response:
        async with _until(*self._deadline(asyncio.get_running_loop().time(), begun=False)):
            response = await self._http.request(method, path, json=body)
        _raise_for(response.status_code, response.content, pointer)
        return response

    async def events(self, path: str, body: dict[str, Any], pointer: str = "") -> AsyncGenerator[Any]:
        """The JSON of each server-sent event up to [DONE]. Raises as call() does; `pointer` is to what may be refused.

        EngineNotBegun before the first event, EngineUnavailable after it.
        """
        started = asyncio.get_running_loop().time()
        begun = finished = False
        try:
            with self._faults():
                async with self._opened(path, body, pointer, started) as response, aclosing(_data(response)) as data:
                    while True:
                        async with _until(*self._deadline(started, begun=begun)):
                            payload = await anext(data, None)
                        if payload is None:
                            break
                        finished = finished or payload == b"[DONE]"
                        if not finished:
                            event = json.loads(payload)
                            _raise_for_error_in(event, payload, pointer)
                            begun = True
                            yield event
                if not finished:
                    raise EngineNotBegun(BROKE_OFF)
        except EngineNotBegun as error:
            raise EngineUnavailable(error.detail) if begun else error from error.__cause__

    @asynccontextmanager
    async def _opened(
        self, path: str, body: dict[str, Any], pointer: str, started: float
    ) -> AsyncIterator[httpx.Response]:
        async with _until(*self._deadline(started, begun=False)):
            response = await self._http.send(self._http.build_request("POST", path, json=body), stream=True)
        try:
            if response.status_code != 200:
                async with _until(*self._deadline(started, begun=False)):
                    content = await response.aread()
                _raise_for(response.status_code, content, pointer)
            yield response
        finally:
            await response.aclose()

    def _deadline(self, started: float, *, begun: bool) -> tuple[float, str]:
        """When to give up, and what to say then."""
        limits = self._timeouts
        now = asyncio.get_running_loop().time()
        if begun:
            next_token = (now + limits.token_s, _late("sent no token for", limits.token_s, "TOKEN_TIMEOUT_S"))
        else:
            next_token = (
                started + limits.first_token_s,
                _late("sent nothing within", limits.first_token_s, "FIRST_TOKEN_TIMEOUT_S"),
            )
        whole = (started + limits.answer_s, _late("did not finish within", limits.answer_s, "TIMEOUT_S"))
        return min(next_token, whole)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except httpx.ConnectTimeout as error:
            late = _late("took no connection within", self._timeouts.connect_s, "CONNECT_TIMEOUT_S")
            raise EngineNotBegun(late) from error
        except httpx.ConnectError as error:
            raise EngineNotBegun("The engine cannot be reached; it may be starting or down.") from error
        except httpx.HTTPError as error:
            raise EngineNotBegun(BROKE_OFF) from error
        except ValueError as error:
            raise EngineNotBegun(NO_ANSWER) from error


@contextmanager
def well_formed() -> Iterator[None]:
    """What is read from an engine's JSON inside, is an answer. Raises EngineUnavailable."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EngineUnavailable(NO_ANSWER) from error


@asynccontextmanager
async def _until(when: float, late: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout_at(when):
            yield
    except TimeoutError as error:
        raise EngineUnavailable(late) from error


async def _data(response: httpx.Response) -> AsyncGenerator[bytes]:
    """Lines end at a line feed alone: httpx's own also end at U+0085 and U+2028, which JSON may hold as they are."""
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                yield line.removeprefix(b"data:").strip()


def _raise_for_error_in(event: Any, payload: bytes, pointer: str) -> None:
    """vLLM sends what goes wrong while it generates as an event, and then [DONE]."""
    if isinstance(event, dict) and "error" in event:
        error = event["error"]
        code = error.get("code") if isinstance(error, dict) else None
        _raise_for(code if isinstance(code, int) and code >= 400 else 500, payload, pointer)


def _raise_for(status: int, content: bytes, pointer: str = "") -> None:
    if status in (400, 413, 422):
        raise InvalidInput(f"The engine refused this request: {_message(content)}", pointer=pointer)
    if status == 404:
        raise NotInEngine(f"The engine answered 404: {_message(content)}")
    if status >= 300:
        raise EngineNotBegun(f"The engine answered {status}: {_message(content)}")


def _message(content: bytes) -> str:
    try:
        return str(json.loads(content)["error"]["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return "no reason given"


def _late(what: str, seconds: float, setting: str) -> str:
    return f"The engine {what} {seconds:g} s (KYUJANG_LLM_{setting})."
