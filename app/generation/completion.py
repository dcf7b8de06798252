"""Build a completion from the events of the engine's stream."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.errors import EngineUnavailable
from app.generation.faults import BROKE_OFF, well_formed
from app.metering import TokenUsage

FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True)
class Generation:
    text: str
    """Without the reasoning, which the engine's reasoning parser sends separately."""
    finish_reason: FinishReason
    prompt_tokens: int
    completion_tokens: int
    first_token_s: float
    reasoning: str = ""
    likely: Mapping[str, float] = field(default_factory=dict)
    """What the first token may be, with log-probabilities, if they were asked for."""


@dataclass(slots=True)
class CompletionBuilder:
    started: float
    texts: list[str] = field(default_factory=list)
    thoughts: list[str] = field(default_factory=list)
    first_token_s: float = 0.0
    finish_reason: str | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    likely: dict[str, float] = field(default_factory=dict)

    def add(self, event: Any) -> str:
        """Return the text that is new. Raises EngineUnavailable if the event is not one of a completion."""
        new = ""
        with well_formed():
            self.usage.see(event)
            for choice in event["choices"]:
                self.finish_reason = choice.get("finish_reason") or self.finish_reason
                delta = choice["delta"]
                self.likely = self.likely or _likely(choice)
                text, thought = delta.get("content"), delta.get("reasoning") or delta.get("reasoning_content")
                if text or thought:
                    self.first_token_s = self.first_token_s or time.perf_counter() - self.started
                self.thoughts.append(thought or "")
                self.texts.append(text or "")
                new += self.texts[-1]
        return new

    def finish(self) -> Generation:
        """Return the whole. Raises EngineUnavailable if it broke off."""
        if self.finish_reason in (None, "abort", "error"):
            raise EngineUnavailable(BROKE_OFF)
        with well_formed():
            return Generation(
                text="".join(self.texts).strip(),
                finish_reason="length" if self.finish_reason == "length" else "stop",
                prompt_tokens=self.usage.prompt_tokens,
                completion_tokens=self.usage.completion_tokens,
                first_token_s=self.first_token_s,
                reasoning="".join(self.thoughts).strip(),
                likely=self.likely,
            )


def _likely(choice: Any) -> dict[str, float]:
    places = (choice.get("logprobs") or {}).get("content") or []
    return {each["token"]: float(each["logprob"]) for place in places[:1] for each in place["top_logprobs"]}
