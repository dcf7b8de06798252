"""Adapters that a check must refuse, each with the check and a word of its reason."""

from __future__ import annotations

import json
import struct

import numpy as np

from tests.ingest.adapters.bad_archives import BAD_ARCHIVES, FEW, small
from tests.ingest.adapters.made import (
    CONFIG,
    NAME,
    WEIGHTS,
    config,
    files,
    tar_gz,
    tensors,
)

Q = "base_model.model.model.layers.0.self_attn.q_proj"


def settings_of(weights=None, **changed) -> bytes:
    return tar_gz(files(weights or tensors(layers=FEW), config(**changed)))


def with_tensors(*gone: str, **changed: np.ndarray) -> bytes:
    made = tensors(layers=FEW)
    for name in gone:
        del made[name]
    return tar_gz(files({**made, **changed}))


def raw_safetensors(header: object, data: bytes = b"", *, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + data


# What comes, which check refuses it, and a word of the reason.
BAD = {
    **BAD_ARCHIVES,
    # config
    "no JSON": (lambda: tar_gz({**small(), CONFIG: b"{'r': 8}"}), "config", "JSON"),
    "a list": (lambda: tar_gz({**small(), CONFIG: b"[]"}), "config", "object"),
    "deep JSON": (lambda: tar_gz({**small(), CONFIG: b"[" * 200_000}), "config", "JSON"),
    "a field twice": (lambda: tar_gz({**small(), CONFIG: b'{"r": 8, "r": 16}'}), "config", "JSON"),
    "r as text": (lambda: settings_of(r="8"), "config", "r:"),
    "r of zero": (lambda: settings_of(r=0), "config", "r:"),
    "no base model": (lambda: settings_of(base_model_name_or_path=None), "config", "base_model_name_or_path"),
    "infinite alpha": (lambda: settings_of(lora_alpha=float("inf")), "config", "lora_alpha"),
    "a huge alpha": (lambda: settings_of(lora_alpha=1e9), "config", "lora_alpha"),
    "a bad pattern": (lambda: settings_of(rank_pattern={"(": 4}), "config", "pattern"),
    # method
    "DoRA": (lambda: settings_of(use_dora=True), "method", "DoRA"),
    "DoRA by its weights": (
        lambda: with_tensors(**{f"{Q}.lora_magnitude_vector": np.ones(576, np.float32)}),
        "method",
        "DoRA",
    ),
    "IA3": (lambda: settings_of(peft_type="IA3"), "method", "IA³"),
    "AdaLoRA": (lambda: settings_of(peft_type="ADALORA"), "method", "AdaLoRA"),
    "prefix tuning": (lambda: settings_of(peft_type="PREFIX_TUNING"), "method", "Prefix"),
    "prompt tuning": (lambda: settings_of(peft_type="PROMPT_TUNING"), "method", "Prompt"),
    "a classifier": (lambda: settings_of(task_type="SEQ_CLS"), "method", "CAUSAL_LM"),
    "biases": (lambda: settings_of(bias="all"), "method", "bias"),
    "PiSSA": (lambda: settings_of(init_lora_weights="pissa_niter_16"), "method", "pissa"),
    "OLoRA": (lambda: settings_of(init_lora_weights="olora"), "method", "olora"),
    "CorDA": (lambda: settings_of(init_lora_weights="corda"), "method", "corda"),
    "LoftQ": (lambda: settings_of(loftq_config={"loftq_bits": 4}), "method", "LoftQ"),
    "whole modules": (lambda: settings_of(modules_to_save=["lm_head"]), "method", "modules_to_save"),
    "aLoRA": (lambda: settings_of(alora_invocation_tokens=[1]), "method", "aLoRA"),
    "replicated layers": (lambda: settings_of(layer_replication=[[0, 4]]), "method", "replication"),
    "parameters": (lambda: settings_of(target_parameters=["experts.down_proj"]), "method", "target_parameters"),
    "trainable tokens": (lambda: settings_of(trainable_token_indices=[1]), "method", "tokens"),
    "transposed": (lambda: settings_of(fan_in_fan_out=True), "method", "fan_in_fan_out"),
    "what nobody knows": (lambda: settings_of(use_hyperlora={"x": 1}), "method", "use_hyperlora"),
    # base model, rank
    "another base model": (lambda: settings_of(base_model_name_or_path="google/gemma-3-270m"), "base_model", "gemma"),
    "the same name of another's": (
        lambda: settings_of(base_model_name_or_path="evil/SmolLM2-135M-Instruct"),
        "base_model",
        NAME,
    ),
    "control characters in a name": (lambda: settings_of(base_model_name_or_path="a\x00\x1b[31m"), "base_model", "x1b"),
    "rank 64": (lambda: tar_gz(files(tensors(rank=64, layers=FEW), config(rank=64))), "rank", "64"),
    "rank 64 by a pattern": (lambda: settings_of(rank_pattern={"q_proj": 64}), "rank", "64"),
    # weights
    "no safetensors": (lambda: tar_gz({**small(), WEIGHTS: b"garbage" * 100}), "weights", "damaged"),
    "no weights in the file": (lambda: tar_gz({**small(), WEIGHTS: b""}), "weights", "damaged"),
    "truncated weights": (lambda: tar_gz({**small(), WEIGHTS: small()[WEIGHTS][:-100]}), "weights", "damaged"),
    "more than the header says": (lambda: tar_gz({**small(), WEIGHTS: small()[WEIGHTS] + b"x"}), "weights", "damaged"),
    "a huge header": (
        lambda: tar_gz({**small(), WEIGHTS: raw_safetensors({}, length=1 << 62)}),
        "weights",
        "bytes long",
    ),
    "a header that is no object": (lambda: tar_gz({**small(), WEIGHTS: raw_safetensors([1])}), "weights", "damaged"),
    "tensors on top of each other": (
        lambda: tar_gz(
            {
                **small(),
                WEIGHTS: raw_safetensors(
                    {n: {"dtype": "F32", "shape": [1, 1], "data_offsets": [0, 4]} for n in "ab"}, b"1234"
                ),
            }
        ),
        "weights",
        "damaged",
    ),
    "a tensor's name twice": (
        lambda: tar_gz(
            {
                **small(),
                WEIGHTS: raw_safetensors(
                    b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                    b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
                    b"1234",
                ),
            }
        ),
        "weights",
        "twice",
    ),
    "a pickle by another name": (lambda: tar_gz({**small(), WEIGHTS: b"\x80\x04\x95" * 50}), "weights", "damaged"),
    "no tensors": (lambda: tar_gz(files({})), "weights", "0 tensors"),
    "no B": (lambda: with_tensors(f"{Q}.lora_B.weight"), "weights", "lora_B"),
    "no A": (lambda: with_tensors(f"{Q}.lora_A.weight"), "weights", "lora_A"),
    "a stranger's tensor": (lambda: with_tensors(**{"evil": np.ones((2, 2), np.float32)}), "weights", "evil"),
    "a base layer's weight": (
        lambda: with_tensors(**{"base_model.model.model.embed_tokens.base_layer.weight": np.ones((2, 2), np.float32)}),
        "weights",
        "save_embedding_layers",
    ),
    "whole numbers": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((8, 576), np.int8)}),
        "weights",
        "I8",
    ),
    "double precision": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((8, 576), np.float64)}),
        "weights",
        "F64",
    ),
    # shapes
    "layers that are not there": (lambda: settings_of(tensors(layers=range(900, 903))), "shapes", "layers.900"),
    "no matrix": (lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones(8, np.float32)}), "shapes", "not a matrix"),
    "an empty matrix": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((0, 576), np.float32)}),
        "shapes",
        "not a matrix",
    ),
    "the rank of another": (lambda: settings_of(tensors(layers=FEW, rank=8), r=4), "shapes", "rank"),
    "A and B of two ranks": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.ones((576, 4), np.float32)}),
        "shapes",
        "rank",
    ),
    "a smaller base model": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.ones((8, 320), np.float32)}),
        "shapes",
        "576",
    ),
    "a larger base model": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.ones((4096, 8), np.float32)}),
        "shapes",
        "576",
    ),
    "what the configuration does not target": (lambda: settings_of(target_modules=["q_proj"]), "shapes", "target"),
    # numbers
    "NaN": (
        lambda: with_tensors(**{f"{Q}.lora_A.weight": np.full((8, 576), np.nan, np.float32)}),
        "finite",
        "NaN",
    ),
    "one infinity": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.array([[np.inf, *[1] * 7]] * 576, np.float32)}),
        "finite",
        "infinity",
    ),
    "1e30": (
        lambda: with_tensors(**{f"{Q}.lora_B.weight": np.full((576, 8), 1e30, np.float32)}),
        "magnitude",
        "diverged",
    ),
    "tiny times huge": (
        lambda: with_tensors(
            **{
                f"{Q}.lora_A.weight": np.full((8, 576), 1e12, np.float32),
                f"{Q}.lora_B.weight": np.full((576, 8), 1e-12, np.float32),
            }
        ),
        "magnitude",
        "diverged",
    ),
    "an alpha that makes it huge": (lambda: settings_of(lora_alpha=1e6), "magnitude", "diverged"),
    "untrained": (lambda: tar_gz(small(scale=0.0)), "magnitude", "changes nothing"),
}
