"""vLLM's OpenAI-compatible server as our child: behind a Unix socket, our guard and a key of this run."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app import cpu
from app.errors import EngineUnavailable
from app.generation.replica import EngineReplica
from app.generation.timeouts import Timeouts
from app.generation.transport import UNIX
from app.settings import PACKAGED_MODEL, Settings, inherited_environment
from app.up import gpus
from app.up.child import ChildSpec
from app.up.environments import ROOT, Environment, engine_environment
from app.up.model_fit import CPU_CACHE_GIB, GPU_SHARE, context_tokens
from app.up.preflight import WITHOUT_ENGINE
from app.up.sources import BUNDLE

GUARD = ROOT / "deploy"
# Settings of LoRA kernels, a few files a card; bench/lora_kernels.py measures and writes them.
LORA_KERNELS = GUARD / "lora_kernels"
CONVERTER = Path(__file__).with_name("convert_smollm2.py")
MAX_THREADS = 8

# Not its usage statistics, not its plug-ins, no spinning threads beside the embedder's.
ENGINE_ENVIRONMENT = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_PLUGINS": "",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PYTHONPATH": str(GUARD),
    # What it imports is compiled once, not in each of its processes at each start, whatever this machine's environment.
    "PYTHONDONTWRITEBYTECODE": "",
    "VLLM_COMPUTE_NANS_IN_LOGITS": "1",
    # Behind the guard, which keeps out adapters that were never checked.
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1",
}
# Small models fill the room between JSON's tokens with white space until the answer is cut off.
COMPACT_JSON = '{"backend": "xgrammar", "disable_any_whitespace": true}'
CPU_ARGUMENTS = ("--enforce-eager",)
GPU_ARGUMENTS = ("--gpu-memory-utilization", str(GPU_SHARE))


@dataclass(frozen=True)
class LocalEngine:
    """Everything that starting the engine on this machine takes."""

    settings: Settings
    sockets: Path
    gpu: bool
    key: str

    @classmethod
    def choose(cls, settings: Settings, sockets: Path, *, gpu: bool) -> LocalEngine | None:
        """Return None if no engine is wanted, or one runs elsewhere already."""
        if settings.engine == "none" or settings.llm_url:
            return None
        return cls(settings, sockets, gpu, secrets.token_urlsafe(32))

    @property
    def url(self) -> str:
        return f"{UNIX}{self._socket}"

    @property
    def packaged_model(self) -> Path | None:
        """Return where the packaged model goes; None if KYUJANG_MODEL names another one."""
        return self.settings.models / PACKAGED_MODEL if self.settings.serves_packaged_model else None

    @property
    def _socket(self) -> Path:
        return self.sockets / "engine.sock"

    @property
    def _environment(self) -> Environment:
        return engine_environment(gpu=self.gpu)

    def installation(self, log: Path) -> ChildSpec | None:
        """Return the child that installs the engine's environment, if that has not been done yet."""
        if self._environment.is_installed():
            return None
        command = [sys.executable, "-m", "app.up.install", "--engine"]
        environment = inherited_environment() | {name: os.environ[name] for name in (BUNDLE,) if name in os.environ}
        return ChildSpec("engine environment", command, environment, log, cwd=ROOT)

    def conversion(self, log: Path) -> ChildSpec | None:
        """Return the child that makes the packaged model ready, if that has not been done yet."""
        target = self.packaged_model
        if target is None or target.exists():
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        argv = [str(self._environment.python), str(CONVERTER), str(target)]
        environment = {**inherited_environment(), **ENGINE_ENVIRONMENT, "HF_HUB_OFFLINE": "1"}
        return ChildSpec("model conversion", argv, environment, log)

    def spec(self, log: Path) -> ChildSpec:
        return ChildSpec(
            name="engine",
            argv=[str(self._environment.python), "-m", "vllm.entrypoints.openai.api_server", *self._arguments()],
            env={**inherited_environment(), **ENGINE_ENVIRONMENT, **self._own_environment()},
            log=log,
            before_start=lambda: self._socket.unlink(missing_ok=True),
            advice=f"Check KYUJANG_MODEL (a hub id or a folder) and the memory; to go on without: {WITHOUT_ENGINE}.",
        )

    def _arguments(self) -> list[str]:
        model = str(self.packaged_model or self.settings.model)
        common = ["--model", model, "--served-model-name", self.settings.model_name, "--uds", str(self._socket)]
        common += ["--middleware", "engine_guard.Guard", "--generation-config", "vllm"]
        common += ["--enable-prompt-tokens-details", "--enable-tokenizer-info-endpoint", "--disable-fastapi-docs"]
        common += ["--structured-outputs-config", COMPACT_JSON, *self._lora_arguments()]
        if self.settings.quantization:
            common += ["--quantization", self.settings.quantization]
        common += ["--max-model-len", str(context_tokens(self.settings, gpu=self.gpu))]
        # The operator's come last, where vLLM takes the later of two.
        return [*common, *self._device_arguments(), *self.settings.extra_engine_arguments]

    def _device_arguments(self) -> Sequence[str]:
        if self.gpu:
            return GPU_ARGUMENTS
        # Without bfloat16 in the CPU, emulating it makes prompts five times slower (measured: 40 against 200 tokens/s).
        return [*CPU_ARGUMENTS, *([] if cpu.multiplies_bfloat16() else ["--dtype", "float32"])]

    def _lora_arguments(self) -> list[str]:
        settings = self.settings
        held = max(settings.max_loras, settings.max_cpu_loras)
        limits = ["--max-loras", settings.max_loras, "--max-cpu-loras", held, "--max-lora-rank", settings.max_lora_rank]
        return ["--enable-lora", *map(str, limits)]

    def _own_environment(self) -> dict[str, str]:
        own = {"KYUJANG_ENGINE_KEY": self.key}
        if "VLLM_CACHE_ROOT" not in os.environ:
            own["VLLM_CACHE_ROOT"] = str(self.settings.engine_cache)
        if self.packaged_model or Path(self.settings.model or "").is_dir():
            own["HF_HUB_OFFLINE"] = "1"
        if self.gpu:
            own |= _lora_kernels()
        else:
            cores = engine_cores()
            own |= {
                "VLLM_PLUGINS": "kyujang_cpu_lora",
                # Else the first probabilities that are asked for wait for a C++ compiler, which may not even be there.
                "TORCH_COMPILE_DISABLE": "1",
                "VLLM_CPU_KVCACHE_SPACE": str(CPU_CACHE_GIB),
                "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cores)),
                "OMP_NUM_THREADS": str(len(cores)),
            }
        return own

    def refusal(self) -> str | None:
        return engine_refusal(self.url, self.key, self.settings.model)


def _lora_kernels() -> dict[str, str]:
    """Return where vLLM finds what was measured for this card, unless the operator says where. For any other card it
    would warn, and choose worse for mixtures of experts."""
    if "VLLM_TUNED_CONFIG_FOLDER" in os.environ:
        return {}
    card = gpus.look().first
    name = re.sub("[ -]", "_", card.name) if card else ""
    return {"VLLM_TUNED_CONFIG_FOLDER": str(LORA_KERNELS)} if (LORA_KERNELS / f"{name}_SHRINK.json").exists() else {}


def engine_cores() -> list[int]:
    """Return all cores but one, so that API, worker and database have somewhere to run."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[: max(1, min(MAX_THREADS, len(cores) - 1))]


def engine_refusal(url: str, key: str | None, model: str | None) -> str | None:
    """Return None if the engine lists the model and completes one token, else why not."""

    async def ask() -> None:
        engine = EngineReplica(url, key=key, model=model, timeouts=Timeouts(5, 60, 60, 60))
        try:
            await engine.probe()
        finally:
            await engine.close()

    try:
        asyncio.run(ask())
    except EngineUnavailable as error:
        return error.detail
    return None
