import re
import sys
import tomllib
from pathlib import Path

import pytest

from app.settings import PACKAGED_EMBEDDER
from app.up.environments import (
    CUDA,
    EXTRAS,
    PACKAGED,
    ROOT,
    TORCH,
    WITH_TORCH,
    Environment,
    app_environment,
    engine_environment,
    extras_for,
)


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("one==1\n")
    return Environment("app", tmp_path / ".venv", steps=[], inputs=[requirements], extras=frozenset({"test"}))


def install(environment: Environment) -> None:
    environment.begin()
    environment.python.parent.mkdir(parents=True, exist_ok=True)
    environment.python.unlink(missing_ok=True)
    environment.python.symlink_to(sys.executable)


def test_a_finished_install_is_not_repeated(environment: Environment):
    assert not environment.is_installed()
    install(environment)
    assert not environment.is_installed()
    environment.finish()
    assert environment.is_installed()


def test_an_interrupted_install_starts_from_nothing(environment: Environment):
    install(environment)
    half = environment.folder / "half-unpacked"
    half.touch()
    assert environment.was_interrupted()
    environment.begin()
    assert not half.exists()


def test_changed_requirements_are_installed_over_the_old_ones(environment: Environment):
    install(environment)
    environment.finish()
    kept = environment.folder / "package"
    kept.touch()
    environment.inputs[0].write_text("one==2\n")
    assert not environment.is_installed()
    assert not environment.was_interrupted()
    environment.begin()
    assert kept.exists()
    assert not environment.is_installed()


def test_a_python_that_has_gone_counts_as_not_installed(environment: Environment):
    install(environment)
    environment.finish()
    environment.python.unlink()
    environment.python.symlink_to("/nonexistent/python3")
    assert not environment.is_installed()
    assert environment.was_interrupted()


def test_without_the_tests_extra_an_environment_with_it_will_do(environment: Environment):
    install(environment)
    environment.finish()
    plain = Environment("app", environment.folder, steps=[], inputs=environment.inputs)
    assert plain.is_installed()

    plain.finish()
    assert plain.is_installed()
    assert not environment.is_installed()


def test_a_damaged_stamp_counts_as_none(environment: Environment):
    install(environment)
    (environment.folder / "installed.json").write_text("{")
    assert not environment.is_installed()


def test_every_file_an_environment_is_made_from_is_there():
    for environment in (app_environment(test=True), engine_environment(gpu=False), engine_environment(gpu=True)):
        assert all(path.is_file() for path in environment.inputs)


def test_torch_comes_first_so_that_nothing_pulls_the_cuda_build():
    assert list(app_environment(test=True).steps[0]) == ["torch==2.13.0"]
    cpu = engine_environment(gpu=False)
    assert list(cpu.steps[0]) == ["torch==2.13.0"]
    assert all(step[0] == "--no-deps" for step in cpu.steps[1:])
    pinned = [line.partition("==")[0] for path in cpu.inputs for line in path.read_text().splitlines()]
    assert not {"torch", "torchvision", "torchaudio", "torchcodec", "triton"} & set(pinned)
    assert not [name for name in pinned if name.startswith("nvidia")]


def test_every_extra_is_named_once():
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert listed.keys() == EXTRAS | {"docs", "test"}
    needs_torch = [
        name for name in EXTRAS if re.search(r"'(torch==.*|kyujang\[models\]|kyujang\[tune\])'", str(listed[name]))
    ]
    assert set(needs_torch) == WITH_TORCH
    assert all(f"*{name}*" in (ROOT / "Dockerfile").read_text() for name in WITH_TORCH)


def test_a_reranker_of_onnx_runtime_needs_no_torch(tmp_path):
    (tmp_path / "model.onnx").touch()
    assert extras_for({"KYUJANG_RERANKER": str(tmp_path)}) == frozenset()


