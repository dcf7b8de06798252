"""What a model takes of a card's memory, computed from its config.json."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HALF = 2
# Beside packed weights stand their scales.
PACKED_OVERHEAD = 1.06
FEW_BITS = {"fp8": 8, "modelopt": 8, "fbgemm_fp8": 8, "gptq": 4, "awq": 4, "mxfp4": 4, "nvfp4": 4, "bitsandbytes": 4}


class SizeUnknown(Exception):
    """The configuration does not say what the sum needs."""


@dataclass(frozen=True)
class Layer:
    """`values`: numbers that a token leaves in the cache; `window`: the most tokens that it keeps, if not all."""

    values: int
    window: int | None = None


@dataclass(frozen=True)
class ModelSize:
    """Bytes: `lora` of one adapter of rank 1, `half` of one number in 16 bits or 32."""

    weights: int
    layers: tuple[Layer, ...]
    lora: int
    longest: int | None
    half: int = HALF

    def cache(self, tokens: int, value_bytes: int | None = None) -> int:
        """Return the cache of one request of so many tokens."""
        kept = (each.values * min(tokens, each.window or tokens) for each in self.layers)
        return sum(kept) * (value_bytes or self.half)

    def tokens_in(self, room: int, value_bytes: int | None = None) -> int:
        """Return the most tokens whose cache fits into so many bytes."""
        low, high = 0, 1 << 40
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.cache(middle, value_bytes) <= room else (low, middle - 1)
        return low


def model_size(config: Mapping[str, Any], quantization: str | None = None, half: int = HALF) -> ModelSize:
    """Compute from a configuration in transformers' form. Raises SizeUnknown."""
    try:
        return _size({**config, **config.get("text_config", {})}, _bits(config, quantization), half)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise SizeUnknown(f"its config.json is of another form: {type(error).__name__} {error}") from None


def _size(shape: Mapping[str, Any], bits: float | None, half: int) -> ModelSize:
    hidden, count, heads = (int(shape[name]) for name in ("hidden_size", "num_hidden_layers", "num_attention_heads"))
    head = int(shape.get("head_dim") or hidden // heads)
    key = head * int(shape.get("num_key_value_heads") or heads)
    linear, lora = _layer(shape, hidden, heads * head, key)
    linear_bytes = count * linear * half if bits is None else int(count * linear * bits / 8 * PACKED_OVERHEAD)
    embedded = int(shape["vocab_size"]) * hidden * (1 if shape.get("tie_word_embeddings") else 2)
    layers = tuple(_cached(shape, key, number) for number in range(count))
    return ModelSize(linear_bytes + embedded * half, layers, count * lora * half, _longest(shape), half)


def _layer(shape: Mapping[str, Any], hidden: int, query: int, key: int) -> tuple[int, int]:
    """Return a layer's weights, and the sum of its matrices' sides, which an adapter of rank 1 has as weights."""
    experts = int(shape.get("num_experts") or shape.get("num_local_experts") or shape.get("n_routed_experts") or 0)
    if "kv_lora_rank" in shape:
        raise SizeUnknown("its attention compresses the cache, which is not computed here")
    attention = 2 * hidden * query + 2 * hidden * key
    sides = 4 * hidden + 2 * query + 2 * key
    if not experts:
        width = int(shape["intermediate_size"])
        return attention + 3 * hidden * width, sides + 3 * (hidden + width)
    width = int(shape.get("moe_intermediate_size") or shape["intermediate_size"])
    shared = int(shape.get("shared_expert_intermediate_size") or 0)
    feed_forward = 3 * hidden * (experts * width + shared) + hidden * experts
    return attention + feed_forward, sides + 3 * experts * (hidden + width)


def _cached(shape: Mapping[str, Any], key: int, number: int) -> Layer:
    kinds = shape.get("layer_types")
    kind = str(kinds[number]) if isinstance(kinds, list) and number < len(kinds) else "full_attention"
    if "linear" in kind or "mamba" in kind:
        return Layer(0)
    window = shape.get("sliding_window")
    return Layer(2 * key, int(window) if "sliding" in kind and window else None)


def _longest(shape: Mapping[str, Any]) -> int | None:
    """Return the most tokens that the model takes; None where its configuration stretches them."""
    longest = shape.get("max_position_embeddings")
    stretched = "factor" in (shape.get("rope_scaling") or {})
    return longest if isinstance(longest, int) and not stretched else None


def _bits(config: Mapping[str, Any], asked: str | None) -> float | None:
    """Return the bits of a quantised weight; None for weights in 16."""
    own = config.get("quantization_config") or {}
    method = str(own.get("quant_method") or asked or "")
    if not method:
        return None
    if "bits" in own:
        return float(own["bits"])
    if method == "compressed-tensors":
        found = re.search(r"'num_bits': (\d+)", str(own))
        return float(found[1]) if found else None
    if own.get("load_in_8bit"):
        return 8
    known = next((bits for name, bits in FEW_BITS.items() if method.startswith(name)), None)
    if known is None:
        raise SizeUnknown(f"how many bits a weight takes with {method} is not known here")
    return known
