"""Whether a card has room for a training beside an engine: an estimate, said before the training starts."""

from __future__ import annotations

import json
from pathlib import Path

from app.adapters.training_request import Hyperparameters, Method
from app.up.gpus import GIB, Gpu
from app.up.model_size import HALF, SizeUnknown, model_size
from ingest.jobs.queue import TaskFailed

# Weights, gradients and Adam's two moments of an adapter, all in 32 bits.
BYTES_A_TRAINED = 16
# The logits in 32 bits, their gradient, and what the loss copies.
LOGIT_BYTES = 12
# The library's own memory on the card.
CONTEXT_BYTES = GIB


def room_on_card(gpu: Gpu, base: Path, method: Method, parameters: Hyperparameters) -> str:
    """Say what the training takes and what is free. Raises TaskFailed where it does not fit."""
    if gpu.memory is None:
        return "The driver does not say how much memory is free."
    try:
        needed = memory_needed(json.loads((base / "config.json").read_bytes()), method, parameters)
    except (OSError, ValueError, SizeUnknown):
        return "What it takes cannot be computed from the base model's config.json."
    free = gpu.memory - gpu.used
    said = f"It takes about {needed / GIB:.1f} GiB of the card, of which {free / GIB:.1f} GiB are free."
    if needed > free:
        raise TaskFailed(
            "too_large",
            f"{said} Take a smaller batch_size or max_length, or base_4bit; or its operator leaves more of the card "
            "(vLLM's --gpu-memory-utilization).",
        )
    return said


def memory_needed(config: dict[str, object], method: Method, parameters: Hyperparameters) -> int:
    """Estimate, for gradient checkpointing as the trainer has it. Raises SizeUnknown."""
    size = model_size(config, "bitsandbytes" if parameters.base_4bit else None)
    own = config.get("text_config") or config
    assert isinstance(own, dict)
    # A pair of DPO goes through the model at once.
    tokens = parameters.batch_size * parameters.max_length * (2 if method == "dpo" else 1)
    logits = tokens * int(own["vocab_size"]) * LOGIT_BYTES
    kept = tokens * int(own["hidden_size"]) * len(size.layers) * HALF
    trained = size.lora // HALF * parameters.rank * BYTES_A_TRAINED
    return size.weights + trained + logits + kept + CONTEXT_BYTES
