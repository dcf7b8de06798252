"""What an engine is sent: messages and sampling values."""

from __future__ import annotations

from typing import Literal, TypedDict


class Message(TypedDict):
    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(TypedDict, total=False):
    """By vLLM's names."""

    temperature: float
    top_p: float
    top_k: int
    min_p: float
    max_tokens: int
    stop: list[str]
    seed: int


DEFAULT_SAMPLING = Sampling(temperature=0.0, top_p=1.0, max_tokens=256)
