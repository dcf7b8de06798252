"""Whether the model fits, said before its weights are fetched: weights and cache against the memory there is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import cpu
from app.errors import NotConfigured
from app.settings import PACKAGED_MODEL, Settings
from app.settings.engine_arguments import option
from app.up.gpus import GIB, Gpu, Gpus
from app.up.model_size import HALF, ModelSize, SizeUnknown, model_size
from app.up.preflight import Finding, total_memory

CONTEXT_TOKENS = {"gpu": 8192, "cpu": 4096}
GPU_SHARE = 0.9
CPU_CACHE_GIB = 1
# Activations of a full batch and recorded graphs: an estimate, not measured.
WORKING_BYTES = 2 * GIB
HUB_TIMEOUT_S = 10
ROUND_TO = 1000
# The first driver for CUDA 13, which vLLM's wheels are built for.
DRIVER = 580
NAME = "Model"


def engine_fits(settings: Settings, gpus: Gpus) -> list[Finding]:
    gpu = gpus.first
    found = [_card(settings, gpu)] if gpu else []
    if gpus.fault:
        advice = "the engine runs on the CPU until this is mended"
        found.append(
            Finding("GPU", "warning", f"nvidia-smi is installed, and no card can be used: {gpus.fault}", advice)
        )
    if settings.serves_packaged_model and not (settings.models / PACKAGED_MODEL).exists():
        return found  # it is small, and its configuration is in its package
    return [*found, _model(settings, gpu)]


def context_tokens(settings: Settings, *, gpu: bool) -> int:
    return settings.engine_context_tokens or CONTEXT_TOKENS["gpu" if gpu else "cpu"]


def _card(settings: Settings, gpu: Gpu) -> Finding:
    """Check that the card has a driver for vLLM, and that its memory is free for it."""
    held = f"{_gib(gpu.memory)}, {_gib(gpu.used)} in use" if gpu.memory else "whose driver does not tell its memory"
    found = f"{gpu.name}, {held}, driver {gpu.driver}"
    share = _share(settings)
    if gpu.memory and gpu.used > (1 - share) * gpu.memory:
        advice = (
            f"the engine takes {share:g} of it: end what uses it (nvidia-smi lists it), or let the engine take less: "
        )
        return Finding("GPU", "failed", found, f"{advice}KYUJANG_ENGINE_ARGUMENTS='--gpu-memory-utilization 0.5'")
    number = gpu.driver.partition(".")[0]
    if number.isdecimal() and int(number) < DRIVER:
        return Finding("GPU", "warning", found, f"vLLM is built for CUDA 13, which needs driver {DRIVER} or newer")
    return Finding("GPU", "ok", found)


def _model(settings: Settings, gpu: Gpu | None) -> Finding:
    """Compare what the model needs with the card, or with what `make up` gives the engine on a CPU."""
    model = settings.model_name
    half = HALF if gpu or cpu.multiplies_bfloat16() else 2 * HALF
    try:
        size = model_size(_config(settings), settings.quantization, half)
    except SizeUnknown as error:
        return Finding(NAME, "warning", f"{model}: how much memory it takes cannot be computed ({error})")
    tokens = context_tokens(settings, gpu=gpu is not None)
    if size.longest and tokens > size.longest:
        found = f"{model} takes {size.longest:,} tokens, and the engine would start with {tokens:,}"
        return Finding(NAME, "failed", found, f"set ENGINE_CONTEXT_TOKENS={size.longest} or less")
    if gpu is None:
        room = CPU_CACHE_GIB * GIB
        return _Fit(model, size, tokens, "the engine on this CPU", room, room, size.half).finding(total_memory())
    if gpu.memory is None:
        return Finding(NAME, "warning", f"{model}: {_gib(size.weights)} of weights, on a card of unknown memory")
    return _on_card(settings, size, tokens, gpu.name, gpu.memory)


def _on_card(settings: Settings, size: ModelSize, tokens: int, name: str, memory: int) -> Finding:
    extra = settings.extra_engine_arguments
    cards = int(_number(settings, 1, "--tensor-parallel-size", "-tp"))
    held = int(cards * _share(settings) * memory)
    room = held - size.weights - size.lora * settings.max_loras * settings.max_lora_rank
    value_bytes = 1 if (option(extra, "--kv-cache-dtype") or "").startswith("fp8") else HALF
    where = name if cards == 1 else f"{cards} × {name}"
    return _Fit(settings.model_name, size, tokens, where, room, room - cards * WORKING_BYTES, value_bytes).finding(held)


def _share(settings: Settings) -> float:
    return _number(settings, GPU_SHARE, "--gpu-memory-utilization")


def _number(settings: Settings, default: float, *names: str) -> float:
    given = option(settings.extra_engine_arguments, *names)
    try:
        return default if given is None else float(given)
    except ValueError:
        raise NotConfigured(f"KYUJANG_ENGINE_ARGUMENTS: {names[0]} takes a number, not {given!r}.") from None


@dataclass(frozen=True)
class _Fit:
    """`room`: what is left for the cache at most; `likely`: without what the engine works in as well."""

    model: str
    size: ModelSize
    tokens: int
    where: str
    room: int
    likely: int
    value_bytes: int

    def finding(self, held: int) -> Finding:
        size, cache = self.size, self.size.cache(self.tokens, self.value_bytes)
        if self.room <= 0 or size.weights > held:
            found = f"{self.model} needs {_gib(size.weights)} for its weights; {self.where} has {_gib(held)} for all"
            return Finding(
                NAME, "failed", found, "choose a smaller or quantised model (KYUJANG_MODEL, KYUJANG_QUANTIZATION=fp8)"
            )
        takes = max(0, size.tokens_in(self.likely, self.value_bytes))
        if cache > self.likely:
            rounded = takes // ROUND_TO * ROUND_TO or takes
            found = (
                f"{self.model} at {self.tokens:,} tokens needs {_gib(cache)} of cache beside {_gib(size.weights)} of "
                f"weights; {self.where} takes {rounded:,}"
            )
            advice = f"set ENGINE_CONTEXT_TOKENS={rounded} or less, or choose a smaller or quantised model"
            return Finding(NAME, "failed" if cache > self.room else "warning", found, advice)
        at_once = self.likely // cache if cache else 0
        found = (
            f"{self.model}: {_gib(size.weights)} of weights, {_gib(cache)} of cache for {self.tokens:,} tokens; "
            f"{self.where} has room for {at_once} such requests at a time"
        )
        return Finding(NAME, "ok", found)


def _config(settings: Settings) -> dict[str, Any]:
    """Read the model's configuration, which for a hub's model is a file of 1 KB. Raises SizeUnknown."""
    folder = settings.models / PACKAGED_MODEL if settings.serves_packaged_model else Path(settings.model_name)
    try:
        path = folder / "config.json" if folder.is_dir() else _from_hub(settings.model_name)
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SizeUnknown(f"its config.json cannot be read: {type(error).__name__}") from None
    if not isinstance(found, dict):
        raise SizeUnknown("its config.json holds no object")
    return found


def _from_hub(model: str) -> Path:
    """Return the file from the local cache, or fetch it to there, where the engine looks for it too."""
    from huggingface_hub import hf_hub_download

    return Path(hf_hub_download(model, "config.json", etag_timeout=HUB_TIMEOUT_S))


def _gib(size: int) -> str:
    return f"{size / GIB:.1f} GiB"
