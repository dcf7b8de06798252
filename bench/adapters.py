"""What LoRA adapters cost: tokens a second with 1 to N of them in the traffic, against the base model in the same run.

python -m bench.adapters --start FOLDER                                  # `python -m app up` in FOLDER, GPU or CPU
python -m bench.adapters --engine … --engine-key … --base-model FOLDER   # one that runs: http://… or unix:///…

The adapters are random, on all linear layers, too weak to change a text: equal work for equal texts. Each request takes
the next adapter, so that a batch holds as many as there are clients. Loading, and what has to make room, is included.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry
from safetensors.numpy import save_file

from app.generation.adapter_cache import Adapter, AdapterCache
from app.generation.timeouts import Timeouts
from app.generation.transport import EngineHttp
from app.metrics import Metrics
from app.settings import PACKAGED_MODEL
from bench.stack import started_with_engine
from ingest.adapters.base_model import open_base

PATIENT = Timeouts(5, 300, 300, 600)
SEED = 20261121
TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
WORDS = ("library", "archive", "keeper", "shelf", "scroll", "lantern", "harbour", "stone", "river", "gate", "tower")


def write_adapter(base: Path, folder: Path, rank: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    tensors: dict[str, Any] = {}
    for name, (out, into) in open_base(base, []).modules.items():
        if name.rpartition(".")[2] in TARGETS:
            key = f"base_model.model.{name}"
            tensors[f"{key}.lora_A.weight"] = random.normal(0, 0.01, (rank, into)).astype(np.float32)
            tensors[f"{key}.lora_B.weight"] = random.normal(0, 0.0001, (out, rank)).astype(np.float32)
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": rank, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": list(TARGETS)}))


@dataclass(frozen=True)
class Bench:
    http: EngineHttp
    model: str
    adapters: Sequence[Adapter]
    loaded: AdapterCache
    tokens: int

    async def round(self, count: int, clients: int, requests: int, seed: int) -> float:
        """Tokens a second with `count` adapters in turn; 0: the base model."""
        random = np.random.default_rng(seed)
        prompts = [" ".join(random.choice(WORDS, 150)) for _ in range(requests)]
        places = asyncio.Semaphore(clients)

        async def ask(number: int) -> int:
            async with places:
                if count == 0:
                    return await self._complete(self.model, prompts[number])
                adapter = self.adapters[number % count]
                async with self.loaded.pinned(adapter):
                    return await self._complete(adapter.name, prompts[number])

        started_at = time.perf_counter()
        made = await asyncio.gather(*(ask(number) for number in range(requests)))
        return sum(made) / (time.perf_counter() - started_at)

    async def _complete(self, model: str, prompt: str) -> int:
        body = {"model": model, "prompt": prompt, "max_tokens": self.tokens, "ignore_eos": True, "temperature": 0}
        answer = await self.http.call("POST", "/v1/completions", body)
        return int(answer["usage"]["completion_tokens"])


async def measure(options: argparse.Namespace, url: str, key: str, base: Path, folder: Path) -> list[dict[str, Any]]:
    metrics = Metrics()
    http = EngineHttp(url, key=key, timeouts=PATIENT)
    listed = await http.call("GET", "/v1/models")
    model = next(each["id"] for each in listed["data"] if not each.get("parent"))
    most = max(options.adapters)
    for number in range(most):
        write_adapter(base, folder / f"bench-{number}", options.rank, SEED + number)
    adapters = [Adapter(f"bench-{number}", str(folder / f"bench-{number}")) for number in range(most)]
    loaded = AdapterCache(http, "bench", options.held, metrics)
    bench = Bench(http, model, adapters, loaded, options.tokens)
    rows: list[dict[str, Any]] = []
    try:
        for clients in options.clients:
            rates: dict[int, list[float]] = {0: [], **{count: [] for count in options.adapters}}
            for number in range(options.rounds + 1):
                for count in sorted(rates, reverse=bool(number % 2)):
                    rate = await bench.round(count, clients, options.requests, SEED + 100 * number + count)
                    # The first round warms up.
                    if number:
                        rates[count].append(rate)
            rows += [_row(clients, count, rates) for count in rates]
            print(table(rows[-len(rates) :]), flush=True)
    finally:
        for name in loaded.names:
            await loaded.unload(name, "bench")
        await http.close()
    print(f"loads: {_total(metrics.registry, 'kyujang_adapter_loads_total', 'loaded')}, ", end="")
    print(f"of these {_total(metrics.registry, 'kyujang_adapter_unloads_total', 'evicted')} made another one go")
    return rows


def _row(clients: int, count: int, rates: dict[int, list[float]]) -> dict[str, Any]:
    ratios = [mine / its for mine, its in zip(rates[count], rates[0], strict=True)]
    return {
        "clients": clients,
        "adapters": count,
        "tokens/s": round(statistics.median(rates[count]), 1),
        "of the base model's": round(statistics.median(ratios), 3),
        "from": round(min(ratios), 3),
        "to": round(max(ratios), 3),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    lines = [list(rows[0]), ["---:"] * len(rows[0]), *([str(value) for value in row.values()] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _total(registry: CollectorRegistry, name: str, label: str) -> int:
    samples = (sample for metric in registry.collect() for sample in metric.samples if sample.name == name)
    return int(sum(sample.value for sample in samples if label in sample.labels.values()))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.adapters", description=__doc__)
    parser.add_argument("--start", type=Path)
    parser.add_argument("--engine")
    parser.add_argument("--engine-key", default="")
    parser.add_argument("--base-model", type=Path, help="folder with the base model's config.json or safetensors")
    parser.add_argument("--adapters", type=int, nargs="+", default=[1, 4, 20])
    parser.add_argument("--held", type=int, default=32, help="adapters the engine holds: its --max-cpu-loras")
    parser.add_argument("--rank", type=int, default=8)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--requests", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if not options.start and not (options.engine and options.base_model):
        parser.error("--start FOLDER, or --engine and --base-model")
    with ExitStack() as stack:
        url, key, base = options.engine, options.engine_key, options.base_model
        if options.start:
            _, url, key = stack.enter_context(started_with_engine(options.start))
            base = base or options.start / "models" / PACKAGED_MODEL
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kyujang-bench-")))
        folder.chmod(0o755)
        rows = asyncio.run(measure(options, url, key, base, folder))
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
