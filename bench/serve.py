"""What /query adds to the engine: latency, tokens a second, the prefix cache. The engine is asked bare in the same run.

python -m bench.serve --start FOLDER                                 # `python -m app up` in FOLDER, GPU or CPU
python -m bench.serve --url … --key … --engine … --engine-key …      # one that runs: http://… or unix:///…/engine.sock
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.generation.transport import UNIX
from bench.stack import started_with_engine

SEED = 20261121
PREFIX = "bench-serve"
PROMPT = "bench-serve"
SALT = "of the benchmark's own"
HALL = "The hall {0} of the archive in {1} was built in {2} and holds {3} shelves. Its keeper has the extension {4}."
TOWNS = ("Gangneung", "Mokpo", "Andong", "Tongyeong", "Jeonju", "Sokcho", "Namwon", "Yeosu")


@dataclass(frozen=True)
class Bench:
    service: httpx.AsyncClient
    engine: httpx.AsyncClient
    model: str
    questions: Sequence[str]
    max_tokens: int
    top_k: int

    def body(self, question: str, **fields: Any) -> dict[str, Any]:
        sampling = {"temperature": 0, "max_tokens": self.max_tokens}
        return {"input": question, "top_k": self.top_k, "grounding": "mark", **sampling, **fields}

    async def query(self, question: str, **fields: Any) -> dict[str, Any]:
        answer = await self.service.post("/query", json=self.body(question, **fields))
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    async def search(self, question: str) -> None:
        answer = await self.service.post("/search", json={"input": question, "top_k": self.top_k})
        answer.raise_for_status()

    async def messages(self, question: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = (await self.query(question, dry_run=True))["messages"]
        return found

    async def bare(self, messages: list[dict[str, str]]) -> int:
        """Tokens of the answer. Streamed, as the service asks for it."""
        body = {"model": self.model, "messages": messages, "temperature": 0, "top_p": 1, "max_tokens": self.max_tokens}
        body |= {"stream": True, "stream_options": {"include_usage": True}, "cache_salt": SALT}
        tokens = 0
        async with self.engine.stream("POST", "/v1/chat/completions", json=body) as answer:
            answer.raise_for_status()
            async for line in answer.aiter_lines():
                if line.startswith("data: {"):
                    tokens = (json.loads(line.removeprefix("data: ")).get("usage") or {}).get("completion_tokens", 0)
        return tokens


async def latency(bench: Bench) -> dict[str, float]:
    """Milliseconds, in pairs: the same question through the service and, with the same prompt, bare."""
    through, bare, added, outside = [], [], [], []
    for number, question in enumerate(bench.questions):
        messages = await bench.messages(question)

        async def ask(question: str = question) -> None:
            started_at = time.perf_counter()
            steps = (await bench.query(question))["timings_ms"]
            wall = 1000 * (time.perf_counter() - started_at)
            through.append(wall - steps["embed"] - steps["search"])
            outside.append(wall - steps["embed"] - steps["search"] - steps["generate"])

        async def ask_bare(messages: list[dict[str, str]] = messages, question: str = question) -> None:
            # On a CPU, embedding and search leave the engine a cold cache: here too, outside the time taken.
            await bench.search(question)
            started_at = time.perf_counter()
            await bench.bare(messages)
            bare.append(1000 * (time.perf_counter() - started_at))

        for work in (ask, ask_bare) if number % 2 else (ask_bare, ask):
            await work()
        added.append(through[-1] - bare[-1])
    low, high = interval(added)
    return {
        "through the service, without embed and search, p50": statistics.median(through),
        "bare, p50": statistics.median(bare),
        "added, p50 of the pairs": statistics.median(added),
        "added, p50, 95 % interval from": low,
        "added, p50, 95 % interval to": high,
        "outside embed, search and the engine's work, p50": statistics.median(outside),
    }


async def throughput(bench: Bench, clients: int, rounds: int) -> dict[str, float]:
    """Tokens of answers a second, in turns; every round asks each question once."""
    prompts: list[list[dict[str, str]]] = []

    async def through(index: int) -> int:
        tokens: int = (await bench.query(bench.questions[index]))["usage"]["completion_tokens"]
        return tokens

    async def bare(index: int) -> int:
        return await bench.bare(prompts[index])

    rates: dict[str, list[float]] = {"through the service": [], "bare": []}
    for number in range(rounds):
        order: list[tuple[str, Callable[[int], Awaitable[int]]]] = [("through the service", through), ("bare", bare)]
        # Anew in each round: what the engine has seen before is in its prefix cache, and no question comes twice.
        prompts[:] = [await bench.messages(question) for question in bench.questions]
        for name, ask in order if number % 2 else reversed(order):
            started_at = time.perf_counter()
            tokens = await _spread(ask, len(prompts), clients)
            rates[name].append(tokens / (time.perf_counter() - started_at))
    found = {name: statistics.median(values) for name, values in rates.items()}
    pairs = [one / other for one, other in zip(rates["through the service"], rates["bare"], strict=True)]
    return found | {"ratio, median": statistics.median(pairs), "ratio, from": min(pairs), "ratio, to": max(pairs)}


async def _spread(ask: Callable[[int], Awaitable[int]], count: int, clients: int) -> int:
    waiting = iter(range(count))

    async def client() -> int:
        return sum([await ask(index) for index in waiting])

    return sum(await asyncio.gather(*(client() for _ in range(clients))))


async def prefix_cache(bench: Bench, prompt: str | None) -> float:
    """The share of prompt tokens that the engine had in its cache."""
    before = await _cache(bench)
    for question in bench.questions:
        await bench.query(question, **({"prompt": prompt} if prompt else {}), max_tokens=1)
    after = await _cache(bench)
    return (after[1] - before[1]) / max(1.0, after[0] - before[0])


async def _cache(bench: Bench) -> tuple[float, float]:
    """(tokens looked up, tokens found)."""
    text = (await bench.engine.get("/metrics")).text
    queries, hits = (
        sum(map(float, re.findall(rf"^vllm:prefix_cache_{name}_total\{{.*\}} (\S+)$", text, re.MULTILINE)))
        for name in ("queries", "hits")
    )
    return queries, hits


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Of the median, by the bootstrap."""
    generator = random.Random(SEED)
    medians = sorted(statistics.median(generator.choices(values, k=len(values))) for _ in range(2000))
    return medians[49], medians[1949]


