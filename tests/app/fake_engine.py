"""vLLM's routes in a few lines behind a real socket, for faults that the real one cannot be made to show."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import math
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from app.generation.admission import Admission
from app.generation.engine import Engine
from app.generation.replica import EngineReplica
from app.generation.timeouts import Timeouts
from app.metering import CallMeter
from app.metrics import Metrics
from app.up.environments import ROOT

CHUNK = 'data: {"choices": [{"delta": {"content": "Thirty"}, "finish_reason": null}]}\n\n'
END = 'data: {"choices": [{"delta": {"content": " days."}, "finish_reason": "stop"}]}\n\n'
USAGE = 'data: {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}\n\ndata: [DONE]\n\n'
PATIENT = Timeouts(connect_s=5, first_token_s=30, token_s=30, answer_s=60)


@dataclass(eq=False)
class FakeEngine:
    """What a test sets is what it does from then on. An event among the pieces is waited for."""

    status: int = 200
    pieces: Sequence[str | asyncio.Event] = (CHUNK, END, USAGE)
    cut: bool = False
    counting: bool = True
    canary: int = 200
    """The status of a completion that is no chat: EngineReplica.probe()."""
    model: str = "smollm2"
    context_tokens: int = 4096
    tokenizer_info: str | None = None
    """None: it has no such route, as without --enable-tokenizer-info-endpoint."""
    listed: str | None = None
    """Instead of the list of models."""
    load_status: int = 200
    """Of an attempt to load an adapter."""
    gate: asyncio.Event | None = None
    """Nothing at all is answered before it is set."""
    reading: asyncio.Event | None = None
    """No token is completed before it is set, as while a CPU reads a long prompt; all else is answered."""
    metrics: str | None = None
    """None: it has no such route, as engines other than vLLM."""
    adapters: dict[str, str] = field(default_factory=dict)
    """Names and folders, as loaded."""
    said: dict[str, dict[str, float]] = field(default_factory=dict)
    """For each model the probabilities of the next token."""
    chats: list[bytes] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    """Of the chats."""
    calls: list[tuple[str, str]] = field(default_factory=list)
    """Of the LoRA routes, with the adapter's name."""
    held: Any = None
    """engine_guard.Adapters, which takes adapters that are sent; None: there is no such route."""
    sent: int = 0
    """How many were."""
    canaries: int = 0
    running: int = 0
    port: int = 0
    _open: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> FakeEngine:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def kill(self) -> None:
        """As kill -9 does: no more connections, and those there are reset."""
        assert self._server is not None
        self._server.close()
        for task, writer in self._open.items():
            writer.transport.abort()
            task.cancel()
        await asyncio.sleep(0)

    def replica(
        self,
        timeouts: Timeouts = PATIENT,
        *,
        model: str | None = None,
        max_adapters: int = 8,
        metrics: Metrics | None = None,
        meter: CallMeter | None = None,
    ) -> EngineReplica:
        return EngineReplica(
            self.url,
            key="k",
            model=model,
            timeouts=timeouts,
            max_adapters=max_adapters,
            metrics=metrics,
            meter=meter,
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open[task] = writer
        try:
            await self._respond(reader, writer)
        finally:
            writer.close()
            del self._open[task]

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The other side may hang up at any point.
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line for line in head.lower().split("\r\n") if line.startswith("content-length")]
            content = await reader.readexactly(int(lengths[0].split(":")[1]) if lengths else 0)
            if "transfer-encoding: chunked" in head.lower():
                content = await _chunks(reader)
            if self.gate is not None:
                await self.gate.wait()
            if "/kyujang/adapters/" in head:
                await self._answer(writer, *await self._guard(head, content))
            elif "lora_adapter" in head:
                await self._adapter(writer, head, json.loads(content))
            elif "/metrics" in head:
                await self._answer(writer, 404 if self.metrics is None else 200, [self.metrics or ""])
            elif "/chat/completions" in head:
                model = json.loads(content)["model"]
                if model not in (self.model, *self.adapters):
                    return await self._answer(writer, 404, [_error(f"The model `{model}` does not exist.")])
                if "top_logprobs" in json.loads(content):
                    return await self._answer(writer, 200, [_probabilities(self.said.get(model, {"the": 1.0}))])
                self.chats.append(content)
                self.heads.append(head)
                self.running += 1
                try:
                    await self._read()
                    await self._answer(writer, *self._reply())
                finally:
                    self.running -= 1
            elif "/v1/models" in head:
                base = {"id": self.model, "max_model_len": self.context_tokens}
                loaded = [{"id": name, "parent": self.model} for name in self.adapters]
                await self._answer(writer, 200, [self.listed or json.dumps({"data": [base, *loaded]})])
            elif "/tokenizer_info" in head:
                await self._answer(writer, 200 if self.tokenizer_info else 404, [self.tokenizer_info or "{}"])
            elif "/v1/completions" in head:
                self.canaries += 1
                await self._read()
                await self._answer(writer, self.canary, ["{}"])
            elif self.counting:
                await self._answer(writer, 200, [json.dumps({"count": self._count(json.loads(content))})])
            else:
                await self._answer(writer, self.status, self.pieces)
        return None

    async def _adapter(self, writer: asyncio.StreamWriter, head: str, body: dict[str, str]) -> None:
        """As vLLM 0.32 does, whose success is no JSON."""
        name, action = body["lora_name"], "unload" if "/unload_" in head else "load"
        self.calls.append((action, name))
        if action == "unload":
            known = self.adapters.pop(name, None)
            return await self._answer(writer, 200 if known else 404, ["Success" if known else _error("not found")])
        if name in self.adapters:
            return await self._answer(writer, 400, [_error(f"The lora adapter '{name}' has already been loaded.")])
        if self.load_status != 200:
            return await self._answer(writer, self.load_status, [_error("Worker failed")])
        self.adapters[name] = body["lora_path"]
        return await self._answer(writer, 200, ["Success"])

    async def _guard(self, head: str, content: bytes) -> tuple[int, Sequence[str]]:
        """What the engine's guard answers itself."""
        method, path = head.split(" ", 2)[:2]
        answered: list[Any] = []
        if self.held is None:
            return 404, [json.dumps({"detail": "Not Found"})]

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content}

        async def send(message: Any) -> None:
            answered.append(message)

        await self.held.respond(method, path.rpartition("/")[2], receive, send)
        self.sent += method == "PUT"
        return answered[0]["status"], [answered[1]["body"].decode()]

    async def _read(self) -> None:
        if self.reading is not None:
            await self.reading.wait()

    def _reply(self) -> tuple[int, Sequence[str | asyncio.Event]]:
        return self.status, self.pieces

    def _count(self, body: dict[str, Any]) -> int:
        return 7

    async def _answer(self, writer: asyncio.StreamWriter, status: int, pieces: Sequence[str | asyncio.Event]) -> None:
        promised = "content-length: 1000000\r\n" if self.cut and pieces is self.pieces else ""
        writer.write(f"HTTP/1.1 {status} X\r\n{promised}connection: close\r\n\r\n".encode())
        for piece in pieces:
            if isinstance(piece, asyncio.Event):
                await piece.wait()
            else:
                writer.write(piece.encode())
            await writer.drain()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    content = b""
    while size := int(await reader.readline(), 16):
        content += await reader.readexactly(size)
        await reader.readline()
    await reader.readline()
    return content


