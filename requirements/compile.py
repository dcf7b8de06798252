"""Resolves what is installed into lists with hashes, for all Pythons from 3.11 on. Run by `make lists`.

app.txt is pyproject.toml's; each extra has a list of what it needs beyond the app, and test.txt what the tests need
beyond all of these. Versions stay as they are listed; ARGS="--upgrade-package NAME" raises one.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
PROJECT = str(FOLDER.parent / "pyproject.toml")
EXTRAS = ("models", "minilm", "plots", "langchain", "map", "milvus", "ray", "tune", "qlora", "test")
ALONE = {
    "build": [],
    "uv": [],
    "audit": [],
    "console": [],
    "clients": [],
    "milvus-server": [],
    "engine-gpu": [],
    "engine-cpu-deps": ["--no-deps"],
}
# torch's CPU build is not on every index, and its name there means CUDA on Linux: app/up/install.py chooses.
APART = re.compile(r"(torch|triton|(nvidia|cuda)-[\w-]+)==")


def main(options: list[str]) -> None:
    for name, own in ALONE.items():
        write(name, compiled(name, [str(FOLDER / f"{name}.in"), *own], options))
    build = FOLDER / "build.txt"
    app = [each for each in compiled("app", [PROJECT, *constraints([build])], options) if not APART.match(each)]
    write("app", app)
    made = [FOLDER / "app.txt"]
    for extra in EXTRAS:
        needed = compiled(extra, [PROJECT, "--extra", extra, *constraints([build, *made])], options)
        listed = [text for file in (made if extra == "test" else made[:1]) for text in entries(file)]
        write(extra, [each for each in needed if each not in listed and not APART.match(each)])
        made.append(FOLDER / f"{extra}.txt")
    sources = [str(FOLDER / "torch-cuda.in"), *constraints([build, *made])]
    write("torch-cuda", compiled("torch-cuda", sources, options))


def constraints(lists: list[Path]) -> list[str]:
    return [word for file in lists for word in ("--constraint", str(file))]


def compiled(name: str, sources: list[str], options: list[str]) -> list[str]:
    """Return the requirements, each with its marker and hashes. uv keeps the versions of the file that it writes."""
    # pymdown-extensions asks for this release of 3.11; without the site 3.11.0 is enough.
    python = ["--universal", "--python-version", "3.11.5", "--no-python-downloads"]
    shape = ["--quiet", "--no-annotate", "--no-header", "--generate-hashes"]
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "list.txt")
        before = FOLDER / f"{name}.txt"
        output.write_text(before.read_text() if before.exists() else "")
        command = [sys.executable, "-m", "uv", "pip", "compile", *python, *shape, "--output-file", str(output)]
        subprocess.run([*command, *sources, *options], check=True)
        return entries(output)


def entries(file: Path) -> list[str]:
    return [each for each in re.split(r"\n(?=\S)", file.read_text().strip()) if not each.startswith("#")]


def write(name: str, listed: list[str]) -> None:
    (FOLDER / f"{name}.txt").write_text("\n".join(["# Made by `make lists`.", *listed]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
