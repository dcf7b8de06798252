"""ONNX Runtime reports the machine to its maker unless ORT_DISABLE_TELEMETRY is set before it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.embedding.packaged.folder import packaged_folder
from app.sandbox.subprocesses import ENVIRONMENT
from tests.conftest import ROOT
from tests.test_compose import environment, instructions

SWITCH = "ORT_DISABLE_TELEMETRY"
STARTED = (
    "app.__main__",
    "app.sandbox.__main__",
    "app.up.install",
    "app.up.run",
    "ingest.__main__",
    "ingest.cluster.driver",
    "ingest.cluster.stages",
    "ingest.tune.run",
)


def printed(program: str, home: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in (SWITCH, "XDG_CACHE_HOME")}
    command = [sys.executable, "-c", program, *arguments]
    environment = {**inherited, "HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", STARTED)
def test_every_process_sets_the_switch_before_it_imports_onnx_runtime(module, tmp_path):
    program = f"import os, sys, {module}; print(os.environ.get({SWITCH!r}), 'onnxruntime' in sys.modules)"
    assert printed(program, tmp_path) == "1 False\n"


def test_parsers_checks_and_images_have_the_switch_in_their_environment():
    assert ENVIRONMENT[SWITCH] == "1"
    assert f"{SWITCH}=1" in [word for name, words in instructions() if name == "ENV" for word in words.split()]
    assert [environment(engine).get(SWITCH) for engine in ("vllm", "vllm-cpu")] == ["1", "1"]


def test_onnx_runtime_writes_nothing_about_the_machine(models, tmp_path):
    program = (
        "import sys, pathlib\n"
        "import numpy as np\n"
        "from app.embedding.e5_runtime import OnnxRuntime\n"
        "ids = np.array([[0, 100, 2]])\n"
        "print(OnnxRuntime(pathlib.Path(sys.argv[1]), threads=1).run(ids, np.ones_like(ids)).shape)\n"
    )
    assert printed(program, tmp_path, str(packaged_folder(models))) == "(1, 384)\n"
    assert list(tmp_path.iterdir()) == []