@asynccontextmanager
async def shelf(service: httpx.AsyncClient, count: int) -> AsyncIterator[list[str]]:
    """Documents of our own, and a question for each."""
    halls = [
        (number, TOWNS[number % len(TOWNS)], 1900 + number, 3 * number + 7, 7000 + number) for number in range(count)
    ]
    documents = [{"id": f"{PREFIX}/{hall[0]}", "text": HALL.format(*hall)} for hall in halls]
    (await service.post("/ingest?wait=60", json={"documents": documents})).raise_for_status()
    examples = [
        {
            "input": f"When was the hall {number} built?",
            "output": f"It was built in {1800 + number} [1].",
            "context": text,
        }
        for number, text in enumerate(HALL.format(n, "Seoul", 1800 + n, n, n) for n in range(6))
    ]
    (await service.put(f"/prompts/{PROMPT}", json={"examples": examples})).raise_for_status()
    yield [f"When was the hall {hall[0]} of the archive in {hall[1]} built?" for hall in halls]
    for document in documents:
        await service.delete(f"/documents/{document['id']}")


async def measure(options: argparse.Namespace, url: str, engine: str, engine_key: str | None) -> dict[str, Any]:
    transport = httpx.AsyncHTTPTransport(uds=engine.removeprefix(UNIX)) if engine.startswith(UNIX) else None
    headers = {"Authorization": f"Bearer {engine_key}"} if engine_key else {}
    own = {"Authorization": f"Bearer {options.key}"} if options.key else {}
    async with (
        httpx.AsyncClient(base_url=url, headers=own, timeout=600) as service,
        httpx.AsyncClient(
            base_url="http://engine" if transport else engine, headers=headers, transport=transport, timeout=600
        ) as bare,
        shelf(service, options.questions) as questions,
    ):
        model = (await bare.get("/v1/models")).json()["data"][0]["id"]
        bench = Bench(service, bare, model, questions, options.max_tokens, options.top_k)
        for question in questions[:3]:
            await bench.query(question)
            await bench.bare(await bench.messages(question))
        found: dict[str, Any] = {"model": model, "load average before": os.getloadavg()[0]}
        if options.only in (None, "latency"):
            found["milliseconds"] = await latency(bench)
        for clients in options.clients if options.only in (None, "throughput") else ():
            found[f"tokens a second, {clients} clients"] = await throughput(bench, clients, options.rounds)
        if options.only in (None, "cache"):
            found["share of prompt tokens in the prefix cache"] = {
                "built-in prompt": await prefix_cache(bench, None),
                "prompt with six examples": await prefix_cache(bench, PROMPT),
            }
        return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.serve", description=__doc__.partition("\n")[0])
    parser.add_argument("--start", type=Path, metavar="FOLDER", help="start everything, with its data in this folder")
    parser.add_argument("--url", help="of a service that runs")
    parser.add_argument("--key", help="a tenant's, with the scopes query and ingest")
    parser.add_argument("--engine", help="that the service uses: http://… or unix:///path/engine.sock")
    parser.add_argument("--engine-key")
    parser.add_argument("--questions", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=lambda text: [int(each) for each in text.split(",")], default=[1, 4, 16])
    parser.add_argument("--max-tokens", type=int, default=32)
    parser.add_argument("--top-k", type=int, default=2)
    parser.add_argument("--only", choices=("latency", "throughput", "cache"), help="one of the three")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.start and not (options.url and options.engine):
        parser.error("--start FOLDER, or --url and --engine")
    running = nullcontext((options.url, options.engine, options.engine_key))
    with started_with_engine(options.start) if options.start else running as at:
        found = asyncio.run(measure(options, *at))
    text = json.dumps(found, indent=2, ensure_ascii=False)
    if options.json:
        options.json.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
