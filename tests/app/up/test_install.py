"""The install step, without the packages: pip is another program here."""

from __future__ import annotations

import subprocess
import sys
from fnmatch import fnmatch
from importlib.metadata import distributions
from pathlib import Path

import pytest

from app.up import install
from app.up.environments import TORCH, UV, Environment, app_environment
from app.up.gpus import Gpus
from app.up.progress import Progress
from app.up.sources import sources
from tests.ingest.made import ENGLISH, MAKERS
from tests.ingest.made.hancom import hwp

PIP = (
    "import pathlib, sys; 'config' in sys.argv or "
    "(pathlib.Path(__file__).parent / 'said').write_text(' '.join(sys.argv[1:]))"
)


TUNE = "ingest.tune.train"


def link_python(folder):
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The library folder of an environment that has a `pip` and packages, one with a file that no Python takes."""
    packages = Environment("app", tmp_path / "environment", steps=[]).packages

    def create(folder, **_):
        for name in ("parser", "parser/tests", "other"):
            (packages / name).mkdir(parents=True)
            (packages / name / "it.py").touch()
        (packages / "other" / "it.py").write_text("import other.imported_by_it")
        (packages / "other" / "imported_by_it.py").touch()
        (packages / "pip.py").write_text(PIP)
        (packages / "parser" / "broken.py").write_text("print 'of Python 2'")
        link_python(folder)

    monkeypatch.setattr(install.venv, "create", create)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return packages


@pytest.mark.parametrize(
    ("compiled", "imported", "found"),
    [
        (["parse*"], "", {"parser"}),
        (["*"], "", {"parser", "other"}),
        ([], "other.it", {"other"}),
        (["parse*"], "other.it", {"parser", "other"}),
        ([], "", set()),
    ],
)
def test_packages_are_compiled_where_a_limited_child_could_not_do_it(
    packages, tmp_path, monkeypatch, compiled, imported, found
):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    environment = Environment("app", tmp_path / "environment", steps=[["one==1"]], compiled=compiled, imported=imported)
    progress = Progress()
    progress.start("app", "nothing")
    install._ensure(environment, progress)
    assert environment.is_installed()
    assert (packages / "said").read_text().split()[0::4] == ["install", "one==1"]
    folders = {path.parents[1].name for path in packages.rglob("*it.*.pyc")}
    assert folders == found


def test_what_a_child_imports_only_once_it_is_confined_is_compiled(tmp_path):
    files = {extension: made(ENGLISH) for extension, made in MAKERS.items()} | {"hwp": hwp(ENGLISH, flags=5)}
    for extension, content in files.items():
        (tmp_path / f"a.{extension}").write_bytes(content)
    program = (
        "import sys; from pathlib import Path; from ingest.loading import child, parsed; before = set(sys.modules)\n"
        "for file in Path(sys.argv[1]).iterdir():\n"
        "    child._read(file, child.detect(file, file.name, ''), 10_000, parsed.DEFAULTS)\n"
        "print(*(getattr(sys.modules[name], '__file__', None) for name in set(sys.modules) - before), sep='\\n')"
    )
    told = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    sources = [line for line in told.stdout.splitlines() if "site-packages" in line and line.endswith(".py")]
    imported = {Path(line.rpartition("site-packages/")[2]).parts[0] for line in sources}
    assert "pypdfium2" in imported
    compiled = app_environment(test=False).compiled
    assert [name for name in imported if not any(fnmatch(name, pattern) for pattern in compiled)] == []


@pytest.mark.parametrize(("extras", "imported"), [(set(), ""), ({"minilm"}, ""), ({"tune"}, TUNE), ({"qlora"}, TUNE)])
def test_what_a_training_imports_is_compiled(extras, imported):
    assert app_environment(test=False, extras=frozenset(extras)).imported == imported


def test_a_start_asks_for_gpus_once_and_pip_for_its_configuration_once(tmp_path, monkeypatch):
    looked, configured = [], []
    monkeypatch.setattr("app.up.gpus.look", lambda: looked.append(1) or Gpus())
    monkeypatch.setattr(install, "sources", lambda environment: configured.append(environment.name) or {})
    monkeypatch.setattr(install, "_require", lambda *_: None)
    monkeypatch.setattr(install, "_run", lambda *_: 0)
    for name in ("app", "engine"):
        made = Environment(name, tmp_path / name, steps=[["one==1"], ["two==2"]])
        monkeypatch.setattr(install, f"{name}_environment", lambda made=made, **_: made)
    monkeypatch.setattr(install.venv, "create", lambda folder, **_: link_python(folder))
    assert install.main(["--test"]) == 0
    assert len(looked) == 1
    assert configured == ["app", "engine"]


@pytest.mark.parametrize(("fails", "last"), [(False, "uv"), (True, "pip")])
def test_uv_installs_and_pip_takes_over_where_it_fails(packages, tmp_path, monkeypatch, fails, last):
    environment = Environment("engine", tmp_path / "environment", steps=[[TORCH], ["--no-deps", "-r", "list.txt"]])
    progress = Progress()
    progress.start("engine", "nothing")
    create = install.venv.create

    def with_uv(folder, **options):
        create(folder, **options)
        (packages / "uv.py").write_text(f"{PIP.replace('said', 'said-to-uv')}; sys.exit({int(fails)})")

    monkeypatch.setattr(install.venv, "create", with_uv)
    install._ensure(environment, progress)
    said = (packages / "said-to-uv").read_text()
    assert said.startswith("pip install --python ")
    assert said.endswith("--no-deps -r list.txt")
    by_pip = (packages / "said").read_text()
    assert by_pip.endswith(" ".join(UV) if last == "uv" else "--no-deps -r list.txt")


def test_what_pip_is_configured_with_is_passed_to_uv(packages, tmp_path, monkeypatch):
    environment = Environment("engine", tmp_path / "environment", steps=[])
    install.venv.create(environment.folder)
    (packages / "pip.py").write_text(
        """print("global.index-url='https://mirror.example/simple'\\n"""
        """:env:.extra-index-url='file:///there https://two.example/s'\\n"""
        """global.find-links='/one\\\\nhttps://three.example/f'")"""
    )
    assert sources(environment) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://two.example/s",
        "UV_FIND_LINKS": "/one,https://three.example/f",
    }


def test_an_extra_that_does_not_exist_is_refused_in_a_line(monkeypatch):
    monkeypatch.setenv("EXTRAS", "tunes")
    with pytest.raises(install.InstallFailed, match=r"^EXTRAS names tunes, but there are .*tune"):
        install.install_app(Progress(), test=False, gpu=False)


def test_no_cuda_package_came_into_the_app_s_environment():
    installed = {str(each.metadata["Name"]).lower() for each in distributions()}
    assert "torch" in installed
    assert [name for name in installed if name.startswith("nvidia")] == []
