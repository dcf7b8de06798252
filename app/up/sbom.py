"""python -m app.up.sbom: what is installed, as CycloneDX, one file for each environment, in sbom/."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from app.terminal import say
from app.up.environments import ROOT, Environment, app_environment, engine_environment
from app.up.install import install_audit
from app.up.sources import InstallFailed

FOLDER = ROOT / "sbom"


def main() -> int:
    installed = [each for each in (app_environment(test=False), engine_environment(gpu=False)) if each.python.exists()]
    if not installed:
        say("Nothing is installed here yet. Start it once with 'make up'.")
        return 1
    FOLDER.mkdir(exist_ok=True)
    try:
        tools = install_audit()
    except InstallFailed as error:
        say(str(error))
        return 1
    for environment in installed:
        made = write(tools, environment, FOLDER / f"{environment.name}.cdx.json")
        say(str(made.relative_to(ROOT)))
    return 0


def write(tools: Environment, environment: Environment, file: Path) -> Path:
    # Validation against CycloneDX's schema takes twenty times as long as the list, which the same library writes.
    options = ["--output-reproducible", "--no-validate", "--output-file", str(file)]
    project = ["--pyproject", str(ROOT / "pyproject.toml")] if environment.name == "app" else []
    command = [str(tools.folder / "bin" / "cyclonedx-py"), "environment", *options, *project, str(environment.python)]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return file


if __name__ == "__main__":
    sys.exit(main())
