"""What a framework's script is given, and what it tells. Runs in the frameworks' environment."""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tokenizers import Tokenizer

TokenIds = Callable[[str], list[int]]


@dataclass(frozen=True)
class Task:
    """`chunk` and `overlap` are in tokens of the model's own tokenizer."""

    model: Path
    chunk: int
    overlap: int
    token_ids: TokenIds


TakeIn = Callable[[Sequence[Path]], list[str]]
"""Files to a new index in memory: read, split, embedded, stored. Returns the chunks' texts."""

QUERY, PASSAGE = "query: ", "passage: "


def run(open_framework: Callable[[Task], TakeIn], *packages: str) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--documents", type=Path, required=True)
    parser.add_argument("--warm-up", type=Path, required=True)
    parser.add_argument("--chunk", type=int, required=True)
    parser.add_argument("--overlap", type=int, required=True)
    options = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))

    def token_ids(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    loading = time.perf_counter()
    take_in = open_framework(Task(options.model, options.chunk, options.overlap, token_ids))
    take_in([options.warm_up])
    started, cpu = time.perf_counter(), time.process_time()
    texts = take_in(sorted(options.documents.glob("*.txt")))
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    figures = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "load_seconds": round(started - loading, 2),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "chunks": len(texts),
        "tokens": sum(len(token_ids(text)) for text in texts),
        "versions": {package: version(package) for package in packages},
    }
    print(json.dumps(figures))
