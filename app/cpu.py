"""What this machine's CPU can do. Standard library only: `make up` asks before anything is installed."""

from __future__ import annotations

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def flags() -> frozenset[str]:
    """Return the features of the first core, as Linux names them; none where it does not list them."""
    if not CPUINFO.is_file():
        return frozenset()
    found = (line.partition(":")[2].split() for line in CPUINFO.read_text().splitlines() if line.startswith("flags"))
    return frozenset(next(found, ()))


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def multiplies_bfloat16() -> bool:
    """Say whether bfloat16 is computed in hardware, which is assumed of every machine but x86-64."""
    return platform.machine() != "x86_64" or not BFLOAT16.isdisjoint(flags())
