"""What a caller sends to have an adapter trained: rows, method, hyperparameters. ingest/tune/ trains it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, field_validator, model_validator

from app.language.unicode import CLEAN

Method = Literal["sft", "dpo"]

MIN_ROWS, MAX_ROWS = 10, 20_000
MAX_CHARS = 100_000
# Only what an engine can load is worth training. The words of vLLM 0.32's own refusals, or of what it does instead.
NOT_SERVED = {
    "dora": "vLLM does not load DoRA's magnitude vectors",
    "adalora": "vLLM does not load AdaLoRA's singular values",
    "ia3": "vLLM does not load IA3's vectors: it loads pairs of matrices alone",
    "prefix": "vLLM has no prefix tuning: it does not load key and value vectors",
    "prompt": "vLLM has no prompt tuning: it does not load virtual tokens",
    "p-tuning": "vLLM has no P-tuning: it does not load virtual tokens",
    "pissa": "PiSSA changes the base model's weights, and all tenants share those",
    "loftq": "LoftQ changes the base model's weights, and all tenants share those",
    "olora": "OLoRA changes the base model's weights, and all tenants share those",
    "full": "a full fine-tune is a base model of its own, and all tenants share one",
}

Written = Annotated[str, StringConstraints(min_length=1, max_length=MAX_CHARS, pattern=r"\S"), CLEAN]
Layer = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class SftRow(BaseModel):
    """Alpaca's fields. `input` is the passage to answer from, as /query's sources are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instruction: Written
    input: Annotated[str, Field(max_length=MAX_CHARS), CLEAN] = ""
    output: Written


class DpoRow(BaseModel):
    """One answer preferred to another."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instruction: Written
    input: Annotated[str, Field(max_length=MAX_CHARS), CLEAN] = ""
    chosen: Written
    rejected: Written

    @model_validator(mode="after")
    def _differ(self) -> DpoRow:
        if self.chosen == self.rejected:
            raise ValueError("chosen and rejected are the same: there is nothing to prefer")
        return self


Row = SftRow | DpoRow
ROWS: dict[Method, TypeAdapter[list[Any]]] = {"sft": TypeAdapter(list[SftRow]), "dpo": TypeAdapter(list[DpoRow])}


class Hyperparameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["lora", "rslora"] = Field("lora", description="lora or rslora")
    rank: int = Field(8, ge=1, le=512, description="LoRA's rank, at most KYUJANG_MAX_LORA_RANK")
    alpha: int | None = Field(None, ge=1, le=2048, description="Twice the rank if left out")
    dropout: float = Field(0.0, ge=0, le=0.9, description="LoRA's dropout")
    target_modules: Literal["all-linear"] | Annotated[list[Layer], Field(min_length=1, max_length=32)] = Field(
        "all-linear", description="Layers to train: all-linear, or a list of names"
    )
    base_4bit: bool = Field(
        False, description="QLoRA: load the base model in 4 bits while training; needs the extra qlora"
    )
    epochs: int = Field(3, ge=1, le=100, description="Passes over the rows")
    max_steps: int | None = Field(None, ge=1, le=100_000, description="Replaces epochs")
    learning_rate: float | None = Field(None, gt=0, le=1, description="2e-4 for sft and 5e-5 for dpo if left out")
    batch_size: int = Field(4, ge=1, le=256, description="Rows at a time")
    gradient_accumulation: int = Field(1, ge=1, le=256, description="Batches before each step")
    max_length: int = Field(
        1024, ge=32, le=32_768, description="The most tokens of a row; longer rows are left out and counted"
    )
    seed: int = Field(0, ge=0, lt=2**32, description="The same rows, seed and machine give the same adapter")
    eval_share: float = Field(0.1, ge=0, le=0.5, description="Share of the rows that is held out to measure the loss")
    patience: int | None = Field(
        3, ge=1, le=100, description="Measurements without a loss lower by a hundredth after which it stops early"
    )
    warmup: float = Field(0.03, ge=0, le=0.5, description="Share of the steps in which the learning rate rises")
    beta: float = Field(0.1, gt=0, le=10, description="For dpo: how close the adapter stays to the base model")

    @field_validator("kind", mode="before")
    @classmethod
    def _servable(cls, kind: Any) -> Any:
        if isinstance(kind, str) and (reason := NOT_SERVED.get(kind.lower())):
            raise ValueError(f"{kind} cannot be served: {reason}. Use lora or rslora")
        if kind == "qlora":
            raise ValueError("send kind lora or rslora, and base_4bit: true")
        return kind


def validated_rows(method: Method, rows: Sequence[Any]) -> list[Row]:
    """Validate the rows. Raises pydantic's ValidationError, with the row's place and the field in it."""
    checked: list[Row] = ROWS[method].validate_python(list(rows))
    return checked
