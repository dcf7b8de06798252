"""The engine's door: an ASGI middleware for vLLM's OpenAI server, `--middleware engine_guard.Guard`.

`engine_guard.PoolerGuard` is that of a vLLM which embeds or reranks.

vLLM's own --api-key leaves several routes open (POST /adapters loads an adapter, /invocations generates), so
only the routes Kyujang uses exist behind this one, and all of them but /health want the key in
KYUJANG_ENGINE_KEY. One file, standard library only: it is also mounted into the official container.

It takes adapters too, where Kyujang keeps them in object storage: the engine needs no way there and no folder that it
shares with anybody.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import hmac
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from pathlib import Path
from typing import IO, Any

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
# A version by the SHA-256 of its .tar: is it here, and here it is. Of a tenant that is deleted: what is here goes.
ADAPTER = re.compile(r"(GET|PUT) /kyujang/adapters/([0-9a-f]{64})|(DELETE) /kyujang/adapters/(t[0-9]+)")
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
LORA_ROUTES = frozenset({"/v1/load_lora_adapter", "/v1/unload_lora_adapter"})
# Longer than an answer takes: an engine that reads a removed file ends with all its requests.
UNUSED_S = 3600

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
        self._adapters = Adapters(Path(os.environ.get("KYUJANG_ADAPTER_CACHE") or Path.home() / ".cache/kyujang"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        elif (adapter := self._adapter_of(scope)) is None and (scope["method"], scope["path"]) not in self.allowed:
            await _answer(send, 404, {"error": "not found"})
        elif scope["path"] != "/health" and not self._has_key(scope):
            await _answer(send, 401, {"error": "a key is needed"})
        elif adapter is not None:
            await self._adapters.respond(adapter[1] or adapter[3], adapter[2] or adapter[4], receive, send)
        elif scope["path"] in LORA_ROUTES:
            await self._adapters.watch(self._app, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _adapter_of(self, scope: Scope) -> re.Match[str] | None:
        return ADAPTER.fullmatch(f"{scope['method']} {scope['path']}")

    def _has_key(self, scope: Scope) -> bool:
        sent = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(sent) == 1 and hmac.compare_digest(sent[0], self._expected)


class PoolerGuard(Guard):
    allowed = POOLER_ALLOWED

    def _adapter_of(self, scope: Scope) -> None:
        return None


class Adapters:
    """Adapters as they were sent to this engine, each in a folder that its digest names. They are gone when the engine
    starts again, which has forgotten them then too, and an hour or two after they were last of use."""

    def __init__(self, cache: Path) -> None:
        self._cache = cache
        self._loaded: dict[str, str] = {}
        """Digests by the engine's names."""
        self._used: dict[str, float] = {}
        self._names: dict[str, set[str]] = {}
        """The engine's names that each digest has had."""

    @cached_property
    def folder(self) -> Path:
        """Make a folder of this process, and remove those of processes that have ended: their locks are free."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with open(self._cache / "lock", "wb") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            for left in self._cache.iterdir():
                if left.is_dir() and _lock(left):
                    shutil.rmtree(left)
            folder = Path(tempfile.mkdtemp(dir=self._cache))
            _lock(folder)
        return folder

    async def respond(self, method: str, digest: str, receive: Receive, send: Send) -> None:
        """With DELETE it is a tenant's number instead of a digest."""
        if method == "DELETE":
            await asyncio.to_thread(self._remove_of, f"{digest}--")
            await _answer(send, 200, {})
        elif method == "PUT" and not await self._save(digest, receive):
            await _answer(send, 400, {"error": {"message": "the bytes are not those of the digest"}})
        elif digest in self._used:
            self._touch(digest)
            await _answer(send, 200, {"folder": str(self.folder / digest)})
        else:
            await _answer(send, 404, {"error": "not here"})

    async def watch(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Let vLLM load or unload an adapter, and take down what it did."""
        body, statuses = bytearray(), []

        async def reading() -> MutableMapping[str, Any]:
            message = await receive()
            body.extend(message.get("body", b""))
            return message

        async def noting(message: MutableMapping[str, Any]) -> None:
            statuses.extend([message["status"]] if message["type"] == "http.response.start" else [])
            await send(message)

        await app(scope, reading, noting)
        if statuses == [200]:
            named = json.loads(body)
            digest = self._loaded.pop(named["lora_name"], None)
            if "lora_path" in named:
                digest = self._loaded[named["lora_name"]] = Path(named["lora_path"]).name
                self._names.setdefault(digest, set()).add(named["lora_name"])
            if digest in self._used:
                self._touch(digest)

    async def _save(self, digest: str, receive: Receive) -> bool:
        with tempfile.TemporaryFile(dir=self.folder) as packed:
            hashed = hashlib.sha256()
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return False
                piece = message.get("body", b"")
                hashed.update(piece)
                packed.write(piece)
                more = message.get("more_body", False)
            if hashed.hexdigest() != digest:
                return False
            packed.seek(0)
            await asyncio.to_thread(self._unpack, packed, digest)
        if digest not in self._used:
            self._touch(digest)
            asyncio.get_running_loop().call_later(UNUSED_S, self._remove_unused, digest)
        return True

    def _touch(self, digest: str) -> None:
        self._used[digest] = asyncio.get_running_loop().time()

    def _unpack(self, packed: IO[bytes], digest: str) -> None:
        with tempfile.TemporaryDirectory(dir=self.folder) as new, tarfile.open(fileobj=packed) as tar:
            for name in ADAPTER_FILES:
                source = tar.extractfile(name)
                assert source is not None
                with open(Path(new, name), "wb") as target:
                    shutil.copyfileobj(source, target)
            # Another request may have brought it meanwhile.
            if not (self.folder / digest).exists():
                os.rename(new, self.folder / digest)

    def _remove_of(self, prefix: str) -> None:
        """Remove what only names with this prefix have had, and none of them has now."""
        for digest, names in list(self._names.items()):
            loaded = digest in self._loaded.values()
            if digest in self._used and not loaded and all(name.startswith(prefix) for name in names):
                del self._used[digest], self._names[digest]
                shutil.rmtree(self.folder / digest)

    def _remove_unused(self, digest: str) -> None:
        loop = asyncio.get_running_loop()
        if digest not in self._used:
            return
        if digest in self._loaded.values() or loop.time() - self._used[digest] < UNUSED_S:
            loop.call_later(UNUSED_S, self._remove_unused, digest)
        else:
            del self._used[digest]
            self._names.pop(digest, None)
            shutil.rmtree(self.folder / digest)


def _lock(folder: Path) -> bool:
    """Lock it for as long as this process lives; tell whether it was free."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return False
    return True


def main(arguments: list[str]) -> None:
    """Become vLLM's server, if there is a key: it would make the guard only after minutes of loading its model."""
    if _key() is None:
        sys.exit(TOO_SHORT)
    os.execv(sys.executable, [sys.executable, "-m", SERVER, *arguments])  # noqa: S606


def _key() -> str | None:
    key = os.environ.get("KYUJANG_ENGINE_KEY", "")
    return key if len(key) >= 16 else None


async def _answer(send: Send, status: int, content: dict[str, Any]) -> None:
    body = json.dumps(content).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main(sys.argv[1:])
