"""Children forked from a warm parent: one parent for each kind, started with the first child, replaced when it ended.

It is replaced, too, after a crash and after some number of children: all of them have their memory laid out as it has,
and what is learnt of that in one document is soon of no use in another.
"""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from threading import RLock, Thread
from typing import Self, TypeVar

START_S = 60
CHILDREN_OF_ONE = 1000
# What ends a child by a signal else is a crash.
NO_CRASH = (-signal.SIGKILL, -signal.SIGXCPU)


Result = TypeVar("Result")


class ParentDied(Exception):
    """A child's warm parent has ended, and the child with it. The next child has another one."""


async def tried_again(work: Callable[[], Awaitable[Result]]) -> Result:
    """Do it once more if a warm parent dies meanwhile. Raises ParentDied if the next one does, too."""
    with suppress(ParentDied):
        return await work()
    return await work()


class Parent:
    """It ends with this process."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._environment, self._children = dict(environment), 0
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "app.sandbox.warm_parent", module],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                env=self._environment,
                start_new_session=True,
            )

    def fits(self, environment: Mapping[str, str]) -> bool:
        return self._environment == environment and self._children < CHILDREN_OF_ONE

    def fork(self, request: bytes, descriptors: Sequence[int]) -> None:
        """Ask for a child that has these descriptors. Raises ParentDied."""
        self._children += 1
        try:
            socket.send_fds(self._control, [request], descriptors, socket.MSG_DONTWAIT)
        except OSError as error:
            raise ParentDied from error

    def close(self) -> None:
        """Let it end as soon as its last child has."""
        self._control.close()
        Thread(target=self.process.wait, daemon=True).start()


class Parents:
    """Those of this process, by the module of their children."""

    def __init__(self) -> None:
        self._current: dict[str, Parent] = {}
        self._lock = RLock()

    def get(self, module: str, environment: Mapping[str, str]) -> Parent:
        with self._lock:
            current = self._current.get(module)
            if current is not None and not current.fits(environment):
                self.retire(current)
                current = None
            if current is None:
                current = self._current[module] = Parent(module, environment)
            return current

    def retire(self, parent: Parent) -> None:
        """Have no more children of it."""
        with self._lock:
            for module in [name for name, each in self._current.items() if each is parent]:
                del self._current[module]
                parent.close()


PARENTS = Parents()


class Forked:
    """A child, with the streams of asyncio's Process."""

    def __init__(self, parent: Parent, pid: int, streams: Sequence[tuple[StreamReader, StreamWriter]]) -> None:
        self._parent, self.pid, self._writers = parent, pid, [writer for _, writer in streams]
        (_, self.stdin), (self.stdout, _), (self.stderr, _), (told, self._lifeline) = streams
        self._code = asyncio.create_task(self._exit_status(told))

    @classmethod
    async def start(cls, module: str, given: Sequence[str], environment: Mapping[str, str], limit: int) -> Self:
        """Raises ParentDied if a second parent does, too."""
        request = json.dumps(given).encode()
        return await tried_again(lambda: cls._fork(PARENTS.get(module, environment), request, limit))

    @classmethod
    async def _fork(cls, parent: Parent, request: bytes, limit: int) -> Self:
        ours, theirs = zip(*(socket.socketpair() for _ in range(4)), strict=True)
        with ExitStack() as unless_started:
            for end in ours:
                unless_started.callback(end.close)
            try:
                with ExitStack() as handed_over:
                    for end in theirs:
                        handed_over.callback(end.close)
                    parent.fork(request, [end.fileno() for end in theirs])
                streams = []
                for end in ours:
                    streams.append(await asyncio.open_connection(sock=end, limit=limit))
                    unless_started.callback(streams[-1][1].close)
                pid = await _pid(parent, streams[-1][0])
            except ParentDied:
                PARENTS.retire(parent)
                raise
            unless_started.pop_all()
        return cls(parent, pid, streams)

    async def wait(self) -> int:
        """Wait until the child has ended; return its exit status. Raises ParentDied."""
        code = await asyncio.shield(self._code)
        if code is None:
            raise ParentDied
        return code

    async def end(self) -> None:
        """End the child and what it has started, as far as that is still running."""
        self._lifeline.write_eof()
        await asyncio.wait({self._code})
        for each in self._writers:
            each.close()

    async def _exit_status(self, told: StreamReader) -> int | None:
        line = await _line(told)
        code = int(line) if line else None
        if code is None or (code < 0 and code not in NO_CRASH):
            PARENTS.retire(self._parent)
        return code


async def _pid(parent: Parent, told: StreamReader) -> int:
    """Wait for the fork; return the child's number. Raises ParentDied."""
    try:
        async with asyncio.timeout(START_S):
            line = await _line(told)
    except TimeoutError:
        parent.process.kill()
        raise ParentDied from None
    if not line:
        raise ParentDied
    return int(line)


async def _line(told: StreamReader) -> bytes:
    with suppress(OSError):
        return await told.readline()
    return b""
