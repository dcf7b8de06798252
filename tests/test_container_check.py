"""The parts of `make containers` that need no docker: when it runs, what it says otherwise, which commands it takes."""

from __future__ import annotations

import re
import shutil

import pytest

from deploy.check import __main__ as check
from deploy.check import guide, operation, project, stamp
from tests.conftest import ROOT


@pytest.fixture
def clone(tmp_path, monkeypatch):
    for name in (
        "Dockerfile",
        "docker-compose.yml",
        "pyproject.toml",
        ".env.example",
        ".dockerignore",
    ):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("deploy", "requirements"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("passed"))
    monkeypatch.setattr(stamp, "ROOT", tmp_path)
    monkeypatch.setattr(stamp, "PASSED", tmp_path / "deploy" / "check" / "passed")
    monkeypatch.setattr(stamp, "GUIDE", tmp_path / "pyproject.toml")
    return tmp_path


@pytest.mark.parametrize(
    "changed",
    ["Dockerfile", "docker-compose.yml", ".env.example", "deploy/engine_guard.py", "requirements/clients.txt"],
)
def test_what_has_passed_is_of_these_files_alone(clone, changed):
    assert not stamp.has_passed()
    stamp.record("a machine")
    assert stamp.has_passed()
    with (clone / changed).open("a") as file:
        file.write("\n# changed\n")
    assert not stamp.has_passed()


def test_without_docker_nothing_passes(clone, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(clone))
    assert check.main(["--if-changed"]) == 0
    assert check.main([]) == 1
    assert capsys.readouterr().out.count("NOT CHECKED, 'docker info' does not work here") == 2
    assert not stamp.has_passed()
    stamp.record("a machine")
    assert check.main(["--if-changed"]) == 0
    assert "not run again" in capsys.readouterr().out


def test_without_the_base_images_nothing_passes(clone, monkeypatch, capsys):
    script = 'case "$1 $2" in "image inspect"|"pull "*) exit 1 ;; esac'
    (clone / "docker").write_text(f"#!/bin/sh\n{script}\n")
    (clone / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(clone))
    assert check.main(["--if-changed"]) == 0
    assert re.search(r"NOT CHECKED, the image \S+ is neither here nor can it be fetched", capsys.readouterr().out)


def test_the_guide_has_the_commands_that_are_run():
    source = (ROOT / "deploy" / "check" / "operation.py").read_text()
    headings = re.findall(r'commands\("(.+?)"\)', source)
    assert len(headings) == 6
    for heading in headings:
        assert "\n" in guide.commands(heading)
    assert "app restore" in guide.commands("Restore")
    assert "app restore" not in guide.commands("Backup")


def test_what_the_image_is_built_from_is_copied(tmp_path):
    ours = project.Project(tmp_path)
    ours.copy_clone()
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        assert not line.startswith("!") or (tmp_path / line[1:]).exists()
    assert not (tmp_path / ".env").exists()
    secrets = re.findall(r"^(KYUJANG_\w+)=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert set(operation.SECRETS) == set(secrets)
