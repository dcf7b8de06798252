"""The engine's base model as far as adapters must fit it: its names, and the shape of each of its linear layers.

Of its files only the configuration and the headers of the weights are read, also where these are quantised.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from app.adapters.model_names import fitting_name, public_names
from ingest.adapters.rejection import Rejected
from ingest.adapters.tensors import Tensor, Unreadable, read_header

# Models whose layers are named as Llama's.
LLAMA_LIKE = frozenset(
    {"llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3", "olmo2", "exaone4", "granite"}
)
PACKED_BITS = 32


class BaseUnknown(Exception):
    """The service has no base model to check against, which is not the adapter's fault."""


@dataclass(frozen=True)
class BaseModel:
    """`modules`: name to (out, in); `embeddings`: name to (entries, width)."""

    names: Sequence[str]
    modules: dict[str, tuple[int, int]]
    embeddings: dict[str, tuple[int, int]]


def open_base(folder: Path, names: Sequence[str]) -> BaseModel:
    """Read the base model's shapes. Raises BaseUnknown."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
        config = {**config, **config.get("text_config", {})}
        files = sorted(folder.glob("*.safetensors"))
        shapes = dict(_stored(files, config)) if files else _llama(config)
    except (OSError, ValueError, KeyError, TypeError, Unreadable) as error:
        raise BaseUnknown(f"the base model's folder cannot be read: {type(error).__name__}: {error}") from None
    embeddings = {name: shape for name, shape in shapes.items() if name.endswith("embed_tokens")}
    if "lm_head" not in shapes:
        # Tied: the embeddings turned around, of the same shape as a linear layer.
        shapes.update(("lm_head", shape) for shape in embeddings.values())
    modules = {name: shape for name, shape in shapes.items() if name not in embeddings}
    own = config.get("_name_or_path")
    return BaseModel([*names, *([own] if isinstance(own, str) and own else [])], modules, embeddings)


def refuse_other_base(given: str, base: BaseModel) -> str:
    """Return the name that fits. Raises Rejected."""
    found = fitting_name(given, base.names)
    if found is None:
        raise Rejected(
            "base_model",
            f"The adapter was trained on {given[:200]!r}; the engine's base model is "
            f"{public_names(base.names)}. If it is the same model under another name, "
            "set base_model_name_or_path in adapter_config.json (the operator may add names with "
            "KYUJANG_BASE_MODEL_NAMES).",
        )
    return found


def _stored(files: Sequence[Path], config: dict[str, Any]) -> Iterator[tuple[str, tuple[int, int]]]:
    for file in files:
        tensors = read_header(file, trusted=True)
        for name, tensor in tensors.items():
            module, _, kind = name.rpartition(".")
            shape = _shape(file, module, kind, tensor, tensors, config)
            if shape is not None:
                yield module, shape


def _shape(
    file: Path, module: str, kind: str, tensor: Tensor, tensors: dict[str, Tensor], config: dict[str, Any]
) -> tuple[int, int] | None:
    """Return (out, in), by the layout of plain and FP8 weights, of AWQ and GPTQ, and of compressed-tensors."""
    if len(tensor.shape) != 2:
        return None
    first, second = tensor.shape
    if kind == "weight":
        return first, second
    if kind == "qweight":
        # GPTQ packs the inputs, AWQ the outputs.
        out = tensors[f"{module}.scales"].shape[-1]
        if second == out:
            return out, first * PACKED_BITS // config["quantization_config"]["bits"]
        return out, first
    if kind == "weight_packed":
        stored = tensors.get(f"{module}.weight_shape")
        if stored is None:
            # Two 4-bit floats a byte.
            return first, second * 2
        out, into = np.fromfile(file, "<i8", count=2, offset=stored.start)
        return int(out), int(into)
    return None


def _llama(config: dict[str, Any]) -> dict[str, tuple[int, int]]:
    if config["model_type"] not in LLAMA_LIKE:
        raise KeyError(f"weights of a {config['model_type']!r} model")
    hidden, inner, heads = config["hidden_size"], config["intermediate_size"], config["num_attention_heads"]
    head = config.get("head_dim") or hidden // heads
    keys = (config.get("num_key_value_heads") or heads) * head
    of_layer = {
        "self_attn.q_proj": (heads * head, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, heads * head),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    layers = range(config["num_hidden_layers"])
    shapes = {f"model.layers.{n}.{name}": shape for n in layers for name, shape in of_layer.items()}
    return {**shapes, "model.embed_tokens": (config["vocab_size"], hidden)}
