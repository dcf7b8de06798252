"""The child that trains: from a folder with a plan and examples to a PEFT folder. Started by ingest/tune/run.py.

Its messages say how far it is. It ends when the worker does.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoTokenizer,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import DPOTrainer, SFTTrainer

from app.sandbox.channel import Channel
from app.sandbox.limits import SPARE, Limits, can_have
from app.storage.peft_folder import CONFIG, FILES
from ingest.tune.plan import CHECKPOINTS, HELD_OUT, RESULT, TRAIN, Plan, TrainingRefused, read_examples
from ingest.tune.stopping import Stopped, reason_to_stop
from ingest.tune.trainer import make_trainer

NICENESS = 19
STATE = "trainer_state.json"


class StepReporter(TrainerCallback):  # type: ignore[misc]
    """Report each step, and each measurement on the held-out rows."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._began, self._first = time.monotonic(), 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._began, self._first = time.monotonic(), state.global_step

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        logs = logs or {}
        if not {"loss", "eval_loss"} & logs.keys():
            return
        if not math.isfinite(logs.get("loss", 0.0)):
            raise TrainingRefused(f"The loss is not finite at step {state.global_step}: take a lower learning_rate.")
        spent = (time.monotonic() - self._began) / max(1, state.global_step - self._first)
        message: dict[str, Any] = {
            "step": state.global_step,
            "steps": state.max_steps,
            **{name: logs[name] for name in ("loss", "eval_loss", "learning_rate") if name in logs},
            "seconds_left": round(spent * (state.max_steps - state.global_step)),
        }
        self._channel.send(message)


class EnoughLearnt(TrainerCallback):  # type: ignore[misc]
    """End the training at the measurement that says so."""

    def __init__(self, patience: int, *, measured: bool) -> None:
        self._patience, self._measured = patience, measured
        self.stopped: Stopped | None = None

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        every = int(state.eval_steps if self._measured else state.save_steps)
        is_measurement = ("eval_loss" if self._measured else "loss") in (logs or {}) and state.global_step % every == 0
        if is_measurement and state.global_step < state.max_steps:
            self.stopped = reason_to_stop(state.log_history, every=every, patience=self._patience)
            control.should_training_stop |= self.stopped is not None


def main(channel: Channel) -> None:
    channel.end_with_parent()
    os.nice(NICENESS)
    folder = channel.paths["folder"]
    # A worker that has lost its lease may not have ended its child yet.
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    # Of the base model the worker's word counts: an attempt before this one could write to the plan.
    plan = replace(Plan.read(folder), base=str(channel.paths["base"]))
    if not torch.cuda.is_available():
        # Address space would also count what torch maps and never touches.
        Limits(data=plan.memory_mb << 20).apply()
        if not can_have(SPARE):
            # The libraries alone take it all; what fails next would say anything, or crash.
            raise MemoryError
    try:
        run_training(plan, folder, channel)
    except TrainingRefused as refused:
        channel.send({"error": str(refused)})


def run_training(plan: Plan, folder: Path, channel: Channel) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plan.base)
    train, too_long = _fitting_rows(read_examples(folder / TRAIN), tokenizer, plan.hyperparameters.max_length)
    held_out, more = _fitting_rows(read_examples(folder / HELD_OUT), tokenizer, plan.hyperparameters.max_length)
    if not train:
        raise TrainingRefused(f"All rows are longer than max_length, {plan.hyperparameters.max_length} tokens.")
    checkpoint = _last_checkpoint(folder / CHECKPOINTS)
    rows = {"train": len(train), "held_out": len(held_out), "too_long": too_long + more}
    channel.send({"rows": rows, "resumed_at": _step(checkpoint) if checkpoint else None})
    trainer = make_trainer(plan, folder, tokenizer, train, held_out)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(StepReporter(channel))
    enough = None
    if plan.hyperparameters.patience is not None:
        enough = EnoughLearnt(plan.hyperparameters.patience, measured=bool(held_out))
        trainer.add_callback(enough)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _save(plan, trainer, folder / RESULT)
    channel.send(_outcome(trainer.state, enough.stopped if enough else None))


def _fitting_rows(examples: list[dict[str, Any]], tokenizer: Any, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Return the rows within the limit, and how many are not: a row cut short would teach answers that break off."""
    answers = ("completion", "chosen", "rejected")
    kept = [
        each
        for each in examples
        if all(
            len(tokenizer.apply_chat_template(each["prompt"] + each[name], return_dict=False)) <= limit
            for name in answers
            if name in each
        )
    ]
    return kept, len(examples) - len(kept)


def _last_checkpoint(folder: Path) -> Path | None:
    """Return the last complete checkpoint: its state is written after everything else."""
    return max((path for path in folder.glob("checkpoint-*") if _is_complete(path / STATE)), key=_step, default=None)


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _is_complete(state: Path) -> bool:
    try:
        json.loads(state.read_text())
    except (OSError, ValueError):
        return False
    return True


def _save(plan: Plan, trainer: SFTTrainer | DPOTrainer, target: Path) -> None:
    """Save only PEFT's two files, with the name under which the base model is served."""
    shutil.rmtree(target, ignore_errors=True)
    trainer.model.save_pretrained(target, save_embedding_layers=False)
    for other in [path for path in target.iterdir() if path.name not in FILES]:
        other.unlink()
    config = target / CONFIG
    values = {**json.loads(config.read_text()), "base_model_name_or_path": plan.base_name}
    config.write_text(json.dumps(values, indent=2, sort_keys=True))


def _outcome(state: TrainerState, stopped: Stopped | None) -> dict[str, Any]:
    losses = [each["loss"] for each in state.log_history if "loss" in each]
    measured = [each["eval_loss"] for each in state.log_history if "eval_loss" in each]
    done = {"steps": state.global_step, "loss": losses[-1], "eval_loss": min(measured, default=None)}
    return {"done": {**done, "planned_steps": state.max_steps, "stopped": stopped}}
