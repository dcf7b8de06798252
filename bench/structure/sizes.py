"""How long things are: folders, files, functions, and the parts that the restructuring is to shrink."""

from __future__ import annotations

import fnmatch
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath

from bench.structure.sources import Module

# Which files belong to a part, in the flat layout (0.1) and in the packages that came after it.
PARTS = {
    "queue": (
        *("app/jobs.py", "app/tasks.py", "app/api/jobs.py", "ingest/jobs.py", "ingest/tasks.py", "ingest/claims.py"),
        *("ingest/settle.py", "ingest/leased.py", "ingest/lanes.py", "ingest/worker.py"),
        *("app/storage/jobs.py", "app/storage/job_*.py", "app/storage/tasks.py", "app/storage/queue*.py"),
        *("app/api/job_streams.py", "app/queue/*.py", "app/jobs/*.py"),
        *("ingest/jobs/*.py", "ingest/task_worker.py", "ingest/bulk_worker.py", "ingest/queue/*.py"),
    ),
    "ray": ("ingest/ray_*.py", "ingest/cluster/*.py"),
    "child runners": (
        *("ingest/child.py", "ingest/load.py", "ingest/load_child.py", "ingest/ray_child.py", "ingest/ray_driver.py"),
        *("app/sandbox/*.py", "ingest/loading/load.py", "ingest/loading/child.py"),
        *("ingest/cluster/driver.py", "ingest/cluster/driver_child.py"),
        *(
            "ingest/adapters/checking.py",
            "ingest/adapters/check_child.py",
            "ingest/tune/run.py",
            "ingest/tune/train*.py",
        ),
    ),
}


def folders(modules: Mapping[str, Module]) -> dict[str, tuple[int, int]]:
    """Return (modules, lines) of each folder, without those in the folders below."""
    counts: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    for module in modules.values():
        folder = PurePosixPath(module.path).parent.as_posix()
        counts[folder] += 1
        lines[folder] += module.lines
    return {folder: (counts[folder], lines[folder]) for folder in sorted(counts)}


def files_of(modules: Mapping[str, Module], part: str) -> list[str]:
    paths = (module.path for module in modules.values())
    return sorted(path for path in paths if any(fnmatch.fnmatchcase(path, each) for each in PARTS[part]))


def lines_of(modules: Mapping[str, Module], paths: Iterable[str]) -> int:
    wanted = set(paths)
    return sum(module.lines for module in modules.values() if module.path in wanted)


def function_lengths(modules: Mapping[str, Module]) -> list[int]:
    return [
        (function.end_lineno or function.lineno) - function.lineno + 1
        for module in modules.values()
        for function in module.functions()
    ]


def spread(lengths: Sequence[int]) -> tuple[int, int, int]:
    """Return the median, the 90th percentile (nearest rank) and the longest."""
    ordered = sorted(lengths) or [0]
    return ordered[math.ceil(len(ordered) / 2) - 1], ordered[math.ceil(len(ordered) * 0.9) - 1], ordered[-1]
