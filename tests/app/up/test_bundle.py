"""A bundle of one package that is made here: no index is reached."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from app.up import bundle, install
from app.up.bundle import IMAGES, fill, steps
from app.up.environments import HASHED, PACKAGED, UV, Environment, app_environment, engine_environment
from app.up.sources import BUNDLE, MADE_FOR, SUMS, WHEELS, InstallFailed, sources, this_machine, verify

METADATA = "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\nLicense: MIT\n"
WHEEL = "carried-1.0-py3-none-any.whl"


@pytest.fixture
def wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """An environment whose one list names one package, which lies in a folder instead of an index."""
    index = tmp_path / "index"
    index.mkdir()
    with zipfile.ZipFile(index / WHEEL, "w") as wheel:
        wheel.writestr("carried.py", "")
        wheel.writestr("carried-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("carried-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("carried-1.0.dist-info/RECORD", "")
    digest = hashlib.sha256((index / WHEEL).read_bytes()).hexdigest()
    listed = tmp_path / "list.txt"
    listed.write_text(f"carried==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setattr(bundle, "UV", [*HASHED, "-r", str(listed)])
    monkeypatch.setattr(bundle, "install_audit", lambda: None)
    monkeypatch.setattr(bundle.sbom, "write", lambda _, __, file: file.write_text("{}"))
    environment = Environment("app", tmp_path / ".venv", steps=[["--no-deps", "-e", "."], [*HASHED, "-r", str(listed)]])
    (environment.folder / "bin").mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    kept = environment.packages / "kept-2.0.dist-info"
    kept.mkdir(parents=True)
    (kept / "METADATA").write_text(METADATA.replace("carried", "kept").replace("1.0", "2.0"))
    return environment


@pytest.fixture
def filled(wanted: Environment, tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    fill(folder, [wanted])
    return folder


def test_what_is_listed_is_carried_and_installs_without_an_index(filled, wanted, tmp_path, monkeypatch):
    assert [each.name for each in (filled / WHEELS).iterdir()] == [WHEEL]
    assert (filled / "LICENCES.txt").read_text() == "kept 2.0: MIT\n"
    assert (filled / "sbom" / "app.cdx.json").exists()
    verify(filled)
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv(BUNDLE, str(filled))
    found = sources(wanted)
    assert found.keys() == {"PIP_NO_INDEX", "PIP_FIND_LINKS", "UV_NO_INDEX", "UV_FIND_LINKS"}
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tmp_path / "target"), "carried==1.0"]
    subprocess.run(command, check=True)
    assert (tmp_path / "target" / "carried.py").exists()


def test_what_was_changed_on_its_way_is_named_before_anything_is_installed(filled, monkeypatch, capsys):
    (filled / WHEELS / WHEEL).write_bytes(b"another")
    monkeypatch.setenv(BUNDLE, str(filled))
    assert install.main([]) == 1
    assert f"{filled / WHEELS / WHEEL} is missing or not what was bundled" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / WHEELS / WHEEL).unlink(), "is missing or not what was bundled"),
        (
            lambda folder: (folder / MADE_FOR).write_text("Python 2.7 on VAX"),
            "was made for Python 2.7 on VAX, and this",
        ),
        (lambda folder: (folder / SUMS).unlink(), "cannot be installed from: .*SHA256SUMS cannot be read"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(filled, spoil, said):
    spoil(filled)
    with pytest.raises(InstallFailed, match=said):
        verify(filled)


def test_what_cannot_be_fetched_is_said_by_pip(wanted, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    (tmp_path / "bundle").mkdir()
    with pytest.raises(InstallFailed, match=r"carried==1\.0"):
        fill(tmp_path / "bundle", [wanted])


@pytest.mark.parametrize("gpu", [False, True])
def test_every_list_that_make_up_installs_is_carried(gpu):
    environments = [app_environment(test=False, extras=frozenset({"tune"}), gpu=gpu), engine_environment(gpu=gpu)]
    carried = list(steps(environments))
    for step in [UV, *(step for each in environments for step in each.steps)]:
        assert "-e" in step or list(step) in carried, step
    assert all("-e" not in step for step in carried)
    assert len(carried) == len({tuple(step) for step in carried})
    assert PACKAGED in Path("requirements/app.txt").read_text()


def test_the_archive_holds_the_clone_the_console_and_the_bundle(filled, tmp_path, monkeypatch):
    built = tmp_path / "dist"
    built.mkdir()
    (built / "index.html").write_text("the page")
    monkeypatch.setattr(bundle, "BUILT", built)
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    (tmp_path / "Makefile").write_text("up:\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "Makefile"], cwd=tmp_path, check=True)
    bundle._pack(filled, tmp_path / "kyujang.tar")
    with tarfile.open(tmp_path / "kyujang.tar") as archive:
        names = set(archive.getnames())
    assert {"kyujang/Makefile", "kyujang/dist/index.html", f"kyujang/bundle/{SUMS}"} <= names
    assert "kyujang/list.txt" not in names
    assert not (tmp_path / "kyujang.part").exists()


def test_images_are_carried_where_docker_has_them(wanted, tmp_path, monkeypatch):
    script = """#!/bin/sh
    case "$1" in compose) printf 'ours\\nours\\ndatabase\\n';; save) echo "$4 $5" >"$3"; [ "$5" ];; esac
    """
    (tmp_path / "docker").write_text(script)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (tmp_path / "bundle").mkdir()
    fill(tmp_path / "bundle", [wanted], images=True)
    assert (tmp_path / "bundle" / IMAGES).read_text() == "database ours\n"
    assert IMAGES in (tmp_path / "bundle" / SUMS).read_text()
    (tmp_path / "docker").write_text("#!/bin/sh\necho no such image >&2; exit 1\n")
    with pytest.raises(InstallFailed, match="no such image"):
        fill(tmp_path / "another", [wanted], images=True)


def test_it_says_for_which_machine(filled):
    assert (filled / MADE_FOR).read_text().strip() == this_machine()
