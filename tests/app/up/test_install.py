"""The install step, without the packages: pip is another program here."""

from __future__ import annotations

import sys

import pytest

from app.up import install
from app.up.environments import Environment
from app.up.progress import Progress

PIP = "import pathlib, sys; (pathlib.Path(__file__).parent / 'said').write_text(' '.join(sys.argv[1:]))"


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """The library folder of an environment that has a `pip` and a package with a file that no Python takes."""
    packages = tmp_path / "environment" / "lib" / "packages"

    def create(folder, **_):
        (packages / "tests").mkdir(parents=True)
        (packages / "pip.py").write_text(PIP)
        (packages / "broken.py").write_text("print 'of Python 2'")
        (packages / "tests" / "test_it.py").touch()
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(sys.executable)

    monkeypatch.setattr(install.venv, "create", create)
    monkeypatch.setenv("PYTHONPATH", str(packages))
    return packages


@pytest.mark.parametrize(("name", "compiled"), [("app", {"pip"}), ("engine", set())])
def test_packages_are_compiled_where_a_limited_child_could_not_do_it(packages, tmp_path, name, compiled):
    environment = Environment(name, tmp_path / "environment", steps=[["one==1"]])
    progress = Progress()
    progress.start(name, "nothing")
    install._ensure(environment, progress)
    assert environment.is_installed()
    assert (packages / "said").read_text().split()[0::4] == ["install", "one==1"]
    assert {path.name.partition(".")[0] for path in packages.rglob("*.pyc")} == compiled
