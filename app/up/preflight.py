"""What this machine must offer before anything is installed or started. Standard library only."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from app import cpu, libreoffice, tesseract

GB = 1024**3
WITHOUT_ENGINE = "set KYUJANG_ENGINE=none (extractive answers only) or KYUJANG_LLM_URL (an engine you already run)"


@dataclass(frozen=True)
class Finding:
    name: str
    result: Literal["ok", "warning", "failed"]
    found: str
    advice: str = ""

    def __str__(self) -> str:
        mark = {"ok": "ok  ", "warning": "note", "failed": "FAIL"}[self.result]
        return f"{mark} {self.name}: {self.found}" + (f"\n     → {self.advice}" if self.advice else "")


def failed(checks: Iterable[Finding]) -> list[Finding]:
    return [check for check in checks if check.result == "failed"]


def python_version(version: tuple[int, ...] = sys.version_info[:3]) -> Finding:
    found = ".".join(map(str, version))
    if version >= (3, 11):
        return Finding("Python", "ok", found)
    return Finding("Python", "failed", found, "Python 3.11 or newer is needed: make up PYTHON=python3.12")


def cpu_engine_platform(
    system: str = platform.system(), machine: str = platform.machine(), libc: str = platform.libc_ver()[0]
) -> Finding:
    found = f"{system} {machine} {libc}".strip()
    if system == "Linux" and machine in ("x86_64", "aarch64") and libc == "glibc":
        return Finding("Platform", "ok", found)
    return Finding(
        "Platform", "failed", found, f"vLLM for CPU needs Linux (x86_64 or aarch64, glibc): {WITHOUT_ENGINE}"
    )


def cpu_flags(machine: str = platform.machine()) -> Finding:
    if machine != "x86_64":
        return Finding("CPU", "ok", machine)
    flags = cpu.flags()
    if "avx2" not in flags:
        return Finding("CPU", "failed", "no AVX2", f"vLLM for CPU needs AVX2: {WITHOUT_ENGINE}")
    return Finding("CPU", "ok", "AVX2" + (" AVX512" if "avx512f" in flags else ""))


def memory(*, cpu_engine: bool, total: int | None = None) -> Finding:
    total = total_memory() if total is None else total
    needed = 6 if cpu_engine else 2
    found = f"{total / GB:.1f} GB"
    # A machine sold as 6 GB shows a little less.
    if total >= (needed - 0.5) * GB:
        return Finding("Memory", "ok", found)
    advice = f"{needed} GB are needed" + (f" with the CPU engine: {WITHOUT_ENGINE}" if cpu_engine else "")
    return Finding("Memory", "failed", found, advice)


def total_memory() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return min(total, int(limit)) if limit.isdigit() else total


def ocr(*, installed: bool | None = None) -> Finding:
    if tesseract.is_installed() if installed is None else installed:
        return Finding("OCR", "ok", "Tesseract, Korean and English")
    advice = f"apt-get install {tesseract.PACKAGES}; until then a PDF's scanned pages and pictures are not read"
    return Finding("OCR", "warning", "Tesseract is not installed", advice)


def old_office(*, installed: bool | None = None) -> Finding:
    if libreoffice.is_installed() if installed is None else installed:
        return Finding("Old Office", "ok", "LibreOffice reads doc, xls and ppt")
    advice = f"apt-get install {libreoffice.PACKAGES} (370 MB), if you have doc, xls or ppt files"
    return Finding("Old Office", "ok", f"LibreOffice is not installed; doc, xls and ppt are refused. {advice}")


def disk(folder: Path, needed_gb: float, *, purpose: str) -> Finding:
    free = shutil.disk_usage(_existing(folder)).free
    found = f"{free / GB:.1f} GB free for {purpose} ({folder})"
    if free >= needed_gb * GB:
        return Finding("Disk", "ok", found)
    return Finding("Disk", "failed", found, f"{needed_gb:.1f} GB are needed: free some space or choose another folder")


def _existing(folder: Path) -> Path:
    return folder if folder.exists() else _existing(folder.parent)


def port(host: str, number: int) -> Finding:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            return _port_refused(host, number, error)
    return Finding("Port", "ok", f"{host}:{number} is free")


def _port_refused(host: str, number: int, error: OSError) -> Finding:
    holder = port_holder(number)
    found = f"{host}:{number} cannot be used ({error.strerror})" + (f": {holder} holds it" if holder else "")
    return Finding("Port", "failed", found, f"choose another port: KYUJANG_PORT={number + 1} make up")


def port_holder(number: int) -> str | None:
    """Return name and pid of the process that listens on the port, as far as we may see it."""
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(number)}
    for entry in Path("/proc").glob("[0-9]*/fd/*") if sockets else ():
        try:
            if os.readlink(entry) in sockets:
                process = entry.parents[1]
                return f"{(process / 'comm').read_text().strip()} (pid {process.name})"
        except OSError:
            continue
    return None


def _listening_inodes(number: int) -> set[str]:
    listening, inodes = "0A", set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        for line in table.read_text().splitlines()[1:] if table.exists() else ():
            fields = line.split()
            if fields[3] == listening and int(fields[1].rpartition(":")[2], 16) == number:
                inodes.add(fields[9])
    return inodes


def home_folder(home: Path, reachable: Callable[[Path], bool] | None = None, account: str = "") -> Finding:
    """Check the data folder. `reachable` says whether the account that will run PostgreSQL can enter it."""
    try:
        make_home(home)
        probe = home / f".probe-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        advice = "set KYUJANG_HOME to a folder you may write to"
        return Finding("Data folder", "failed", f"{home}: {error.strerror}", advice)
    if reachable is not None and not reachable(home):
        advice = "set KYUJANG_HOME to a folder others may enter, /var/lib/kyujang for example"
        found = f"{home} is closed to the account '{account}', which runs PostgreSQL"
        return Finding("Data folder", "failed", found, advice)
    return Finding("Data folder", "ok", str(home))


def make_home(home: Path) -> None:
    """Make the folder, which others may pass through. The access of one that exists is left as it is."""
    if not home.exists():
        home.mkdir(parents=True)
        home.chmod(0o711)
