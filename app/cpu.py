"""What this machine's CPU can do. Standard library only: `make up` asks before anything is installed."""

from __future__ import annotations

import os
import platform
import re
from contextlib import suppress
from pathlib import Path

CPUINFO, MEMINFO, CGROUP = Path("/proc/cpuinfo"), Path("/proc/meminfo"), Path("/sys/fs/cgroup")
AUTOGROUP = Path("/proc/self/autogroup")
BFLOAT16 = frozenset({"avx512_bf16", "amx_bf16"})


def flags() -> frozenset[str]:
    """Return the features of the first core, as Linux names them; none where it does not list them."""
    if not CPUINFO.is_file():
        return frozenset()
    found = (line.partition(":")[2].split() for line in CPUINFO.read_text().splitlines() if line.startswith("flags"))
    return frozenset(next(found, ()))


def cores() -> int:
    """Return how many cores this process may use, a container's limit of processor time included."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _of_cgroup("cpu.max").partition(" ")
    return min(found, max(1, int(quota) // int(period))) if quota.isdigit() else found


def free_memory() -> int:
    """Return how many bytes of memory are left to this process, by the machine and by its container's limit."""
    available = re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text()) if MEMINFO.is_file() else None
    free = int(available[1]) << 10 if available else os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    limit, used = _of_cgroup("memory.max"), _of_cgroup("memory.current")
    return min(free, int(limit) - int(used)) if limit.isdigit() and used.isdigit() else free


def go_behind_others(niceness: int) -> None:
    """Lower this process's priority, and its session's if it began one, as what `make up` starts does: where sessions
    share the processor (man 7 sched, "The autogroup feature"), that of a process counts within its own alone."""
    os.nice(niceness)
    if os.getsid(0) == os.getpid():
        with suppress(OSError):
            AUTOGROUP.write_text(str(niceness))


def only_idle_time() -> None:
    """Let this thread, and those that it starts, run only while a core has nothing else to do. Cannot be undone."""
    if hasattr(os, "SCHED_IDLE"):
        # A container may refuse it; it then has the worker's low priority.
        with suppress(OSError):
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _of_cgroup(name: str) -> str:
    try:
        return (CGROUP / name).read_text().strip()
    except OSError:
        return ""


def multiplies_bfloat16() -> bool:
    """Say whether bfloat16 is computed in hardware, which is assumed of every machine but x86-64."""
    return platform.machine() != "x86_64" or not BFLOAT16.isdisjoint(flags())
