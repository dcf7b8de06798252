"""The child's end of the channel: messages go to the parent, requests come from it."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Iterable, Iterator
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any, BinaryIO, Self


class Channel:
    """`paths`: the files that the child was handed, by name. `protections`: what confines it."""

    def __init__(self, requests: BinaryIO, messages: BinaryIO) -> None:
        self._requests = requests
        self._messages = messages
        self.paths: dict[str, Path] = {}
        self.protections: dict[str, str] = {}

    @classmethod
    def open(cls) -> Self:
        """Take over standard input and output, so that libraries that print or read cannot disturb the talk."""
        channel = cls(os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb"))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        return channel

    def send(self, message: dict[str, Any], payload: Iterable[bytes] = ()) -> None:
        """Send a line of JSON, and after the last one perhaps bytes, which need no escaping."""
        self._messages.write(json.dumps(message).encode() + b"\n")
        for part in payload:
            self._messages.write(part)
        self._messages.flush()

    def requests(self) -> Iterator[Any]:
        """Yield the parent's requests until it sends None. From the call on, this process ends with its parent."""
        waiting: SimpleQueue[Any] = SimpleQueue()
        Thread(target=self._listen, args=(waiting,), daemon=True).start()
        return iter(waiting.get, None)

    def end_with_parent(self) -> None:
        """End this process as soon as its parent has ended, however that came about."""
        Thread(target=self._listen, args=(SimpleQueue(),), daemon=True).start()

    def _listen(self, waiting: SimpleQueue[Any]) -> None:
        request: Any = ""
        while request is not None:
            try:
                request = pickle.load(self._requests)  # noqa: S301 - from our parent
            except EOFError:
                os._exit(1)
            waiting.put(request)
