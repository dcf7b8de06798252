"""Which engine answers, and how `make up` starts its own."""

from __future__ import annotations

from typing import Literal

from pydantic import AliasChoices, Field, SecretStr

from app.settings.serving import Serving


class Engine(Serving):
    """The second of the settings."""

    engine: Literal["vllm", "none"] = "vllm"
    """`none`: no language model, extractive answers."""
    llm_url: str | None = None
    """An engine that runs already: `http://…` or `unix:///path/engine.sock`; several, with commas between, are
    replicas. `make up` starts its own vLLM without it."""
    llm_key: SecretStr | None = None
    """The bearer key that the engine expects."""
    model: str | None = None
    """A hub id or a folder for `make up`; the name of the model at `KYUJANG_LLM_URL`. By default the packaged
    SmolLM2-135M, or the engine's first model."""
    quantization: str | None = Field(None, pattern=r"^[a-z0-9_-]+$")
    """vLLM's `--quantization` for `make up`, such as `fp8`, which quantises while loading. By default what the model's
    own files say: checkpoints in AWQ, GPTQ, FP8 or compressed-tensors need none."""
    engine_context_tokens: int | None = Field(
        None, ge=256, validation_alias=AliasChoices("ENGINE_CONTEXT_TOKENS", "engine_context_tokens")
    )
    """The most tokens of a prompt and its answer in the engine of `make up`: 8192 on a GPU and 4096 on a CPU by
    default. `make up` says whether the card has memory for them before it fetches the model."""
    engine_arguments: str = ""
    """More arguments for the vLLM of `make up`, as in a shell: `--kv-cache-dtype fp8 --tensor-parallel-size 2`. Those
    that Kyujang sets itself are refused."""
