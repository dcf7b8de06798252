"""adapter_model.safetensors: pairs of matrices that fit the base model, with numbers that can do no harm.

vLLM loads most of what is refused here with 200: wrong layers are ignored silently, and one adapter that is not finite
breaks a CPU server for every tenant until it restarts.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np

from ingest.adapters.base_model import BaseModel
from ingest.adapters.config import AdapterConfig
from ingest.adapters.rejection import CheckName, Rejected
from ingest.adapters.tensors import BYTES, Tensor, Unreadable, read_header, values

NAME = re.compile(
    r"base_model\.model\.(?P<module>[\w.]+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(?P<end>\.weight)?"
)
MAX_TENSORS = 20_000
# A layer's output changes by at most |B||A| times the scale, for an input of length 1. Trained adapters stay below 100;
# from 10,000 on half precision overflows on its way, and an engine that has met infinity may not recover.
MAX_NORM = 1e4
ADVICE = {
    "lora_magnitude_vector": ("method", "DoRA cannot be served by vLLM. Train with LoRA or rsLoRA."),
    "lora_B.bias": ("method", "LoRA with a bias cannot be served by vLLM. Train with bias='none'."),
    "base_layer": ("weights", "It is a base model's own weight: save with save_embedding_layers=False."),
    "modules_to_save": ("method", "Whole modules cannot be served by vLLM. Train without modules_to_save."),
}


@dataclass(frozen=True, slots=True)
class Pair:
    module: str
    embedding: bool
    a: Tensor
    b: Tensor


def read_pairs(file: Path) -> list[Pair]:
    """Read the header and pair A with B. Raises Rejected."""
    try:
        tensors = read_header(file)
    except Unreadable as error:
        _refuse("weights", f"adapter_model.safetensors is damaged: {error}.")
    if not 0 < len(tensors) <= MAX_TENSORS:
        _refuse("weights", f"adapter_model.safetensors holds {len(tensors)} tensors; from 1 to {MAX_TENSORS} it may.")
    sides: dict[tuple[str, bool], dict[str, Tensor]] = {}
    for tensor in tensors.values():
        found = NAME.fullmatch(tensor.name)
        if found is None or bool(found["embedding"]) == bool(found["end"]):
            _refuse_name(tensor.name)
        if tensor.dtype not in BYTES:
            _refuse("weights", f"{_shown(tensor.name)} is of type {tensor.dtype}; only F32, F16 and BF16 are served.")
        if len(tensor.shape) != 2 or 0 in tensor.shape:
            _refuse("shapes", f"{_shown(tensor.name)} is not a matrix: its shape is {list(tensor.shape)}.")
        sides.setdefault((found["module"], bool(found["embedding"])), {})[found["side"]] = tensor
    for (module, _), pair in sides.items():
        if missing := {"A", "B"} - pair.keys():
            _refuse("weights", f"{_shown(module)} has no lora_{missing.pop()}: the adapter was not saved completely.")
    return [Pair(module, embedding, pair["A"], pair["B"]) for (module, embedding), pair in sides.items()]


def refuse_shapes(pairs: Sequence[Pair], config: AdapterConfig, base: BaseModel) -> None:
    for pair in pairs:
        shape = (base.embeddings if pair.embedding else base.modules).get(pair.module)
        if shape is None:
            _refuse(
                "shapes",
                f"{_shown(pair.module)} is not a layer of the base model: the adapter was trained on another one.",
            )
        if not config.targets(pair.module):
            _refuse("shapes", f"{_shown(pair.module)} is not among the config's target_modules.")
        out, into = (shape[1], shape[0]) if pair.embedding else shape
        rank = config.rank_of(pair.module)
        if pair.a.shape[0] != rank or pair.b.shape[1] != rank:
            _refuse(
                "shapes",
                f"{_shown(pair.module)} has ranks {pair.a.shape[0]} and {pair.b.shape[1]}; the config says {rank}.",
            )
        if pair.a.shape[1] != into or pair.b.shape[0] != out:
            _refuse(
                "shapes",
                f"{_shown(pair.module)} takes {pair.a.shape[1]} values and gives {pair.b.shape[0]}; in the base "
                f"model it takes {into} and gives {out}.",
            )


def measure(file: Path, pairs: Sequence[Pair]) -> list[tuple[float, float]]:
    """Return the Frobenius norms of A and B, pair by pair. Raises Rejected if a number is not finite."""
    return [(_norm(file, pair.a), _norm(file, pair.b)) for pair in pairs]


def refuse_magnitude(pairs: Sequence[Pair], norms: Sequence[tuple[float, float]], config: AdapterConfig) -> float:
    """Return the largest change. Raises Rejected if it is too large, or zero."""
    largest = 0.0
    for pair, (a, b) in zip(pairs, norms, strict=True):
        scale = config.scale_of(pair.module)
        change = a * b * scale
        if max(change, a, b, scale) > MAX_NORM:
            _refuse(
                "magnitude",
                f"{_shown(pair.module)} changes its layer by {max(change, a, b, scale):.3g}; up to {MAX_NORM:g} is "
                "served, and trained adapters stay below 100. The training has diverged: try a lower learning rate.",
            )
        largest = max(largest, change)
    if largest == 0:
        _refuse("magnitude", "Every lora_B is zero: the adapter changes nothing. It was saved before its training.")
    return largest


def _norm(file: Path, tensor: Tensor) -> float:
    total = 0.0
    for part in values(file, tensor):
        # In float64: float32 cannot hold 1e30 squared.
        square = float(np.dot(wide := part.astype(np.float64), wide))
        if not np.isfinite(square):
            _refuse("finite", f"{_shown(tensor.name)} holds NaN or infinity: the training has diverged.")
        total += square
    return math.sqrt(total)


def _refuse_name(name: str) -> NoReturn:
    for part, (check, advice) in ADVICE.items():
        if part in name:
            _refuse("method" if check == "method" else "weights", f"{_shown(name)} is in the weights. {advice}")
    _refuse("weights", f"{_shown(name)} is not a tensor of a LoRA adapter as PEFT saves it.")


def _shown(name: str) -> str:
    text = "".join(character if character.isprintable() else "?" for character in name)
    return repr(text if len(text) <= 120 else f"{text[:119]}…")


def _refuse(check: CheckName, detail: str) -> NoReturn:
    raise Rejected(check, detail)
