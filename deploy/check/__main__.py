"""make containers: build the image, follow docs/operations/gpu-vm.md without an engine, and check what it promises.

`--if-changed` is CI's: it checks only what has changed since the last check that passed, and where docker cannot run or
an image cannot be had it says so and ends with 0; nothing has passed then.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from deploy.check import confinement, operation, runbooks, stamp
from deploy.check.project import Failed, Project

STEPS = (
    operation.starts_as_the_guide_says,
    confinement.image_is_small_and_complete,
    confinement.rights_and_limits_are_few,
    confinement.one_port_is_published,
    confinement.nothing_leads_out,
    confinement.sandbox_holds,
    operation.answers_as_the_guide_says,
    operation.wrong_values_are_named_in_a_line,
    runbooks.commands_of_runbooks_work,
    operation.documents_outlive_crashes,
    operation.secrets_are_rotated,
    operation.a_backup_is_restored_elsewhere,
    operation.a_backup_is_restored_over_what_is_there,
    confinement.nothing_is_written_about_the_machine,
)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.check", description="Build, start and check the containers")
    parser.add_argument("--if-changed", action="store_true", help="only if their files changed since the last check")
    if_changed = parser.parse_args(arguments).if_changed
    if if_changed and stamp.has_passed():
        print("Containers: not run again; their files are those of the last check that passed.")
        return 0
    if lacking := _lacking():
        print(f"Containers: NOT CHECKED, {lacking}. Run 'make containers' where docker runs.")
        return 0 if if_changed else 1
    with tempfile.TemporaryDirectory(prefix="kyujang-check-") as folder:
        return _check(Project(Path(folder)))


def _check(project: Project) -> int:
    project.copy_clone()
    try:
        for step in STEPS:
            began = time.monotonic()
            print(f"  {step.__name__.replace('_', ' ')}", flush=True)
            step(project)
            print(f"    {time.monotonic() - began:.0f} s", flush=True)
        stamp.record(_machine())
    except Failed as error:
        print(f"FAILED: {error}")
        print(project.compose("logs", "--tail", "15"))
        return 1
    finally:
        project.compose("down", "--volumes", "--remove-orphans")
    print("Containers: passed.")
    return 0


def _lacking() -> str | None:
    for command in (["docker", "info"], ["docker", "compose", "version"]):
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        except (OSError, subprocess.SubprocessError):
            return f"'{' '.join(command)}' does not work here"
    for image in _base_images():
        present = subprocess.run(["docker", "image", "inspect", image], check=False, capture_output=True)
        if present.returncode and subprocess.run(["docker", "pull", "--quiet", image], check=False).returncode:
            return f"the image {image} is neither here nor can it be fetched"
    return None


def _base_images() -> list[str]:
    dockerfile, compose = ((stamp.ROOT / name).read_text() for name in ("Dockerfile", "docker-compose.yml"))
    database = re.findall(r"image: (pgvector/\S+)", compose)
    return sorted({*re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE), *database})


def _machine() -> str:
    docker = _said("version", "--format", "{{.Server.Version}}")
    return f"{time.strftime('%Y-%m-%d')} Docker {docker}, compose {_said('compose', 'version', '--short')}"


def _said(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
