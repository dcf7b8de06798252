"""The child that trains: from a folder with a plan and examples to a PEFT folder. Started by ingest/tune/run.py.

Lines of JSON on standard output say how far it is. It ends when its standard input does, so that it never outlives
the worker.
"""

from __future__ import annotations

import fcntl
import importlib.util
import json
import math
import os
import resource
import shutil
import sys
import threading
import time
from pathlib import Path
from typing import Any, TextIO

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    BitsAndBytesConfig,
    EarlyStoppingCallback,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from app.sandbox.subprocesses import OUT_OF_MEMORY
from app.up.preflight import has_bfloat16
from ingest.tune.plan import (
    CHECKPOINTS,
    HELD_OUT,
    REFUSED,
    RESULT,
    TRAIN,
    Plan,
    read_examples,
    steps_between_saves,
    steps_of,
)

NICENESS = 19
LEARNING_RATES = {"sft": 2e-4, "dpo": 5e-5}
STATE = "trainer_state.json"
ADAPTER_FILES = {"adapter_config.json", "adapter_model.safetensors"}


class Refusal(Exception):
    """For the caller to read."""


class Report(TrainerCallback):  # type: ignore[misc]
    """Says each step, and each measurement on the held-out rows."""

    def __init__(self, say: TextIO) -> None:
        self._say = say
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
            raise Refusal(f"The loss is not finite at step {state.global_step}: take a lower learning_rate.")
        spent = (time.monotonic() - self._began) / max(1, state.global_step - self._first)
        self.say(
            step=state.global_step,
            steps=state.max_steps,
            **{name: logs[name] for name in ("loss", "eval_loss", "learning_rate") if name in logs},
            seconds_left=round(spent * (state.max_steps - state.global_step)),
        )

    def say(self, **message: Any) -> None:
        self._say.write(json.dumps(message) + "\n")
        self._say.flush()


def main(folder: Path) -> int:
    say = os.fdopen(os.dup(1), "w")
    # What a library prints goes to the log.
    os.dup2(2, 1)
    threading.Thread(target=_end_with_the_worker, daemon=True).start()
    os.nice(NICENESS)
    # A worker that has lost its lease may not have ended its child yet.
    lock = (folder / "lock").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    plan = Plan.read(folder)
    report = Report(say)
    try:
        _limit(plan)
        _train(plan, folder, report)
    except Refusal as refusal:
        report.say(error=str(refusal))
        return REFUSED
    except (MemoryError, torch.OutOfMemoryError):
        return OUT_OF_MEMORY
    except RuntimeError as error:
        if "allocate memory" in str(error):
            return OUT_OF_MEMORY
        raise
    return 0


