"""python -m app.up.bundle: one archive with all that `make up` installs, for machines without a network.

In it is this clone with a folder `bundle`: packages, models among them, checksums, SBOMs and licences. The console is
built, and both environments are installed before (`make bundle` does it).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from app.terminal import say
from app.up import gpus, sbom
from app.up.console import BUILT, is_built
from app.up.environments import ROOT, UV, Environment, app_environment, engine_environment, extras_for
from app.up.install import install_audit, wants_engine
from app.up.sources import MADE_FOR, SUMS, WHEELS, InstallFailed, attempts, digest, sources, this_machine

LICENCES = "LICENCES.txt"
IMAGES = "images.tar"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m app.up.bundle")
    parser.add_argument("--output", type=Path, default=ROOT / "kyujang.tar", help="the archive; kyujang.tar by default")
    parser.add_argument("--images", action="store_true", help="with the images that docker compose starts here")
    options = parser.parse_args(arguments)
    output = options.output
    if not is_built():
        say("The console is not built: run 'make bundle', which builds it.")
        return 1
    try:
        with tempfile.TemporaryDirectory(dir=output.resolve().parent) as folder:
            fill(Path(folder), environments(), images=options.images)
            _pack(Path(folder), output)
    except (InstallFailed, OSError, subprocess.CalledProcessError) as error:
        say(f"{error}\nThe bundle is not made.")
        return 1
    say(f"{output}, {output.stat().st_size / 1e9:.1f} GB, for {this_machine()}")
    return 0


def environments() -> list[Environment]:
    """Return those that `make up` would install here. Raises InstallFailed if one is not installed."""
    gpu = gpus.look().first is not None
    found = [app_environment(test=False, extras=extras_for(os.environ), gpu=gpu)]
    if wants_engine():
        found.append(engine_environment(gpu=gpu))
    if missing := [each.folder.name for each in found if not each.is_installed()]:
        raise InstallFailed(f"{' and '.join(missing)} must be installed before: run 'make bundle'.")
    return found


def fill(folder: Path, wanted: list[Environment], *, images: bool = False) -> None:
    """Write what a bundle holds. Raises InstallFailed where a package cannot be fetched, or an image is not here."""
    if images:
        _save_images(folder / IMAGES)
    (folder / WHEELS).mkdir()
    for step in steps(wanted):
        _download(wanted[0], step, folder / WHEELS)
    (folder / "sbom").mkdir()
    tools = install_audit()
    for each in wanted:
        sbom.write(tools, each, folder / "sbom" / f"{each.name}.cdx.json")
    (folder / LICENCES).write_text("".join(f"{line}\n" for each in wanted for line in licences(each)))
    (folder / MADE_FOR).write_text(f"{this_machine()}\n")
    listed = sorted(path for path in folder.rglob("*") if path.is_file())
    (folder / SUMS).write_text("".join(f"{digest(path)}  {path.relative_to(folder)}\n" for path in listed))


def steps(wanted: list[Environment]) -> Iterator[list[str]]:
    """Yield what is installed, each once; the project itself is in the archive as it is here."""
    seen: list[list[str]] = []
    for step in [UV, *(step for each in wanted for step in each.steps)]:
        if "-e" not in step and list(step) not in seen:
            seen.append(list(step))
            yield list(step)


def _save_images(file: Path) -> None:
    named = sorted(set(_docker("compose", "config", "--images").split()))
    say(f"images: {' '.join(named)}")
    _docker("save", "--output", str(file), *named)


def _docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InstallFailed(done.stderr.strip())
    return done.stdout


def licences(environment: Environment) -> Iterator[str]:
    """Yield "name version: licence" as each package states it."""
    for each in sorted(distributions(path=[str(environment.packages)]), key=lambda each: each.metadata["Name"].lower()):
        stated = " ".join(each.metadata.get_all("License-Expression", []) or each.metadata.get_all("License", []))
        named = [name.rsplit(" :: ", 1)[-1] for name in each.metadata.get_all("Classifier", []) if "License ::" in name]
        licence = next(iter(stated.strip().splitlines()), "") or ", ".join(named) or "see the package"
        yield f"{each.metadata['Name']} {each.version}: {licence}"


def _download(environment: Environment, step: list[str], wheels: Path) -> None:
    say(" ".join(Path(word).name for word in step if not word.startswith("-")))
    for attempt in attempts(step):
        command = [str(environment.python), "-m", "pip", "download", "--quiet", "--dest", str(wheels), *attempt]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | sources(environment), capture_output=True, text=True, check=False
        )
        if done.returncode == 0:
            return
    raise InstallFailed(done.stderr.strip())


def _pack(bundle: Path, output: Path) -> None:
    """Write the archive under another name first: what has its name is whole."""
    named = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    files = [ROOT / name for name in named.split("\0") if name]
    files += sorted(path for path in BUILT.rglob("*") if path.is_file())
    part = output.with_suffix(".part")
    with tarfile.open(part, "w") as archive:
        for path in files:
            archive.add(path, Path("kyujang", path.relative_to(ROOT)), recursive=False)
        archive.add(bundle, "kyujang/bundle")
    part.rename(output)


if __name__ == "__main__":
    sys.exit(main())
