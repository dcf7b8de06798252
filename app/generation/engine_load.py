"""What a vLLM says of its own work at /metrics. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Of each of its processes one line: `name{labels} value`.
SAMPLE = re.compile(r"^vllm:(\w+)(?:\{[^\n]*\})? ([0-9.eE+-]+)$", re.MULTILINE)
TOKENS = frozenset({"prompt_tokens_total", "generation_tokens_total", "iteration_tokens_total_count"})


@dataclass(frozen=True, slots=True)
class EngineLoad:
    """`running` counts requests; `done` grows with each step of the engine and means nothing by itself."""

    running: float
    done: float


def load_of(metrics: str) -> EngineLoad:
    """Read it from the text; what another kind of engine says is none."""
    samples = [(name, float(value)) for name, value in SAMPLE.findall(metrics)]
    return EngineLoad(
        running=sum(value for name, value in samples if name == "num_requests_running"),
        done=sum(value for name, value in samples if name in TOKENS),
    )