def engine_guard() -> Any:
    """Load the guard by its path, as vLLM does: the file stands alone."""
    spec = importlib.util.spec_from_file_location("engine_guard", ROOT / "deploy" / "engine_guard.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _error(message: str) -> str:
    return json.dumps({"error": {"message": message}})


def _probabilities(next_token: dict[str, float]) -> str:
    top = [{"token": token, "logprob": math.log(chance)} for token, chance in next_token.items()]
    choice = {"delta": {}, "finish_reason": "length", "logprobs": {"content": [{"top_logprobs": top}]}}
    return f"data: {json.dumps({'choices': [choice]})}\n\n{USAGE}"


@asynccontextmanager
async def fake_engines(*fakes: FakeEngine) -> AsyncIterator[None]:
    for fake in fakes:
        await fake.start()
    try:
        yield
    finally:
        for fake in fakes:
            await fake.kill()


def engine_of(
    *replicas: EngineReplica,
    metrics: Metrics | None = None,
    concurrency: int = 64,
    per_tenant: int = 32,
    queue: int = 64,
) -> Engine:
    metrics = metrics or Metrics()
    admission = Admission(metrics, concurrency=concurrency, per_tenant=per_tenant, queue=queue, timeout_s=30)
    return Engine(replicas, admission, metrics)
