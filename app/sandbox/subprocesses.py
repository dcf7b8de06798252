"""Run one of our modules in a child process that may crash, hang or eat memory without harm to its parent.

The child gets arguments, limits and an environment without secrets. It sends messages as lines of JSON, and perhaps
bytes after the last of them. When the block that opened it ends, so do the child and all that it has started.
"""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Literal, Self

from app.sandbox.forked import Forked
from app.sandbox.libraries import ROOT
from app.sandbox.limits import OUT_OF_MEMORY, UNLIMITED, Limits
from app.sandbox.profile import Profile

# No secret of the parent's environment reaches a parser.
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
}
# Python says so itself, Rust and C++ say it and abort, OpenMP says it and exits.
MEMORY_COMPLAINTS = (b"memory allocation of", b"MemoryError", b"bad_alloc", b"Thread creation failed")
MAX_MESSAGE_BYTES = 1 << 20
MAX_STDERR_BYTES = 1 << 16
MAX_COMPLAINT_BYTES = 2000
READ_BYTES = 1 << 20

ExitReason = Literal["out of memory", "killed", "out of time", "crashed", "failed"]


class OutputError(Exception):
    """The child sent something that is not a message."""


class OutputTooLarge(OutputError):
    """The child sent more than it may."""


def exit_reason(code: int, stderr: bytes) -> ExitReason:
    """Say why a child ended before its work was done; `failed` is a fault of Kyujang's own."""
    if code == OUT_OF_MEMORY or any(words in stderr for words in MEMORY_COMPLAINTS):
        return "out of memory"
    # Heap checks, C++ and Rust say why they abort. PDFium, which got no memory, does not.
    if code == -signal.SIGABRT and not stderr:
        return "out of memory"
    # The kernel does this to the largest process when it has no memory left.
    if code == -signal.SIGKILL:
        return "killed"
    if code == -signal.SIGXCPU:
        return "out of time"
    return "failed" if code > 0 else "crashed"


class ChildProcess:
    def __init__(self, process: Process | Forked) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._requests, self._messages = process.stdin, process.stdout
        self._stderr = asyncio.create_task(_last_bytes(process.stderr))

    @classmethod
    async def start(
        cls,
        module: str,
        *arguments: str,
        limits: Limits = UNLIMITED,
        profile: Profile | None = None,
        environment: Mapping[str, str] = ENVIRONMENT,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        show_stderr: bool = False,
        forked: bool = False,
    ) -> Self:
        """Start `module.main(channel, *arguments)` in a session of its own, so that Ctrl+C reaches the parent alone.

        Without a profile it is limited, and not confined. With `forked` its imports are done already: see forked.py.
        """
        given = (limits.to_json(), profile.to_json() if profile else "", module, *arguments)
        if forked:
            return cls(await Forked.start(module, given, environment, max_message_bytes))
        process = await asyncio.create_subprocess_exec(
            # -P: nothing is imported from the folder in which the parent was started.
            *(sys.executable, "-P", "-m", "app.sandbox", *given),
            stdin=PIPE,
            stdout=PIPE,
            stderr=None if show_stderr else PIPE,
            limit=max_message_bytes,
            env=environment,
            start_new_session=True,
        )
        return cls(process)

    async def message(self) -> dict[str, Any] | None:
        """Return the next message, or None after the last one. Raises OutputError."""
        try:
            line = await self._messages.readline()
        except ValueError:
            raise OutputTooLarge from None
        if not line.endswith(b"\n"):
            return None
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            raise OutputError from None
        if not isinstance(message, dict):
            raise OutputError
        return message

    async def messages(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self.message()) is not None:
            yield message

    async def read(self, size: int) -> AsyncIterator[bytes]:
        """Yield so many bytes that follow a message. Raises OutputError if there are fewer."""
        while size:
            part = await self._messages.read(min(size, READ_BYTES))
            if not part:
                raise OutputError
            size -= len(part)
            yield part

    async def payload(self, max_bytes: int) -> bytearray:
        """Return the bytes after the last message. Raises OutputTooLarge."""
        payload = bytearray()
        while part := await self._messages.read(READ_BYTES):
            payload += part
            if len(payload) > max_bytes:
                raise OutputTooLarge
        return payload

    async def send(self, request: Any) -> None:
        """Send a request. If the child has ended, its last message says why."""
        with suppress(ConnectionError):
            self._requests.write(pickle.dumps(request))
            await self._requests.drain()

    async def wait(self) -> int:
        """Wait until the child has ended by itself; return its exit status."""
        return await self._process.wait()

    async def exit_reason(self) -> ExitReason:
        return exit_reason(await self.wait(), await self._stderr)

    async def exit_report(self) -> dict[str, Any]:
        """Return, for the log, how the child ended."""
        complaint = (await self._stderr)[-MAX_COMPLAINT_BYTES:].decode(errors="replace")
        return {"code": await self.wait(), "complaint": complaint}

    async def kill(self) -> None:
        """End the child and what it has started, as far as that is still running."""
        if isinstance(self._process, Forked):
            await self._process.end()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        self._stderr.cancel()


@asynccontextmanager
async def open_child(
    module: str,
    *arguments: str,
    timeout_s: float | None = None,
    limits: Limits = UNLIMITED,
    profile: Profile | None = None,
    environment: Mapping[str, str] = ENVIRONMENT,
    max_message_bytes: int = MAX_MESSAGE_BYTES,
    forked: bool = False,
) -> AsyncGenerator[ChildProcess]:
    """Run a child for as long as the block does, at most `timeout_s`. Raises TimeoutError."""
    child = await ChildProcess.start(
        module,
        *arguments,
        limits=limits,
        profile=profile,
        environment=environment,
        max_message_bytes=max_message_bytes,
        forked=forked,
    )
    try:
        async with asyncio.timeout(timeout_s):
            yield child
    finally:
        await child.kill()


async def _last_bytes(stream: asyncio.StreamReader | None) -> bytes:
    kept = b""
    while stream is not None and (part := await stream.read(READ_BYTES)):
        kept = (kept + part)[-MAX_STDERR_BYTES:]
    return kept