def _end_with_the_worker() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _limit(plan: Plan) -> None:
    """What it may write to: address space also counts what torch maps and never touches."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if not torch.cuda.is_available():
        resource.setrlimit(resource.RLIMIT_DATA, (plan.memory_mb << 20, plan.memory_mb << 20))


def _train(plan: Plan, folder: Path, report: Report) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plan.base)
    train, too_long = _fitting(read_examples(folder / TRAIN), tokenizer, plan.hyperparameters.max_length)
    held_out, more = _fitting(read_examples(folder / HELD_OUT), tokenizer, plan.hyperparameters.max_length)
    if not train:
        raise Refusal(f"All rows are longer than max_length, {plan.hyperparameters.max_length} tokens.")
    checkpoint = _last_checkpoint(folder / CHECKPOINTS)
    rows = {"train": len(train), "held_out": len(held_out), "too_long": too_long + more}
    report.say(rows=rows, resumed_at=_step(checkpoint) if checkpoint else None)
    trainer = _trainer(plan, folder, tokenizer, train, held_out)
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(report)
    if held_out and plan.hyperparameters.patience is not None:
        trainer.add_callback(EarlyStoppingCallback(plan.hyperparameters.patience))
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    _save(plan, trainer, folder / RESULT)
    report.say(**_outcome(trainer.state))


def _fitting(examples: list[dict[str, Any]], tokenizer: Any, limit: int) -> tuple[list[dict[str, Any]], int]:
    """Those within the limit: one that is cut off would teach answers that break off."""
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


def _trainer(
    plan: Plan, folder: Path, tokenizer: Any, train: list[dict[str, Any]], held_out: list[dict[str, Any]]
) -> SFTTrainer | DPOTrainer:
    parameters = plan.hyperparameters
    torch.manual_seed(parameters.seed)
    options: dict[str, Any] = {
        "model": _base(plan),
        "train_dataset": Dataset.from_list(train),
        "eval_dataset": Dataset.from_list(held_out) if held_out else None,
        "processing_class": tokenizer,
        "peft_config": LoraConfig(
            task_type="CAUSAL_LM",
            r=parameters.rank,
            lora_alpha=parameters.alpha or 2 * parameters.rank,
            lora_dropout=parameters.dropout,
            target_modules=parameters.target_modules,
            use_rslora=parameters.kind == "rslora",
        ),
    }
    arguments = _arguments(plan, folder, rows=len(train), measured=bool(held_out))
    if plan.method == "dpo":
        return DPOTrainer(args=DPOConfig(beta=parameters.beta, **arguments), **options)
    return SFTTrainer(args=SFTConfig(completion_only_loss=True, **arguments), **options)


def _base(plan: Plan) -> Any:
    options: dict[str, Any] = {"dtype": torch.bfloat16 if _has_bfloat16() else torch.float32}
    if plan.hyperparameters.base_4bit:
        if importlib.util.find_spec("bitsandbytes") is None:
            raise Refusal("base_4bit needs bitsandbytes: the worker's operator installs the extra 'qlora'.")
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=options["dtype"],
        )
    return AutoModelForCausalLM.from_pretrained(plan.base, **options)


def _has_bfloat16() -> bool:
    """In hardware: emulated, it takes five times as long."""
    return torch.cuda.is_bf16_supported() if torch.cuda.is_available() else has_bfloat16()


def _arguments(plan: Plan, folder: Path, *, rows: int, measured: bool) -> dict[str, Any]:
    parameters = plan.hyperparameters
    steps = steps_of(parameters, rows)
    gpu = torch.cuda.is_available()
    return {
        "output_dir": str(folder / CHECKPOINTS),
        "max_steps": steps,
        "learning_rate": parameters.learning_rate or LEARNING_RATES[plan.method],
        "warmup_steps": round(parameters.warmup * steps),
        "per_device_train_batch_size": parameters.batch_size,
        "per_device_eval_batch_size": parameters.batch_size,
        "gradient_accumulation_steps": parameters.gradient_accumulation,
        # Memory for time, which a GPU has to spare.
        "gradient_checkpointing": gpu,
        "max_length": parameters.max_length,
        "seed": parameters.seed,
        "bf16": gpu and _has_bfloat16(),
        "use_cpu": not gpu,
        "dataloader_pin_memory": gpu,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "eval_strategy": "steps" if measured else "no",
        "eval_steps": steps_between_saves(steps),
        "save_steps": steps_between_saves(steps),
        "save_total_limit": 1,
        "load_best_model_at_end": measured,
        "metric_for_best_model": "eval_loss" if measured else None,
        "greater_is_better": False if measured else None,
        "report_to": "none",
        "disable_tqdm": True,
    }


def _last_checkpoint(folder: Path) -> Path | None:
    """The last that is complete: its state is written after all else."""
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
    """PEFT's two files alone, with the name under which the base model is served."""
    shutil.rmtree(target, ignore_errors=True)
    trainer.model.save_pretrained(target, save_embedding_layers=False)
    for other in [path for path in target.iterdir() if path.name not in ADAPTER_FILES]:
        other.unlink()
    config = target / "adapter_config.json"
    values = {**json.loads(config.read_text()), "base_model_name_or_path": plan.base_name}
    config.write_text(json.dumps(values, indent=2, sort_keys=True))


def _outcome(state: TrainerState) -> dict[str, Any]:
    losses = [each["loss"] for each in state.log_history if "loss" in each]
    measured = [each["eval_loss"] for each in state.log_history if "eval_loss" in each]
    return {"done": {"steps": state.global_step, "loss": losses[-1], "eval_loss": min(measured, default=None)}}


if __name__ == "__main__":
    # torch's threads need not be waited for.
    os._exit(main(Path(sys.argv[1])))
