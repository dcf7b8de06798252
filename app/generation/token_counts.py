"""Token counts by the engine's own tokenizer; recent ones are cached."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

# Instructions and output indicators are the same in most prompts; a context comes with a fence of its own.
MAX_ENTRIES = 256


class TokenCounts:
    def __init__(self, ask: Callable[[str, str], Awaitable[int]]) -> None:
        """`ask` is given the model's name and the text."""
        self._ask = ask
        # Least recently used first. By their hashes: a deleted tenant's texts must not stay here.
        self._known: OrderedDict[tuple[str, bytes], int] = OrderedDict()

    async def of(self, model: str, text: str) -> int:
        key = (model, hashlib.sha256(text.encode()).digest())
        if key not in self._known:
            self._known[key] = await self._ask(model, text)
            if len(self._known) > MAX_ENTRIES:
                self._known.popitem(last=False)
        self._known.move_to_end(key)
        return self._known[key]

    def forget(self) -> None:
        self._known.clear()
