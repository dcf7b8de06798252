"""The lists in requirements/ hold all that is installed, each with its hash, and agree with pyproject.toml."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.up.environments import (
    EXTRAS,
    HASHED,
    UV,
    app_environment,
    audit_environment,
    console_environment,
    engine_environment,
)
from tests.conftest import ROOT
from tests.supply.distributions import APP, installed
from tests.test_compose import DOCKERFILE

FOLDER = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LISTS = sorted(FOLDER.glob("*.txt"))
ENTRY = re.compile(r"^([\w.-]+)==([\w.]+)( ; [^\\]+)?((?: \\\n    --hash=sha256:[0-9a-f]{64})+)$")


def entries(file: Path) -> list[str]:
    return [each for each in re.split(r"\n(?=\S)", file.read_text().strip()) if not each.startswith("#")]


def pinned(*names: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name in names:
        for entry in entries(FOLDER / f"{name}.txt"):
            package, version = entry.split()[0].split("==")
            found.setdefault(canonicalize_name(package), set()).add(version)
    return found


@pytest.mark.parametrize("file", LISTS, ids=lambda file: file.name)
def test_every_entry_has_a_version_and_a_hash_and_names_no_place(file):
    assert [entry for entry in entries(file) if not ENTRY.match(entry)] == []
    assert not re.search(r"https?://|index-url|find-links|/work|# via", file.read_text())


def test_the_lists_have_what_pyproject_names_and_nothing_of_cuda():
    extras = PROJECT["optional-dependencies"]
    for name in (None, *sorted(EXTRAS | {"test"})):
        names = ["app", *([name] if name else []), *(sorted(EXTRAS) if name == "test" else [])]
        found = pinned(*names)
        assert not [package for package in found if re.match("torch$|triton$|nvidia-|cuda-", package)]
        wanted = [Requirement(each) for each in (extras[name] if name else PROJECT["dependencies"])]
        for each in wanted:
            package = canonicalize_name(each.name)
            if package not in ("kyujang", "torch"):
                assert found.get(package) == {str(each.specifier).removeprefix("==")}, (
                    f"make lists: {package} in {names}"
                )


def test_all_lists_agree_on_every_version():
    found = pinned("build", "app", "test", *EXTRAS)
    assert {name: versions for name, versions in found.items() if len(versions) > 1} == {}


def test_what_is_installed_is_what_the_lists_say():
    listed = pinned("build", "app", "test", *EXTRAS, "uv")
    # pip and, before 3.12, the setuptools that it comes with are Python's own.
    found = {name: each.version for name, each in installed(APP).items() if name not in ("kyujang", "pip", "torch")}
    assert {name: version for name, version in found.items() if listed.get(name) != {version}} == {}
    needed = {
        canonicalize_name(requirement.name)
        for each in installed(APP).values()
        for requirement in map(Requirement, each.requires or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert needed - {"torch"} <= listed.keys()


def test_every_step_installs_from_a_list_with_hashes():
    environments = [app_environment(test=True), app_environment(test=False), audit_environment(), console_environment()]
    steps = [UV, *(list(step) for each in environments for step in each.steps)]
    project = ["--no-deps", "--no-build-isolation", "-e", "."]
    assert [step for step in steps if step[:3] != HASHED and step != project] == [["torch==2.13.0"]]
    read = {Path(word).name for step in steps for word in step if word.endswith(".txt")}
    engines = [engine_environment(gpu=gpu) for gpu in (False, True)]
    read |= {path.name for each in engines for path in each.inputs if path.suffix == ".txt"}
    # A GPU's app asks for the first, a test of clients for the second.
    assert {file.name for file in LISTS} - {"torch-cuda.txt", "clients.txt", "milvus-server.txt"} == read


def test_the_image_installs_from_the_same_lists():
    installs = re.findall(r"pip install ([^&;|]+)", DOCKERFILE.replace("\\\n", " "))
    assert len(installs) == 6
    assert [words for words in installs if "--no-deps" not in words] == []
    assert [words for words in installs if "--require-hashes" not in words and "torch==2.13.0+cpu" not in words] == []
    script = re.search(r"lists=\$\((for .*? done)\)", DOCKERFILE)
    assert script
    for extras, names in (("", ["app"]), ("[tune]", ["app", "tune"]), ("minilm, plots", ["app", "minilm", "plots"])):
        command = ["sh", "-c", script[1]]
        said = subprocess.run(command, env={"EXTRAS": extras}, capture_output=True, text=True, check=True).stdout
        assert said.split() == [word for name in names for word in ("-r", f"requirements/{name}.txt")]


def test_a_package_with_another_hash_is_refused(tmp_path):
    wheel = tmp_path / "made-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("made-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: made\nVersion: 1.0\n")
        archive.writestr("made-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("made-1.0.dist-info/RECORD", "")
    right = hashlib.sha256(wheel.read_bytes()).hexdigest()
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "-q", "--no-index", "-f", tmp_path, *HASHED]
    said = []
    for digest in (right, "0" * 64):
        (tmp_path / "list.txt").write_text(f"made==1.0 --hash=sha256:{digest}\n")
        done = subprocess.run([*command, "-r", tmp_path / "list.txt"], capture_output=True, text=True, check=False)
        said.append((done.returncode, "DO NOT MATCH THE HASHES" in done.stderr))
    assert said == [(0, False), (1, True)]
