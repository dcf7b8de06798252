"""HTTP to one engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx

from app.generation.event_stream import EventStream
from app.generation.faults import raise_for_status, transport_faults
from app.generation.timeouts import Timeouts, until

UNIX = "unix://"
# vLLM closes a connection that was idle for 5 s; a request must not meet one that is just being closed.
KEEP_ALIVE_S = 2


class EngineHttp:
    def __init__(self, url: str, *, key: str | None, timeouts: Timeouts) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        # Admission limits how many may ask at once.
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
        """Return the answer's JSON. Raises EngineUnavailable, or InvalidInput for what the engine refuses."""
        with transport_faults(self._timeouts):
            return (await self._answer(method, path, body)).json()

    async def text(self, path: str) -> str:
        """Return what it answers to a GET. Raises as call() does."""
        with transport_faults(self._timeouts):
            return (await self._answer("GET", path, None)).text

    async def send(self, path: str, body: dict[str, Any], pointer: str = "") -> None:
        """Post what is answered without JSON. Raises as call() does."""
        with transport_faults(self._timeouts):
            await self._answer("POST", path, body, pointer)

    async def upload(self, path: str, content: AsyncIterator[bytes]) -> Any:
        """Put what is read while it is sent, and return the answer's JSON. Raises as call() does."""
        with transport_faults(self._timeouts):
            async with until(*self._timeouts.last_deadline(asyncio.get_running_loop().time())):
                response = await self._http.put(path, content=content)
            raise_for_status(response.status_code, response.content)
            return response.json()

    async def stream(
        self, path: str, body: dict[str, Any], pointer: str = "", headers: Mapping[str, str] | None = None
    ) -> EventStream:
        """Return the answer's events once the first has come. Raises as call() does; EngineNotBegun at a fault."""
        started = asyncio.get_running_loop().time()
        async with AsyncExitStack() as opened:
            with transport_faults(self._timeouts):
                async with until(*self._timeouts.next_deadline(started, begun=False)):
                    request = self._http.build_request("POST", path, json=body, headers=headers)
                    response = await self._http.send(request, stream=True)
                    opened.push_async_callback(response.aclose)
                    if response.status_code != 200:
                        raise_for_status(response.status_code, await response.aread(), pointer)
            events = EventStream(response, self._timeouts, started, pointer)
            await events.begin()
            opened.pop_all()
            return events

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None, pointer: str = "") -> httpx.Response:
        started = asyncio.get_running_loop().time()
        async with until(*self._timeouts.next_deadline(started, begun=False)):
            response = await self._http.request(method, path, json=body)
        raise_for_status(response.status_code, response.content, pointer)
        return response
