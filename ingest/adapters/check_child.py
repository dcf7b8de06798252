"""The child that checks an adapter: its limits, then one check after the other. Started by ingest/adapters/checking.py.

What to do is a line of JSON on standard input; each check that is over is a line of JSON on standard output, and at
last what the adapter is.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path
from typing import Any

from app.sandbox.subprocesses import OUT_OF_MEMORY
from ingest.adapters.archive import unpack
from ingest.adapters.base_model import BaseUnknown, open_base, refuse_other_base
from ingest.adapters.config import AdapterConfig, read_fields, refuse_rank, refuse_unserved, validate
from ingest.adapters.refusal import CheckName, Refused
from ingest.adapters.weights import Pair, measure, read_pairs, refuse_magnitude, refuse_shapes


def main() -> None:
    order: dict[str, Any] = json.loads(sys.stdin.readline())
    _limit(order["memory_mb"] << 20, order["seconds"], order["max_bytes"])
    try:
        _check(order)
    except Refused as refused:
        _passed(refused.check, refused.detail, ok=False)
    except BaseUnknown as error:
        _say({"unknown_base": str(error)})
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


def _check(order: dict[str, Any]) -> None:
    unpacked = unpack(Path(order["archive"]), Path(order["folder"]), max_bytes=order["max_bytes"])
    _passed("archive", unpacked.detail)

    fields = read_fields(unpacked.config)
    refuse_unserved(fields)
    config = validate(fields)
    _passed("config", "adapter_config.json is valid")
    _passed("method", "rsLoRA" if config.rslora else "LoRA")

    base = open_base(Path(order["base"]), order["names"])
    name = refuse_other_base(config.base_model, base)
    _passed(
        "base_model", config.base_model if config.base_model == name else f"{config.base_model} is {Path(name).name}"
    )

    refuse_rank(config, order["max_rank"])
    _passed("rank", f"{config.max_rank} of at most {order['max_rank']}")

    pairs = read_pairs(unpacked.weights)
    _passed("weights", f"safetensors with {len(pairs)} pairs of matrices")

    refuse_shapes(pairs, config, base)
    _passed("shapes", "every matrix fits its layer of the base model")

    norms = measure(unpacked.weights, pairs)
    _passed("finite", "every number is finite")

    largest = refuse_magnitude(pairs, norms, config)
    _passed("magnitude", f"a layer changes by {largest:.3g} at most")

    _say({"adapter": _adapter(config, pairs, order["names"][0])})


def _adapter(config: AdapterConfig, pairs: list[Pair], base_model: str) -> dict[str, Any]:
    """As an engine is to read it: patterns become names, since a pattern of a tenant's could keep it busy for ever."""
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


def _passed(check: CheckName, detail: str, *, ok: bool = True) -> None:
    printable = "".join(character if character.isprintable() else "?" for character in detail)
    _say({"check": {"name": check, "ok": ok, "detail": printable}})


def _say(line: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _limit(memory: int, seconds: int, max_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (max_bytes, max_bytes))


if __name__ == "__main__":
    main()
    os._exit(0)
