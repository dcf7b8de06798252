"""How far a training is, as its job shows it: the child's messages, put together. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

MAX_POINTS = 500
SHOWN = ("step", "steps", "loss", "eval_loss", "learning_rate", "seconds_left", "rows", "resumed_at", "notice")


@dataclass
class TrainingProgress:
    """`curve` has points `{step, loss}` and `{step, eval_loss}`; of a long run, one loss in so many steps.
    `counted` are the seconds of which the tenant's usage knows."""

    state: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)
    duplicates: int = 0
    seconds_before: int = 0
    counted: int = 0
    messages: int = 0
    outcome: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def resumed(cls, left: dict[str, Any] | None, *, notice: str | None) -> TrainingProgress:
        """Continue from what an earlier attempt has left, whose last steps may come again."""
        left = left or {}
        state = {name: left[name] for name in SHOWN if name in left} | {"notice": notice}
        before = left.get("seconds", 0)
        return cls(state, list(left.get("curve", [])), seconds_before=before, counted=before)

    def update(self, message: dict[str, Any]) -> None:
        self.messages += 1
        if "rows" in message:
            message = {**message, "rows": message["rows"] | {"duplicates": self.duplicates}}
        if "done" in message:
            self.outcome = message["done"]
        if "step" in message:
            self._plot(message)
        self.state |= {name: message[name] for name in SHOWN if name in message}

    def shown(self, seconds: float) -> dict[str, Any]:
        return {**self.state, "seconds": round(self.seconds_before + seconds), "curve": self.curve}

    def _plot(self, message: dict[str, Any]) -> None:
        step = message["step"]
        name = "eval_loss" if "eval_loss" in message else "loss"
        self.curve = [
            point for point in self.curve if point["step"] < step or (point["step"] == step and name not in point)
        ]
        every = -(-message["steps"] // MAX_POINTS)
        if name == "eval_loss" or step % every == 0 or step == 1:
            self.curve.append({"step": step, name: message[name]})
