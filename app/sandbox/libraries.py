"""The folders and devices that Python and its libraries use while they run."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("app", "ingest")
SYSTEM = (
    *("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/etc/ld.so.cache", "/etc/ssl/openssl.cnf"),
    *("/usr/share/tesseract-ocr", "/usr/share/tessdata"),
    *("/usr/share/zoneinfo", "/etc/localtime", "/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system", "/dev/urandom"),
)
DEVICES = ("/dev/null",)
NVIDIA = (
    *("/proc/driver/nvidia", "/proc/devices", "/proc/self", "/proc/sys/vm", "/sys/bus/pci", "/sys/devices"),
    "/usr/local/cuda",
)


def python_folders() -> list[Path]:
    """Return where modules come from. Of our own folder only the packages: it may also hold `.env`."""
    folders = [Path(each) for each in sys.path if each and Path(each) != ROOT]
    return [*(ROOT / name for name in PACKAGES), *folders, Path(sys.base_prefix, "lib")]


def readable(*, gpu: bool) -> Iterator[Path]:
    yield from python_folders()
    yield from map(Path, SYSTEM)
    if gpu:
        yield from map(Path, NVIDIA)


def devices(*, gpu: bool) -> Iterator[Path]:
    yield from map(Path, DEVICES)
    if gpu:
        yield from Path("/dev").glob("nvidia*")
