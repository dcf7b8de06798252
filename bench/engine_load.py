"""Users of an engine, asked directly: when the first token comes, how many a second, and whether answers stay alike."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.generation.transport import EngineHttp
from bench.adapters import WORDS

ROUNDS_A_USER = 2
ALIKE = 16


@dataclass
class Served:
    """Seconds until the first token of each request, and tokens a second of each round."""

    waits: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return sum(self.rates) / len(self.rates)

    def first(self, share: float) -> float:
        return sorted(self.waits)[math.ceil(share * len(self.waits)) - 1]


@dataclass(frozen=True)
class Load:
    http: EngineHttp
    model: str
    words: int
    tokens: int

    def prompt(self, seed: str) -> str:
        return " ".join(random.Random(seed).choices(WORDS, k=self.words))

    async def answer(self, prompt: str, model: str) -> tuple[float, int]:
        """Return the seconds until the first token, and how many tokens came."""
        body = self._body(prompt, model) | {"stream": True, "stream_options": {"include_usage": True}}
        began = time.perf_counter()
        events = await self.http.stream("/v1/completions", body)
        first = time.perf_counter() - began
        usage: dict[str, int] = {}
        try:
            async for event in events:
                usage = event.get("usage") or usage
        finally:
            await events.aclose()
        return first, usage["completion_tokens"]

    async def text(self, prompt: str, model: str, salt: str) -> str:
        body = self._body(prompt, model) | {"cache_salt": salt}
        return str((await self.http.call("POST", "/v1/completions", body))["choices"][0]["text"])

    async def adapters(self, folder: Path, kind: str, count: int) -> float:
        """Load so many; return the milliseconds that the slowest took."""
        took = [0.0]
        for name in (f"{kind}-{number}" for number in range(count)):
            began = time.perf_counter()
            await self.http.send("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder / name)})
            took.append(1000 * (time.perf_counter() - began))
        return max(took)

    async def adapters_while_busy(self, folder: Path, kind: str, count: int, *, users: int) -> float:
        work = asyncio.create_task(self.round(users, [self.model], "busy", Served()))
        await asyncio.sleep(0)
        try:
            return await self.adapters(folder, kind, count)
        finally:
            await work

    async def round(self, users: int, models: Sequence[str], seed: str, served: Served) -> None:
        """Have each user ask twice, one question after the other."""
        requests = iter(range(ROUNDS_A_USER * users))

        async def user() -> int:
            tokens = 0
            for number in requests:
                first, made = await self.answer(self.prompt(f"{seed}/{number}"), models[number % len(models)])
                served.waits.append(first)
                tokens += made
            return tokens

        began = time.perf_counter()
        made = await asyncio.gather(*(user() for _ in range(users)))
        served.rates.append(sum(made) / (time.perf_counter() - began))

    def _body(self, prompt: str, model: str) -> dict[str, Any]:
        own = {"model": model, "prompt": prompt, "max_tokens": self.tokens}
        return {**own, "temperature": 0, "ignore_eos": True}


async def serve(load: Load, users: int, counts: Sequence[int], rounds: int) -> dict[int, Served]:
    """Serve the users with each number of adapters; 0 is the base model. What comes first warms up."""
    models = {count: [f"weak-{number}" for number in range(count)] or [load.model] for count in counts}
    served = {count: Served() for count in counts}
    for number in range(rounds + 1):
        for count in reversed(counts) if number % 2 else counts:
            counted = served[count] if number else Served()
            await load.round(users, models[count], f"{users}/{count}/{number}", counted)
    return served


async def parity(load: Load) -> str:
    """Say how many of the base model's answers stay the same beside strong adapters, and beside its own."""
    strong = [f"strong-{number}" for number in range(4)]

    async def answers(neighbours: Sequence[str], salt: str) -> list[str]:
        mine = [load.text(load.prompt(f"mine {n}"), load.model, salt) for n in range(ALIKE)]
        beside = [load.text(load.prompt(f"next {n}"), neighbours[n % len(neighbours)], salt) for n in range(ALIKE)]
        found = await asyncio.gather(*(each for pair in zip(mine, beside, strict=True) for each in pair))
        return list(found[::2])

    first, again, mixed = [
        await answers(neighbours, salt)
        for neighbours, salt in (([load.model], "a"), ([load.model], "b"), (strong, "c"))
    ]
    same, beside = (sum(one == two for one, two in zip(first, other, strict=True)) for other in (again, mixed))
    return f"of {ALIKE} answers of the base model {same} are the same beside its own, {beside} beside strong adapters"