@pytest.mark.parametrize(
    ("variables", "extras"),
    [
        ({}, set()),
        ({"KYUJANG_EMBEDDER": "", "KYUJANG_RERANKER": ""}, set()),
        ({"KYUJANG_EMBEDDER": PACKAGED_EMBEDDER}, set()),
        ({"KYUJANG_EMBEDDER": "BAAI/bge-m3"}, {"models"}),
        ({"KYUJANG_EMBEDDER": "minilm"}, {"minilm"}),
        ({"KYUJANG_EMBEDDER": "BAAI/bge-m3", "KYUJANG_EMBEDDER_URL": "http://there"}, set()),
        ({"KYUJANG_RERANKER": "BAAI/bge-reranker-v2-m3"}, {"models"}),
        ({"KYUJANG_RERANKER": "a", "KYUJANG_RERANKER_URL": "http://there"}, set()),
        ({"KYUJANG_EMBEDDER": "minilm", "KYUJANG_RERANKER": "a"}, {"minilm", "models"}),
        ({"KYUJANG_SPLITTER": "langchain"}, {"langchain"}),
        ({"KYUJANG_SPLITTER": "sentences"}, set()),
        ({"EXTRAS": "tune"}, {"tune"}),
        ({"EXTRAS": "[tune, qlora]"}, {"tune", "qlora"}),
    ],
)
def test_torch_comes_only_with_settings_that_run_on_it(variables, extras):
    assert PACKAGED == PACKAGED_EMBEDDER
    assert extras_for(variables) == extras
    environment = app_environment(test=False, extras=extras_for(variables))
    assert (list(environment.steps[0]) == ["torch==2.13.0"]) == bool(extras & WITH_TORCH)
    assert environment.extras <= app_environment(test=True).extras
    assert {Path(word).stem for word in environment.steps[-2] if word.endswith(".txt")} == {"app", *extras}


def pins(text: str) -> list[str]:
    entries = [line for line in text.splitlines() if "==" in line.partition("#")[0]]
    return sorted(line.rstrip(" \\").replace('"', "'").replace(" ;", ";") for line in entries)


def test_the_engine_s_packages_are_pinned_by_hash_as_they_are_listed():
    """One hash in a file, and pip and uv want one of every package in it."""
    listed, hashed = (ROOT / "requirements" / f"engine-cpu-deps.{kind}" for kind in ("in", "txt"))
    assert pins(hashed.read_text()) == pins(listed.read_text())
    for path in engine_environment(gpu=False).inputs:
        if path.parent.name == "requirements":
            entries = path.read_text().replace("\\\n", "").splitlines()
            assert [line for line in entries if "==" in line.split("#")[0] and "--hash=sha256:" not in line] == []


def test_torch_with_cuda_is_installed_only_where_a_gpu_and_a_model_ask_for_it():
    """The list is resolved by uv and has not been installed by us on a GPU yet."""
    cuda = "torch-cuda.txt"

    def lists(environment: Environment) -> list[str]:
        return [Path(word).name for step in environment.steps for word in step if word.endswith(".txt")]

    for extra in ("models", "minilm", "tune", "qlora"):
        asked = frozenset({extra})
        assert cuda in lists(app_environment(test=False, extras=asked, gpu=True))
        assert cuda not in lists(app_environment(test=False, extras=asked, gpu=False))
    for asked in (frozenset(), frozenset({"plots", "langchain"})):
        assert app_environment(test=False, extras=asked, gpu=True) == app_environment(test=False, extras=asked)
    for path in (ROOT / "requirements").glob("*.txt"):
        names_cuda = any(line.startswith(("nvidia-", "cuda-")) for line in path.read_text().splitlines())
        assert names_cuda == (path.name in (cuda, "engine-gpu.txt")), path.name


def test_the_list_with_cuda_has_the_torch_of_the_app_by_hash():
    text = (ROOT / "requirements" / "torch-cuda.txt").read_text().replace("\\\n", "")
    entries = [line for line in text.splitlines() if "==" in line.split("#")[0]]
    assert [line for line in entries if "--hash=sha256:" not in line] == []
    assert any(line.split()[0] == TORCH for line in entries)


def test_the_cpu_s_torch_makes_room_for_the_other_one(tmp_path: Path):
    """pip takes either for the version that is asked for."""
    folder = tmp_path / ".venv"
    cpu = Environment("app", folder, steps=[], extras=frozenset({"models"}))
    cuda = Environment("app", folder, steps=[], extras=frozenset({"models", CUDA}))
    install(cpu)
    cpu.finish()
    (folder / "torch-cpu").touch()
    assert not cuda.is_installed()
    install(cuda)
    assert not (folder / "torch-cpu").exists()
    cuda.finish()
    (folder / "torch-cuda").touch()
    assert cpu.is_installed()
    install(cuda)
    assert (folder / "torch-cuda").exists()
