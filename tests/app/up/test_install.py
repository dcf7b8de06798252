"""The install step, without the packages: pip is another program here."""

from __future__ import annotations

import sys
from importlib.metadata import distributions

import pytest

from app.up import install
from app.up.environments import TORCH, UV, Environment
from app.up.progress import Progress

PIP = (
    "import pathlib, sys; 'config' in sys.argv or "
    "(pathlib.Path(__file__).parent / 'said').write_text(' '.join(sys.argv[1:]))"
)


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


@pytest.mark.parametrize(("fails", "last"), [(False, "uv"), (True, "pip")])
def test_uv_installs_beside_a_torch_that_is_there_and_pip_takes_over_where_it_fails(
    packages, tmp_path, monkeypatch, fails, last
):
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
    assert by_pip.endswith(UV if last == "uv" else "--no-deps -r list.txt")


def test_what_pip_is_configured_with_is_passed_to_uv(packages, tmp_path, monkeypatch):
    environment = Environment("engine", tmp_path / "environment", steps=[])
    install.venv.create(environment.folder)
    (packages / "pip.py").write_text(
        """print("global.index-url='https://mirror.example/simple'\\n"""
        """:env:.extra-index-url='file:///there https://two.example/s'")"""
    )
    assert install._indexes(environment) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://two.example/s",
    }


def test_an_extra_that_does_not_exist_is_refused_in_a_line(monkeypatch):
    monkeypatch.setenv("EXTRAS", "tunes")
    with pytest.raises(install.InstallFailed, match=r"^EXTRAS names tunes, but there are .*tune"):
        install.install(Progress(), test=False)


def test_no_cuda_package_came_into_the_app_s_environment():
    installed = {str(each.metadata["Name"]).lower() for each in distributions()}
    assert "torch" in installed
    assert [name for name in installed if name.startswith("nvidia")] == []
