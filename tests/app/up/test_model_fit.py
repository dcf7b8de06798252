from __future__ import annotations

import json
import re
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from app.errors import NotConfigured
from app.settings import Settings
from app.up import model_fit
from app.up.environments import ROOT
from app.up.gpus import GIB, Gpu, Gpus
from app.up.model_fit import engine_fits
from app.up.preflight import Finding
from tests.app.up.test_model_size import LLAMA_8B, QWEN3_4B

A4000 = Gpu("NVIDIA RTX A4000", 16376 << 20, 310 << 20, "580.95.05")
H100 = Gpu("NVIDIA H100 80GB HBM3", 81559 << 20, 4 << 20, "580.95.05")
L4 = Gpu("NVIDIA L4", 23034 << 20, 2 << 20, "580.95.05")


@pytest.fixture
def model(tmp_path: Path):
    def write(config: dict) -> str:
        (tmp_path / "config.json").write_text(json.dumps(config))
        return str(tmp_path)

    return write


def about_the_model(settings: Settings, *cards: Gpu) -> Finding:
    (found,) = (each for each in engine_fits(settings, Gpus(cards)) if each.name == "Model")
    return found


def test_a_context_that_does_not_fit_is_refused_with_the_one_that_does(model):
    found = about_the_model(Settings(model=model(QWEN3_4B), engine_context_tokens=262_144), L4)
    assert found.result == "failed"
    assert "at 262,144 tokens needs 36.0 GiB of cache beside 7.5 GiB of weights; NVIDIA L4 takes" in found.found
    takes = int(re.search(r"ENGINE_CONTEXT_TOKENS=(\d+) or less", found.advice)[1])
    assert 60_000 < takes < 80_000
    assert about_the_model(Settings(model=model(QWEN3_4B), engine_context_tokens=takes), L4).result == "ok"
    assert about_the_model(Settings(model=model(QWEN3_4B), engine_context_tokens=262_144), H100).result == "ok"


def test_what_fits_says_how_many_requests_do(model):
    found = about_the_model(Settings(model=model(QWEN3_4B)), L4)
    assert found.result == "ok"
    assert "7.5 GiB of weights, 1.1 GiB of cache for 8,192 tokens; NVIDIA L4 has room for 9 such" in found.found


def test_what_fits_by_a_hair_is_a_warning(model):
    settings = Settings(model=model(QWEN3_4B), engine_context_tokens=80_000)
    assert about_the_model(settings, L4).result == "warning"


def test_weights_that_do_not_fit_are_refused(model):
    found = about_the_model(Settings(model=model(LLAMA_8B)), A4000)
    assert found.result == "failed"
    assert "needs 15.0 GiB for its weights; NVIDIA RTX A4000 has 14.4 GiB for all" in found.found
    assert about_the_model(Settings(model=model(LLAMA_8B), quantization="fp8"), A4000).result == "ok"


def test_the_operator_s_arguments_count(model):
    def tokens(arguments: str, **more: object) -> int:
        settings = Settings(model=model(QWEN3_4B), engine_arguments=arguments, engine_context_tokens=262_144, **more)
        return int(re.search(r"takes ([\d,]+)$", about_the_model(settings, A4000).found)[1].replace(",", ""))

    plain = tokens("")
    assert tokens("--kv-cache-dtype fp8") == pytest.approx(2 * plain, abs=2000)
    assert tokens("--gpu-memory-utilization 0.8") < plain
    assert tokens("--tensor-parallel-size 2") > 2 * plain
    assert tokens("", max_loras=16, max_lora_rank=64) < plain - 10_000
    with pytest.raises(NotConfigured, match="--gpu-memory-utilization takes a number, not 'most'"):
        tokens("--gpu-memory-utilization most")


def test_a_context_beyond_the_model_s_own_is_refused(model):
    found = about_the_model(Settings(model=model({**QWEN3_4B, "max_position_embeddings": 4096})), H100)
    assert (found.result, "ENGINE_CONTEXT_TOKENS=4096" in found.advice) == ("failed", True)


