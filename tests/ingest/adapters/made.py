"""Adapters made for tests, without training: PEFT folders for the shapes of the packaged SmolLM2-135M, and archives."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
HIDDEN, LAYERS, HEADS, KEYS, HEAD, INNER, VOCABULARY = 576, 30, 9, 3, 64, 1536, 49152
NAME = "HuggingFaceTB/SmolLM2-135M-Instruct"
# (out, in)
SHAPES = {
    "self_attn.q_proj": (HEADS * HEAD, HIDDEN),
    "self_attn.k_proj": (KEYS * HEAD, HIDDEN),
    "self_attn.v_proj": (KEYS * HEAD, HIDDEN),
    "self_attn.o_proj": (HIDDEN, HEADS * HEAD),
    "mlp.gate_proj": (INNER, HIDDEN),
    "mlp.up_proj": (INNER, HIDDEN),
    "mlp.down_proj": (HIDDEN, INNER),
}
BASE_CONFIG = {
    "model_type": "llama",
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "num_key_value_heads": KEYS,
    "intermediate_size": INNER,
    "vocab_size": VOCABULARY,
    "tie_word_embeddings": True,
}


def write_base(folder: Path) -> Path:
    """What adapters are checked against, in the place of the packaged model, without its weights."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(BASE_CONFIG))
    return folder


def config(*, rank: int = 8, targets: Sequence[str] = ("q_proj", "v_proj"), **changed: Any) -> dict[str, Any]:
    """As PEFT 0.21 writes it."""
    return {
        "alora_invocation_tokens": None, "alpha_pattern": {}, "arrow_config": None, "auto_mapping": None,
        "base_model_name_or_path": NAME, "bias": "none", "corda_config": None, "ensure_weight_tying": False,
        "eva_config": None, "exclude_modules": None, "fan_in_fan_out": False, "inference_mode": True,
        "init_lora_weights": True, "layer_replication": None, "layers_pattern": None, "layers_to_transform": None,
        "loftq_config": {}, "lora_alpha": 16, "lora_bias": False, "lora_dropout": 0.05, "megatron_config": None,
        "megatron_core": "megatron.core", "modules_to_save": None, "peft_type": "LORA", "peft_version": "0.21.2",
        "qalora_group_size": 16, "r": rank, "rank_pattern": {}, "revision": None, "target_modules": list(targets),
        "target_parameters": None, "task_type": "CAUSAL_LM", "trainable_token_indices": None, "use_dora": False,
        "use_qalora": False, "use_rslora": False, **changed,
    }  # fmt: skip


def tensors(
    *,
    rank: int = 8,
    targets: Sequence[str] = ("q_proj", "v_proj"),
    layers: Sequence[int] = range(LAYERS),
    scale: float = 0.02,
    seed: int = 0,
) -> dict[str, np.ndarray]:
    """A pair for each target in each layer; `scale` is that of the numbers in B."""
    random, made = np.random.default_rng(seed), {}
    for layer in layers:
        for name, (out, into) in SHAPES.items():
            if name.rpartition(".")[2] in targets:
                module = f"base_model.model.model.layers.{layer}.{name}"
                made[f"{module}.lora_A.weight"] = random.normal(0, into**-0.5, (rank, into)).astype(np.float32)
                made[f"{module}.lora_B.weight"] = random.normal(0, scale, (out, rank)).astype(np.float32)
    return made


def files(
    weights: Mapping[str, np.ndarray] | bytes | None = None, settings: Mapping[str, Any] | bytes | None = None
) -> dict[str, bytes]:
    """The two files of a PEFT folder; a good adapter's unless others are given."""
    weights = tensors() if weights is None else weights
    settings = config() if settings is None else settings
    return {
        CONFIG: settings if isinstance(settings, bytes) else json.dumps(settings, indent=2).encode(),
        WEIGHTS: weights if isinstance(weights, bytes) else save(dict(weights), metadata={"format": "pt"}),
    }


def write_peft_folder(folder: Path, content: Mapping[str, bytes] | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in (content or files()).items():
        (folder / name).write_bytes(data)
    return folder


def tar_gz(
    content: Mapping[str, bytes] | None = None, *, below: str = "", extra: Sequence[tarfile.TarInfo] = ()
) -> bytes:
    """`below` is put before each name; `extra` are entries without content, such as links."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", compresslevel=1) as tar:
        for name, data in (content or files()).items():
            entry = tarfile.TarInfo(below + name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
        for entry in extra:
            tar.addfile(entry)
    return made.getvalue()


def zipped(content: Mapping[str, bytes] | None = None, *, below: str = "") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in (content or files()).items():
            archive.writestr(below + name, data)
    return made.getvalue()
