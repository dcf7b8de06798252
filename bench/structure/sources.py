"""The modules of a checkout, parsed, and what each imports."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("app", "ingest")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, eq=False)
class Module:
    name: str
    path: str
    """Relative to the root of the checkout."""
    lines: int
    tree: ast.Module
    imports: frozenset[str]
    """Modules of ours, without itself."""

    def functions(self) -> Iterator[Function]:
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def read(root: Path) -> dict[str, Module]:
    """Return the modules by name; an empty `__init__` is not a module."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            text = path.read_text()
            if text.strip() or path.name != "__init__.py":
                found[_name(path.relative_to(root))] = (path.relative_to(root).as_posix(), text)
    trees = {name: ast.parse(text) for name, (_, text) in found.items()}
    return {
        name: Module(name, path, len(text.splitlines()), trees[name], imported(name, trees[name], trees))
        for name, (path, text) in found.items()
    }


def _name(path: Path) -> str:
    return path.as_posix().removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imported(name: str, tree: ast.Module, known: Mapping[str, object]) -> frozenset[str]:
    """Return what `from app import jobs` means: app.jobs where that is a module, else app."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {alias.name: f"{node.module}.{alias.name}" for alias in node.names}
            names.update(full if full in known else node.module for full in inner.values())
    return frozenset(each for each in names if each in known and each != name)
