import json
import os
import subprocess
import sys
from importlib.metadata import distributions
from itertools import pairwise
from pathlib import Path

import pytest

from app.settings import Settings
from app.up import gpus
from app.up.convert_smollm2 import packaged_gguf
from app.up.engine import LORA_KERNELS, LocalEngine, engine_cores, engine_refusal
from app.up.environments import ROOT


def local_engine(home: Path, *, gpu: bool = False, model: str | None = None) -> LocalEngine:
    engine = LocalEngine.choose(Settings(home=home, engine="vllm", llm_url=None, model=model), home / "run", gpu=gpu)
    assert engine is not None
    return engine


def test_no_engine_is_started_when_none_is_wanted_or_one_runs_elsewhere(tmp_path: Path):
    assert LocalEngine.choose(Settings(home=tmp_path, engine="none"), tmp_path, gpu=False) is None
    elsewhere = Settings(home=tmp_path, llm_url="http://127.0.0.1:9000")
    assert LocalEngine.choose(elsewhere, tmp_path, gpu=True) is None


def test_the_engine_is_private_and_does_not_get_the_services_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:secret@db/kyujang")
    monkeypatch.setenv("KYUJANG_ADMIN_KEY", "operator" * 3)
    monkeypatch.setenv("HF_TOKEN", "hub")
    engine = local_engine(tmp_path)
    spec = engine.spec(tmp_path / "engine.log")

    arguments = list(spec.argv)
    assert arguments[arguments.index("--uds") + 1] == str(tmp_path / "run" / "engine.sock")
    assert arguments[arguments.index("--middleware") + 1] == "engine_guard.Guard"
    assert not {"--host", "--port"} & set(arguments)
    assert engine.key not in arguments
    assert spec.env["KYUJANG_ENGINE_KEY"] == engine.key
    assert spec.env["HF_TOKEN"] == "hub"
    assert not {"DATABASE_URL", "KYUJANG_ADMIN_KEY"} & set(spec.env)
    assert local_engine(tmp_path).key != engine.key


def test_the_packaged_model_is_converted_once_and_served_offline(tmp_path: Path):
    engine = local_engine(tmp_path)
    spec = engine.spec(tmp_path / "engine.log")
    assert str(tmp_path / "models" / "smollm2") in spec.argv
    assert spec.env["HF_HUB_OFFLINE"] == "1"
    assert engine.conversion(tmp_path / "engine.log") is not None
    (tmp_path / "models" / "smollm2").mkdir()
    assert engine.conversion(tmp_path / "engine.log") is None


def test_another_model_may_come_from_the_hub_or_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    hub = local_engine(tmp_path, model="owner/model")
    assert hub.conversion(tmp_path / "log") is None
    assert "HF_HUB_OFFLINE" not in hub.spec(tmp_path / "log").env
    folder = local_engine(tmp_path, model=str(tmp_path))
    assert folder.spec(tmp_path / "log").env["HF_HUB_OFFLINE"] == "1"
    arguments = list(folder.spec(tmp_path / "log").argv)
    names = arguments.index("--served-model-name")
    assert arguments[names + 1] == str(tmp_path)


def test_the_gpu_engine_keeps_its_graphs_and_its_memory(tmp_path: Path):
    gpu, cpu = (local_engine(tmp_path, gpu=gpu).spec(tmp_path / "log") for gpu in (True, False))
    assert "--enforce-eager" in cpu.argv
    assert cpu.env["VLLM_CPU_KVCACHE_SPACE"] == "1"
    assert "--enforce-eager" not in gpu.argv
    assert "--gpu-memory-utilization" in gpu.argv
    assert "VLLM_CPU_KVCACHE_SPACE" not in gpu.env


@pytest.mark.parametrize(("card", "measured"), [("NVIDIA H200", True), ("NVIDIA L4", False), (None, False)])
def test_a_card_whose_kernels_were_measured_gets_their_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, card: str | None, measured: bool
):
    monkeypatch.setattr(gpus, "look", lambda: gpus.Gpus((gpus.Gpu(card, None),) if card else ()))
    folder = local_engine(tmp_path, gpu=True).spec(tmp_path / "log").env.get("VLLM_TUNED_CONFIG_FOLDER")
    assert bool(folder) == measured
    assert "VLLM_TUNED_CONFIG_FOLDER" not in local_engine(tmp_path).spec(tmp_path / "log").env
    monkeypatch.setenv("VLLM_TUNED_CONFIG_FOLDER", "/elsewhere")
    assert local_engine(tmp_path, gpu=True).spec(tmp_path / "log").env["VLLM_TUNED_CONFIG_FOLDER"] == "/elsewhere"


def test_settings_of_lora_kernels_are_for_every_linear_of_a_layer():
    """vLLM takes the nearest size, but fails where the number of outputs (o, gate and up, q k v) is not in."""
    for path in LORA_KERNELS.glob("*.json"):
        for slots, settings in json.loads(path.read_text()).items():
            assert settings.keys() == {"1", "2", "3"}, (path, slots)


def test_vllm_writes_to_the_data_folder_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VLLM_CACHE_ROOT", raising=False)
    assert local_engine(tmp_path).spec(tmp_path / "log").env["VLLM_CACHE_ROOT"] == str(tmp_path / "engine")
    monkeypatch.setenv("VLLM_CACHE_ROOT", "/elsewhere")
    assert local_engine(tmp_path).spec(tmp_path / "log").env["VLLM_CACHE_ROOT"] == "/elsewhere"