def test_a_cpu_s_cache_is_a_gibibyte(model, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("app.up.model_fit.cpu.multiplies_bfloat16", lambda: True)
    monkeypatch.setattr("app.up.model_fit.total_memory", lambda: 16 * GIB)
    assert about_the_model(Settings(model=model(QWEN3_4B))).result == "ok"
    refused = about_the_model(Settings(model=model(QWEN3_4B), engine_context_tokens=8192))
    assert (refused.result, "ENGINE_CONTEXT_TOKENS=7000" in refused.advice) == ("failed", True)
    monkeypatch.setattr("app.up.model_fit.cpu.multiplies_bfloat16", lambda: False)
    assert about_the_model(Settings(model=model(QWEN3_4B))).result == "failed"
    monkeypatch.setattr("app.up.model_fit.total_memory", lambda: 6 * GIB)
    assert "needs 15.0 GiB for its weights" in about_the_model(Settings(model=model(QWEN3_4B))).found


def test_the_packaged_model_needs_no_sum(tmp_path: Path):
    assert [each.name for each in engine_fits(Settings(home=tmp_path), Gpus((L4,)))] == ["GPU"]
    assert engine_fits(Settings(home=tmp_path), Gpus()) == []


def test_a_card_that_others_use_is_refused_with_what_is_in_use():
    (found,) = engine_fits(Settings(), Gpus((Gpu("NVIDIA L4", 24 << 30, 8 << 30, "580.95.05"),)))
    assert (found.result, "24.0 GiB, 8.0 GiB in use" in found.found) == ("failed", True)
    shared = Settings(engine_arguments="--gpu-memory-utilization 0.5")
    (found,) = engine_fits(shared, Gpus((Gpu("NVIDIA L4", 24 << 30, 8 << 30, "580.95.05"),)))
    assert found.result == "ok"


def test_an_old_driver_and_a_broken_one_are_said():
    (old,) = engine_fits(Settings(), Gpus((Gpu("Tesla T4", 15360 << 20, 0, "550.54.15"),)))
    assert (old.result, "580" in old.advice) == ("warning", True)
    (broken,) = engine_fits(Settings(), Gpus(fault="Failed to initialize NVML: Driver/library version mismatch"))
    assert (broken.result, "Driver/library version mismatch" in broken.found) == ("warning", True)


def test_a_card_of_unknown_memory_is_no_reason_to_stop(model):
    unknown = Gpu("NVIDIA GB10", None, 0, "580.95.05")
    found = engine_fits(Settings(model=model(QWEN3_4B)), Gpus((unknown,)))
    assert [each.result for each in found] == ["ok", "warning"]


ASK = """
from app.settings import Settings
from app.up.gpus import GIB, Gpu, Gpus
from app.up.model_fit import engine_fits
for model in ("Qwen/Qwen3-4B", "no/model"):
    print(engine_fits(Settings(model=model), Gpus((Gpu("NVIDIA L4", 22 * GIB),)))[1])
"""


def test_of_a_hub_s_model_only_the_configuration_is_fetched(tmp_path: Path):
    asked: set[str] = set()

    class Hub(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked.add(self.path)
            known = self.path.startswith("/Qwen/Qwen3-4B/")
            body = json.dumps(QWEN3_4B).encode() if known else b"{}"
            self.send_response(200 if known else 404)
            for name, value in (("content-length", str(len(body))), ("etag", '"1"'), ("x-repo-commit", "c" * 40)):
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_GET = do_HEAD = answer

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    Thread(target=server.serve_forever, daemon=True).start()
    environment = {"HF_ENDPOINT": f"http://127.0.0.1:{server.server_address[1]}", "HF_HOME": str(tmp_path)}
    asking = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True)
    server.shutdown()
    server.server_close()
    known, unknown = asking.stdout.splitlines()
    assert known.startswith("ok   Model: Qwen/Qwen3-4B: 7.5 GiB of weights")
    assert unknown.startswith("note Model: no/model: how much memory it takes cannot be computed")
    assert asked == {f"/{model}/resolve/main/config.json" for model in ("Qwen/Qwen3-4B", "no/model")}


def test_without_a_network_it_says_that_it_cannot_be_computed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(model_fit, "_from_hub", lambda model: (_ for _ in ()).throw(OSError("no way out")))
    found = about_the_model(Settings(model="owner/model"), L4)
    assert (found.result, "cannot be computed" in found.found) == ("warning", True)
