"""Where packages are installed from: what pip is configured to, or the folder of a bundle and nothing else.

Standard library only: it runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.up.environments import TORCH, Environment

PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
BUNDLE = "KYUJANG_BUNDLE"
WHEELS, SUMS, MADE_FOR = "wheels", "SHA256SUMS", "made-for"


class InstallFailed(Exception):
    pass


def bundle() -> Path | None:
    """Return the folder that KYUJANG_BUNDLE names."""
    named = os.environ.get(BUNDLE)
    return Path(named).resolve() if named else None


def this_machine() -> str:
    return f"Python {sys.version_info[0]}.{sys.version_info[1]} on {platform.system()} {platform.machine()}"


def verify(folder: Path) -> None:
    """Compare a bundle with its list. Raises InstallFailed, which names what is missing or changed."""
    try:
        made_for, listed = (folder / MADE_FOR).read_text().strip(), (folder / SUMS).read_text().splitlines()
    except OSError as error:
        raise InstallFailed(f"{BUNDLE}={folder} cannot be installed from: {error.filename} cannot be read.") from error
    if made_for != this_machine():
        raise InstallFailed(f"The bundle was made for {made_for}, and this is {this_machine()}. Make one there.")
    for line in listed:
        expected, _, name = line.partition("  ")
        if not (folder / name).is_file() or digest(folder / name) != expected:
            raise InstallFailed(f"{folder / name} is missing or not what was bundled. Copy the bundle again.")


def digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def attempts(step: Sequence[str]) -> list[list[str]]:
    """Return ways to install a step, to be tried in turn. On Linux torch's plain name means CUDA: several GB."""
    if list(step) != [TORCH]:
        return [list(step)]
    # What it needs is in the lists.
    if platform.system() != "Linux":
        return [["--no-deps", TORCH]]
    cpu = ["--no-deps", f"{TORCH}+cpu"]
    return [cpu, [*cpu, "--extra-index-url", PYTORCH_CPU_INDEX]]


def sources(environment: Environment) -> dict[str, str]:
    """Return variables for pip and uv. Of what pip is configured to, uv's: such an address may hold a password."""
    if folder := bundle():
        wheels = str(folder / WHEELS)
        return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels, "UV_NO_INDEX": "1", "UV_FIND_LINKS": wheels}
    listed = subprocess.run(
        [str(environment.python), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found = dict(re.findall(r"\.(index-url|extra-index-url|find-links)='(.+)'$", listed, re.MULTILINE))
    variables = {"UV_DEFAULT_INDEX": found.get("index-url", ""), "UV_INDEX": found.get("extra-index-url", "")}
    urls = {name: " ".join(re.findall(r"https?://[^\s\\]+", text)) for name, text in variables.items()}
    urls["UV_FIND_LINKS"] = ",".join(found.get("find-links", "").replace("\\n", " ").split())
    return {name: text for name, text in urls.items() if text}