def test_the_engine_keeps_what_it_compiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    engine = local_engine(tmp_path)
    conversion = engine.conversion(tmp_path / "log")
    assert conversion is not None
    for spec in (engine.spec(tmp_path / "log"), conversion):
        command = [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"]
        assert subprocess.run(command, env=dict(spec.env), capture_output=True, text=True).stdout == "False\n"


def test_the_cpu_engine_needs_no_compiler(tmp_path: Path):
    """--enforce-eager leaves vLLM some functions that it compiles at their first call."""
    gpu, cpu = (local_engine(tmp_path, gpu=gpu).spec(tmp_path / "log") for gpu in (True, False))
    assert cpu.env["TORCH_COMPILE_DISABLE"] == "1"
    assert "TORCH_COMPILE_DISABLE" not in gpu.env


def test_a_stale_socket_is_removed_before_the_start(tmp_path: Path):
    engine = local_engine(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "engine.sock").touch()
    engine.spec(tmp_path / "log").before_start()
    assert not (tmp_path / "run" / "engine.sock").exists()


def test_one_core_is_left_for_the_rest(monkeypatch: pytest.MonkeyPatch):
    for available, expected in (({0}, [0]), ({2, 3}, [2]), (set(range(32)), list(range(8)))):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, cores=available: cores)
        assert engine_cores() == expected


def test_an_engine_that_is_not_there_says_so(tmp_path: Path):
    assert engine_refusal(f"unix://{tmp_path}/engine.sock", "key", None)


def test_without_the_engines_environment_there_is_no_packaged_model():
    with pytest.raises(StopIteration):
        packaged_gguf()


def test_the_engine_takes_adapters_within_the_settings_limits(tmp_path: Path):
    settings = Settings(home=tmp_path, max_loras=6, max_cpu_loras=3, max_lora_rank=16)
    engine = LocalEngine.choose(settings, tmp_path / "run", gpu=False)
    assert engine is not None
    spec = engine.spec(tmp_path / "log")
    arguments = list(spec.argv)
    given = {name: arguments[arguments.index(name) + 1] for name in ("--max-loras", "--max-cpu-loras")}
    assert given == {"--max-loras": "6", "--max-cpu-loras": "6"}
    assert arguments[arguments.index("--max-lora-rank") + 1] == "16"
    assert spec.env["VLLM_PLUGINS"] == "kyujang_cpu_lora"
    assert local_engine(tmp_path, gpu=True).spec(tmp_path / "log").env["VLLM_PLUGINS"] == ""


def test_a_quantisation_is_passed_on(tmp_path: Path):
    settings = Settings(home=tmp_path, model="owner/model", quantization="compressed-tensors")
    engine = LocalEngine.choose(settings, tmp_path / "run", gpu=True)
    assert engine is not None
    arguments = list(engine.spec(tmp_path / "log").argv)
    assert arguments[arguments.index("--quantization") + 1] == "compressed-tensors"
    assert "--quantization" not in local_engine(tmp_path).spec(tmp_path / "log").argv


def test_the_context_and_the_operator_s_arguments_reach_the_engine(tmp_path: Path):
    def given(name: str, *, gpu: bool, **settings: object) -> list[str]:
        engine = LocalEngine.choose(Settings(home=tmp_path, **settings), tmp_path / "run", gpu=gpu)
        assert engine is not None
        arguments = list(engine.spec(tmp_path / "log").argv)
        return [value for before, value in pairwise(arguments) if before == name]

    assert given("--max-model-len", gpu=True) == ["8192"]
    assert given("--max-model-len", gpu=False) == ["4096"]
    assert given("--max-model-len", gpu=False, engine_context_tokens=2048) == ["2048"]
    own = "--gpu-memory-utilization 0.5 --kv-cache-dtype fp8"
    assert given("--gpu-memory-utilization", gpu=True, engine_arguments=own) == ["0.9", "0.5"]
    assert given("--kv-cache-dtype", gpu=True, engine_arguments=own) == ["fp8"]


def test_vllm_finds_the_plug_in(tmp_path: Path):
    """By the entry point beside it, in the folder that PYTHONPATH names."""
    folder = local_engine(tmp_path).spec(tmp_path / "log").env["PYTHONPATH"]
    found = entry_points_of(Path(folder))
    assert found == {"kyujang_cpu_lora": "kyujang_cpu_lora:install"}
    assert (Path(folder) / "kyujang_cpu_lora.py").is_file()


def entry_points_of(folder: Path) -> dict[str, str]:
    [distribution] = distributions(path=[str(folder)])
    return {each.name: each.value for each in distribution.entry_points if each.group == "vllm.general_plugins"}


def test_the_engine_is_installed_from_the_bundle_that_the_app_came_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("app.up.environments.Environment.is_installed", lambda _: False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://owner:secret@db/kyujang")
    without = local_engine(tmp_path).installation(tmp_path / "log")
    monkeypatch.setenv("KYUJANG_BUNDLE", "bundle")
    spec = local_engine(tmp_path).installation(tmp_path / "log")
    assert without is not None
    assert spec is not None
    assert "KYUJANG_BUNDLE" not in without.env
    assert spec.env == {**without.env, "KYUJANG_BUNDLE": "bundle"}
    assert (spec.cwd, "DATABASE_URL" in spec.env) == (ROOT, False)
