"""adapter_config.json: what PEFT wrote, and whether vLLM serves such an adapter."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ingest.adapters.rejection import Rejected

# vLLM reads any of these as LoRA, and then fails or answers nonsense.
METHODS = {
    "ADALORA": "AdaLoRA",
    "IA3": "IA³",
    "PREFIX_TUNING": "Prefix tuning",
    "PROMPT_TUNING": "Prompt tuning",
    "MULTITASK_PROMPT_TUNING": "Multitask prompt tuning",
    "P_TUNING": "P-tuning",
    "LOHA": "LoHa",
    "LOKR": "LoKr",
    "OFT": "OFT",
    "BOFT": "BOFT",
    "VERA": "VeRA",
    "XLORA": "X-LoRA",
}
INSTEAD = "Train with LoRA or rsLoRA (peft.LoraConfig)"
# What such an initialisation makes of the base model's weights, the engine's base model does not have.
SERVED_INITS = frozenset({"gaussian", "eva", "orthogonal"})
UNSERVED = {
    "use_dora": "DoRA",
    "use_qalora": "QALoRA",
    "use_bdlora": "BD-LoRA",
    "lora_bias": "LoRA with a bias (lora_bias)",
    "alora_invocation_tokens": "Activated LoRA (aLoRA)",
    "layer_replication": "Layer replication",
    "target_parameters": "LoRA on parameters (target_parameters)",
    "trainable_token_indices": "Trainable tokens (trainable_token_indices)",
    "modules_to_save": "An adapter with whole modules (modules_to_save)",
    "megatron_config": "LoRA for Megatron",
    "fan_in_fan_out": "LoRA on transposed layers (fan_in_fan_out)",
    "ensure_weight_tying": "LoRA with tied weights (ensure_weight_tying)",
}
# They change nothing about what the weights mean once they are there.
WITHOUT_EFFECT = frozenset(
    {"auto_mapping", "peft_version", "revision", "inference_mode", "lora_dropout", "megatron_core", "qalora_group_size",
     "layers_to_transform", "layers_pattern", "exclude_modules", "runtime_config", "eva_config"}
)  # fmt: skip

Pattern = Annotated[str, Field(min_length=1, max_length=200)]
Alpha = Annotated[float, Field(gt=0, le=1e6, allow_inf_nan=False)]
Rank = Annotated[int, Field(ge=1, le=1 << 16)]


class PeftFields(BaseModel):
    """Those that count; others are in `model_extra`."""

    model_config = ConfigDict(extra="allow", strict=True)

    peft_type: str
    task_type: str | None = None
    base_model_name_or_path: Annotated[str, Field(min_length=1, max_length=1000)]
    r: Rank
    lora_alpha: Alpha
    use_rslora: bool = False
    bias: str = "none"
    init_lora_weights: bool | str | None = True
    target_modules: Annotated[list[Pattern], Field(min_length=1, max_length=1000)] | Pattern
    rank_pattern: dict[Pattern, Rank] = Field({}, max_length=1000)
    alpha_pattern: dict[Pattern, Alpha] = Field({}, max_length=1000)


@dataclass(frozen=True)
class AdapterConfig:
    base_model: str
    rank: int
    alpha: float
    rslora: bool
    target_modules: Sequence[str] | str
    rank_pattern: dict[str, int]
    alpha_pattern: dict[str, float]

    @property
    def max_rank(self) -> int:
        return max(self.rank, *self.rank_pattern.values(), 0)

    def rank_of(self, module: str) -> int:
        found = _by_pattern(self.rank_pattern, module)
        return self.rank if found is None else int(found)

    def alpha_of(self, module: str) -> float:
        found = _by_pattern(self.alpha_pattern, module)
        return self.alpha if found is None else float(found)

    def scale_of(self, module: str) -> float:
        rank = self.rank_of(module)
        return self.alpha_of(module) / (math.sqrt(rank) if self.rslora else rank)

    def targets(self, module: str) -> bool:
        """Say whether PEFT would adapt this module."""
        if isinstance(self.target_modules, str):
            return self.target_modules == "all-linear" or re.fullmatch(self.target_modules, module) is not None
        return any(module == target or module.endswith(f".{target}") for target in self.target_modules)


def read_fields(file: Path) -> dict[str, Any]:
    """Read the JSON object. Raises Rejected."""
    try:
        fields = json.loads(file.read_bytes(), object_pairs_hook=_without_twins)
    except (ValueError, RecursionError):
        raise Rejected("config", "adapter_config.json is not valid JSON.") from None
    if not isinstance(fields, dict):
        raise Rejected("config", "adapter_config.json is not a JSON object.")
    return fields


def refuse_unserved(fields: dict[str, Any]) -> None:
    """Refuse every kind of adapter that vLLM cannot serve. Raises Rejected."""
    method = fields.get("peft_type")
    if method != "LORA":
        name = METHODS.get(str(method), str(method)[:40])
        raise Rejected("method", f"{name} cannot be served by vLLM. {INSTEAD} instead.")
    for name, what in UNSERVED.items():
        if fields.get(name):
            raise Rejected("method", f"{what} cannot be served by vLLM. {INSTEAD} without it.")
    if fields.get("bias", "none") != "none":
        raise Rejected("method", f"LoRA with trained biases (bias) cannot be served by vLLM. {INSTEAD}, bias='none'.")
    init = fields.get("init_lora_weights")
    if isinstance(init, str) and init.lower() not in SERVED_INITS:
        raise Rejected(
            "method",
            f"init_lora_weights={init[:40]!r} changes the base model's own weights, which the engine does not. Convert "
            "the adapter with PEFT's path_initial_model_for_weight_conversion.",
        )
    if fields.get("loftq_config"):
        raise Rejected("method", f"LoftQ changes the base model's own weights, which the engine does not. {INSTEAD}.")
    if fields.get("task_type") != "CAUSAL_LM":
        raise Rejected("method", "task_type is not CAUSAL_LM: only adapters of text-generating models are served.")
    known = PeftFields.model_fields.keys() | UNSERVED.keys() | WITHOUT_EFFECT | {"loftq_config"}
    if unknown := sorted(name for name, value in fields.items() if value and name not in known):
        raise Rejected("method", f"{unknown[0][:60]!r} is set, a feature that this service does not know. {INSTEAD}.")


def validate(fields: dict[str, Any]) -> AdapterConfig:
    """Validate the fields. Raises Rejected."""
    try:
        found = PeftFields.model_validate({**fields, **{name: fields.get(name) or {} for name in PATTERNS}})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part)[:60] for part in first["loc"])
        raise Rejected("config", f"adapter_config.json, {where}: {first['msg']}.") from None
    for pattern in (*found.rank_pattern, *found.alpha_pattern, *_targets(found.target_modules)):
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError):
            raise Rejected("config", f"adapter_config.json: {pattern!r} is not a valid pattern.") from None
    return AdapterConfig(
        found.base_model_name_or_path,
        found.r,
        found.lora_alpha,
        found.use_rslora,
        found.target_modules,
        found.rank_pattern,
        found.alpha_pattern,
    )


def refuse_rank(config: AdapterConfig, max_rank: int) -> None:
    if config.max_rank > max_rank:
        raise Rejected(
            "rank",
            f"The adapter's rank is {config.max_rank}; the engine takes at most {max_rank} (KYUJANG_MAX_LORA_RANK).",
        )


PATTERNS = ("rank_pattern", "alpha_pattern")


def _targets(target_modules: list[str] | str) -> list[str]:
    return [target_modules] if isinstance(target_modules, str) else []


def _by_pattern(patterns: dict[str, Any], module: str) -> Any:
    """Return the first value whose key fits the end of the name from a dot on, as PEFT and vLLM do."""
    for key, value in patterns.items():
        if re.match(rf"(.*\.)?({key})$", module):
            return value
    return None


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a key that is there twice: readers differ in which value they take."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found
