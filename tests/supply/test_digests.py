"""The digests that a registry would say, from a `docker` that gives made answers: no registry is reached here."""

from __future__ import annotations

import importlib.resources
import json
import os
import shutil
import subprocess
import sys

import jsonschema_rs
import pytest
import yaml

from tests.conftest import ROOT
from tests.test_compose import SERVICES

DIGEST = "sha256:" + "0123456789abcdef" * 4
DOCKER = """#!/bin/sh
echo "$@" >> said
case $1 in
  compose) cat config.json ;;
  buildx) [ -z "$REFUSED" ] || { echo "no such host" >&2; exit 1; }; echo "{\\"digest\\": \\"$DIGEST\\"}" ;;
esac
"""


def written(folder, **variables):
    """Run the script in a copy of the project's files; return it and the override."""
    (folder / "deploy").mkdir()
    shutil.copy(ROOT / "deploy" / "digests.py", folder / "deploy")
    shutil.copy(ROOT / "Dockerfile", folder)
    (folder / "docker").write_text(DOCKER)
    (folder / "docker").chmod(0o755)
    (folder / "config.json").write_text(json.dumps({"services": SERVICES}))
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}", "DIGEST": DIGEST, **variables}
    command = [sys.executable, str(folder / "deploy" / "digests.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    file = folder / "docker-compose.digests.yml"
    return done, yaml.safe_load(file.read_text())["services"] if file.exists() else None


def test_every_image_is_held_to_a_digest(tmp_path):
    done, override = written(tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--profile * config" in (tmp_path / "said").read_text()
    ours = {name for name, each in SERVICES.items() if each["image"] == "kyujang:local"} - {"migrate"}
    assert override.keys() == SERVICES.keys() - ours
    for name in override:
        service = SERVICES[name]
        if "build" in service:
            contexts = {"python:3.11-slim-bookworm": f"docker-image://python:3.11-slim-bookworm@{DIGEST}"}
            assert override[name] == {"build": {"additional_contexts": contexts}}
        else:
            assert override[name] == {"image": f"{service['image']}@{DIGEST}"}


def test_the_override_fits_the_specification(tmp_path):
    vendored = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    jsonschema_rs.validator_for(json.loads(vendored.read_text())).validate({"services": written(tmp_path)[1]})


@pytest.mark.parametrize("variables", [{"REFUSED": "1"}, {"DIGEST": ""}, {"DIGEST": 'sha256:12", "x": "'}])
def test_nothing_is_written_where_the_registry_says_no_digest(tmp_path, variables):
    done, override = written(tmp_path, **variables)
    assert (done.returncode, override) == (1, None)
    assert done.stderr.startswith("Nothing was written: ")
