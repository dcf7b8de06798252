"""What the training child reads, for both sides. No torch here."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from app.adapters.training_request import Hyperparameters, Method
from ingest.tune.instructions import Examples

PLAN, TRAIN, HELD_OUT, CHECKPOINTS, RESULT = "plan.json", "train.jsonl", "held-out.jsonl", "checkpoints", "adapter"
# Of a run, checkpoints and measurements on the held-out rows; in a long one every so many steps.
SAVES, MAX_STEPS_BETWEEN_SAVES = 10, 200


class TrainingRefused(Exception):
    """The training cannot be done as it was asked for; the message is for the caller to read."""


@dataclass(frozen=True, slots=True)
class Plan:
    """`base` is a folder; `base_name` is what the engine serves it as."""

    method: Method
    base: str
    base_name: str
    hyperparameters: Hyperparameters
    memory_mb: int

    def write(self, folder: Path, examples: Examples) -> None:
        """Write the plan last: a folder with a plan is complete."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, some in ((TRAIN, examples.train), (HELD_OUT, examples.held_out)):
            (folder / name).write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in some))
        unfinished = folder / f".{PLAN}"
        unfinished.write_text(json.dumps({**asdict(self), "hyperparameters": self.hyperparameters.model_dump()}))
        unfinished.rename(folder / PLAN)

    @classmethod
    def read(cls, folder: Path) -> Plan:
        values = json.loads((folder / PLAN).read_text())
        return cls(**{**values, "hyperparameters": Hyperparameters(**values["hyperparameters"])})


def read_examples(path: Path) -> list[dict[str, Any]]:
    with path.open() as file:
        return [json.loads(line) for line in file]


def steps_of(parameters: Hyperparameters, rows: int) -> int:
    """Return how often the weights are updated in the whole run."""
    if parameters.max_steps is not None:
        return parameters.max_steps
    batches = -(-rows // parameters.batch_size)
    return parameters.epochs * -(-batches // parameters.gradient_accumulation)


def steps_between_saves(steps: int) -> int:
    return max(1, min(MAX_STEPS_BETWEEN_SAVES, steps // SAVES))
