"""What a vLLM says of its own work at /metrics. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

# Of each of its processes one line: `name{labels} value`.
SAMPLE = re.compile(r"^vllm:(\w+)(?:\{[^\n]*\})? ([0-9.eE+-]+)$", re.MULTILINE)
TOKENS = frozenset({"prompt_tokens_total", "generation_tokens_total", "iteration_tokens_total_count"})
# What is shown among our own metrics. A share of the cache is that of the fullest process.
SHARE = "kv_cache_usage_perc"
SHOWN = frozenset(
    {
        "generation_tokens_total",
        SHARE,
        "num_preemptions_total",
        "num_requests_running",
        "num_requests_waiting",
        "prefix_cache_hits_total",
        "prefix_cache_queries_total",
        "prompt_tokens_total",
    }
)


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """`running` counts requests; `done` grows with each step of the engine and means nothing by itself."""

    running: float
    done: float
    shown: Mapping[str, float]


def load_of(metrics: str) -> EngineLoad:
    """Read it from the text; what another kind of engine says is none."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for name, value in SAMPLE.findall(metrics):
        found[name].append(float(value))
    return EngineLoad(
        running=sum(found.get("num_requests_running", ())),
        done=sum(sum(found.get(name, ())) for name in TOKENS),
        shown={name: (max if name == SHARE else sum)(found[name]) for name in SHOWN & found.keys()},
    )
