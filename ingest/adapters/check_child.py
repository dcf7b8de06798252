"""The child that checks an adapter, one check after the other. Started by ingest/adapters/checking.py.

It sends a message for each check that has ended, and at last the configuration that engines are to read.
"""

from __future__ import annotations

import json
import math
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.sandbox.channel import Channel
from ingest.adapters.archive import unpack
from ingest.adapters.base_model import BaseUnknown, open_base, refuse_other_base
from ingest.adapters.config import AdapterConfig, read_fields, refuse_rank, refuse_unserved, validate
from ingest.adapters.rejection import CheckName, Rejected
from ingest.adapters.weights import Pair, measure, read_pairs, refuse_magnitude, refuse_shapes


def main(channel: Channel, order: str) -> None:
    try:
        _check(channel, json.loads(order))
    except Rejected as refused:
        _report(channel, refused.check, refused.detail, ok=False)
    except BaseUnknown as error:
        channel.send({"unknown_base": str(error)})


def _check(channel: Channel, order: dict[str, Any]) -> None:
    unpacked = unpack(channel.paths["archive"], channel.paths["folder"], max_bytes=order["max_bytes"])
    _report(channel, "archive", unpacked.detail)

    fields = read_fields(unpacked.config)
    refuse_unserved(fields)
    config = validate(fields)
    _report(channel, "config", "adapter_config.json is valid")
    _report(channel, "method", "rsLoRA" if config.rslora else "LoRA")

    base = open_base(channel.paths["base"], order["names"])
    name = refuse_other_base(config.base_model, base)
    _report(
        channel,
        "base_model",
        config.base_model if config.base_model == name else f"{config.base_model} is {Path(name).name}",
    )

    refuse_rank(config, order["max_rank"])
    _report(channel, "rank", f"{config.max_rank} of at most {order['max_rank']}")

    pairs = read_pairs(unpacked.weights)
    _report(channel, "weights", f"safetensors with {len(pairs)} pairs of matrices")

    with _at_most(order["patterns_s"]):
        refuse_shapes(pairs, config, base)
    _report(channel, "shapes", "every matrix fits its layer of the base model")

    norms = measure(unpacked.weights, pairs)
    _report(channel, "finite", "every number is finite")

    with _at_most(order["patterns_s"]):
        largest = refuse_magnitude(pairs, norms, config)
        adapter = _adapter(config, pairs, order["names"][0])
    _report(channel, "magnitude", f"a layer changes by {largest:.3g} at most")
    channel.send({"adapter": adapter})


@contextmanager
def _at_most(cpu_s: int) -> Iterator[None]:
    """End this process if the block takes more processor time: a pattern that backtracks hears nothing else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + cpu_s, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _adapter(config: AdapterConfig, pairs: list[Pair], base_model: str) -> dict[str, Any]:
    """Return what an engine reads: names in place of patterns, since a tenant's pattern could keep it busy for ever."""
    targets = sorted({pair.module.rpartition(".")[2] for pair in pairs})
    ranks = {pair.module: pair.a.shape[0] for pair in pairs if pair.a.shape[0] != config.rank}
    alphas = {pair.module: alpha for pair in pairs if (alpha := config.alpha_of(pair.module)) != config.alpha}
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model,
        "r": config.rank,
        "lora_alpha": int(config.alpha) if config.alpha.is_integer() else config.alpha,
        "use_rslora": config.rslora,
        "target_modules": targets,
        "rank_pattern": {_literal(module): rank for module, rank in ranks.items()},
        "alpha_pattern": {_literal(module): alpha for module, alpha in alphas.items()},
        "lora_dropout": 0.0,
        "bias": "none",
        "init_lora_weights": True,
        "modules_to_save": None,
        "fan_in_fan_out": False,
        "inference_mode": True,
    }


def _literal(module: str) -> str:
    return module.replace(".", r"\.")


def _report(channel: Channel, check: CheckName, detail: str, *, ok: bool = True) -> None:
    printable = "".join(character if character.isprintable() else "?" for character in detail)
    channel.send({"check": {"name": check, "ok": ok, "detail": printable}})
