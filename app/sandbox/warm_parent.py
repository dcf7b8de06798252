"""The warm parent of one kind of child: it has imported their code, and forks one for each document.

It holds no secret, opens no document and starts no thread; a child limits and confines itself after the fork. Each
child has a lifeline, a socket to the process that asked for it: when that end closes, the child is ended with what it
has started; when the child has ended, its exit status is sent. Started by app/sandbox/forked.py:
python -m app.sandbox.warm_parent MODULE
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import NoReturn

from app.sandbox import kernel
from app.sandbox.__main__ import main as run_child
from app.sandbox.confinement import count_threads

MAX_REQUEST_BYTES = 1 << 18
# Of a child: its requests, its messages, its complaints, and its lifeline.
DESCRIPTORS = 4


class WarmParent:
    def __init__(self, control: socket.socket) -> None:
        self._control, self._is_open = control, True
        self._lifelines: dict[int, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._woken, self._waker = socket.socketpair()
        for each in (self._woken, self._waker):
            each.setblocking(False)
        signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def serve(self) -> None:
        """Fork until the other end of the control socket closes, and the last child has ended."""
        self._selector.register(self._control, selectors.EVENT_READ, self._fork)
        self._selector.register(self._woken, selectors.EVENT_READ, self._reap)
        while self._is_open or self._lifelines:
            for key, _ in self._selector.select():
                key.data()

    def _fork(self) -> None:
        request, descriptors, *_ = socket.recv_fds(self._control, MAX_REQUEST_BYTES, DESCRIPTORS)
        if not request:
            self._selector.unregister(self._control)
            self._is_open = False
            return
        *standard, lifeline = descriptors
        parent, threads = os.getpid(), count_threads()
        try:
            pid = os.fork()
        except OSError:
            # The closed lifeline tells of it.
            for each in descriptors:
                os.close(each)
            return
        if pid == 0:
            _become_child(request, standard, parent, threads)
        for each in standard:
            os.close(each)
        self._lifelines[pid] = line = socket.socket(fileno=lifeline)
        self._selector.register(line, selectors.EVENT_READ, partial(self._kill, pid))
        _send(line, f"{pid}\n")

    def _kill(self, pid: int) -> None:
        """End a child whose lifeline was closed. Nothing is ever sent through that."""
        if pid in self._lifelines:
            self._selector.unregister(self._lifelines[pid])
            _end(pid)

    def _reap(self) -> None:
        with suppress(BlockingIOError):
            self._woken.recv(1 << 16)
        for pid in list(self._lifelines):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            # What it has started: its number is not given to another process before it is waited for.
            _end(pid)
            _, status = os.waitpid(pid, 0)
            with self._lifelines.pop(pid) as line:
                with suppress(KeyError):
                    self._selector.unregister(line)
                _send(line, f"{os.waitstatus_to_exitcode(status)}\n")


def _send(line: socket.socket, words: str) -> None:
    with suppress(OSError):
        line.send(words.encode())


def _end(pid: int) -> None:
    for end in (os.kill, os.killpg):
        with suppress(ProcessLookupError, PermissionError):
            end(pid, signal.SIGKILL)


def _become_child(request: bytes, standard: Sequence[int], parent: int, threads: int) -> NoReturn:
    code = 1
    try:
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(standard):
            os.dup2(descriptor, number)
        # Among them the lifelines of others.
        os.closerange(3, max(map(int, os.listdir("/proc/self/fd"))) + 1)
        if threads > 1:
            raise RuntimeError("an import has started a thread; a fork would not have it")
        code = run_child(*json.loads(request), parent=parent)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def warm_up(module: str) -> None:
    """Do once what every child would do first. What fails here fails in each of them, too, which tells of it."""
    with suppress(Exception):
        getattr(import_module(module), "warm_up", lambda: None)()
    # Collections in children leave alone, and so do not copy, what they share.
    gc.collect()
    gc.freeze()


def main(module: str) -> None:
    control = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    # Its memory is that of all readers to come.
    with suppress(OSError):
        kernel.hide_process()
    warm_up(module)
    WarmParent(control).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
