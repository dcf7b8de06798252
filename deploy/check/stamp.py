"""Of which files the check has passed: what the containers are made from, and the guide whose commands it runs."""

from __future__ import annotations

import hashlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PASSED = Path(__file__).with_name("passed")
FILES = ("Dockerfile", ".dockerignore", "docker-compose.yml", ".env.example", "pyproject.toml")
FOLDERS = ("deploy", "requirements")
GUIDE = ROOT / "docs" / "operations" / "gpu-vm.md"


def digest() -> str:
    found = hashlib.sha256()
    paths = [GUIDE, *(ROOT / name for name in FILES), *(path for name in FOLDERS for path in _within(name))]
    for path in sorted(paths):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return found.hexdigest()


def has_passed() -> bool:
    return PASSED.exists() and PASSED.read_text().split()[:1] == [digest()]


def record(machine: str) -> None:
    PASSED.write_text(f"{digest()}\n{machine}\n")


def _within(folder: str) -> list[Path]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file() and path != PASSED)
    return [path for path in found if "__pycache__" not in path.parts]
