"""TRL's trainer for a plan: the base model, LoRA's configuration and the training arguments."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, BitsAndBytesConfig
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from app import cpu
from ingest.tune.plan import CHECKPOINTS, Plan, TrainingRefused, steps_between_saves, steps_of

LEARNING_RATES = {"sft": 2e-4, "dpo": 5e-5}


def make_trainer(
    plan: Plan, folder: Path, tokenizer: Any, train: list[dict[str, Any]], held_out: list[dict[str, Any]]
) -> SFTTrainer | DPOTrainer:
    parameters = plan.hyperparameters
    torch.manual_seed(parameters.seed)
    options: dict[str, Any] = {
        "model": load_base(plan),
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


def load_base(plan: Plan) -> Any:
    options: dict[str, Any] = {"dtype": torch.bfloat16 if _has_bfloat16() else torch.float32}
    if plan.hyperparameters.base_4bit:
        if importlib.util.find_spec("bitsandbytes") is None:
            raise TrainingRefused("base_4bit needs bitsandbytes, from the extra 'qlora' of the worker (EXTRAS=qlora).")
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=options["dtype"],
        )
    return AutoModelForCausalLM.from_pretrained(plan.base, **options)


def _has_bfloat16() -> bool:
    """Say whether bfloat16 is computed in hardware: emulated, as on GPUs before Ampere, it takes five times as long."""
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return cpu.multiplies_bfloat16()


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
