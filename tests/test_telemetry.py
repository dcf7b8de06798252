"""Libraries that would tell their makers of this machine or its use find their switch set before they are imported."""

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

SWITCHES = {"ORT_DISABLE_TELEMETRY": "onnxruntime", "HF_HUB_DISABLE_TELEMETRY": "huggingface_hub"}
STARTED = (
    "app.__main__",
    "app.sandbox.__main__",
    "app.sandbox.warm_parent",
    "app.up.install",
    "app.up.run",
    "ingest.__main__",
    "ingest.cluster.driver",
    "ingest.cluster.stages",
    "ingest.tune.run",
)


def printed(program: str, home: Path, *arguments: str) -> str:
    inherited = {name: value for name, value in os.environ.items() if name not in {*SWITCHES, "XDG_CACHE_HOME"}}
    command = [sys.executable, "-c", program, *arguments]
    environment = {**inherited, "HOME": str(home)}
    return subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("module", STARTED)
def test_every_process_sets_the_switches_before_it_imports_what_reads_them(module, tmp_path):
    program = (
        f"import os, sys, {module}; switches = {SWITCHES}\n"
        "print([(os.environ.get(name), library in sys.modules) for name, library in switches.items()])"
    )
    assert printed(program, tmp_path) == f"{[('1', False)] * len(SWITCHES)}\n"


@pytest.mark.parametrize("switch", SWITCHES)
def test_parsers_checks_and_images_have_the_switch_in_their_environment(switch):
    assert ENVIRONMENT[switch] == "1"
    assert f"{switch}=1" in [word for name, words in instructions() if name == "ENV" for word in words.split()]
    assert [environment(engine).get(switch) for engine in ("vllm", "vllm-cpu")] == ["1", "1"]


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
