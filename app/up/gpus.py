"""NVIDIA's cards, as nvidia-smi lists them. Standard library only: `make up` asks before anything is installed."""

from __future__ import annotations

import csv
import os
import re
import subprocess
from dataclasses import dataclass

GIB = 1024**3
FIELDS = ("index", "uuid", "name", "memory.total", "memory.used", "driver_version", "mig.mode.current")
TIMEOUT_S = 20
# Of what a slice of a card is named after, it has a little less.
SLICE_SHARE = 0.95


@dataclass(frozen=True)
class Gpu:
    """A card, or a slice of one. `memory` is None where the driver does not say."""

    name: str
    memory: int | None
    used: int = 0
    driver: str = ""


@dataclass(frozen=True)
class Gpus:
    """Those that a process here may use. `fault` says why there are none although nvidia-smi is installed."""

    cards: tuple[Gpu, ...] = ()
    fault: str = ""

    @property
    def first(self) -> Gpu | None:
        return self.cards[0] if self.cards else None


def look() -> Gpus:
    """Ask the driver. Without nvidia-smi there is no card, which is not a fault."""
    try:
        listed = _ask(f"--query-gpu={','.join(FIELDS)}", "--format=csv,noheader,nounits")
        slices = _ask("-L") if "Enabled" in listed else ""
    except FileNotFoundError:
        return Gpus()
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stdout", None) or str(error)
        return Gpus(fault=" ".join(said.split())[:300])
    return read(listed, slices, os.environ.get("CUDA_VISIBLE_DEVICES"))


def read(listed: str, slices: str, chosen: str | None) -> Gpus:
    """Read nvidia-smi's answers. `chosen` is CUDA_VISIBLE_DEVICES: numbers or the beginnings of identifiers."""
    found = []
    rows = list(csv.reader(listed.splitlines(), skipinitialspace=True))
    if any(len(row) != len(FIELDS) for row in rows):
        return Gpus(fault=f"nvidia-smi's answer is not understood: {listed[:100]!r}")
    for index, uuid, name, total, used, driver, mig in rows:
        if mig == "Enabled":
            found += _slices(index, name, driver, slices)
        else:
            found.append(((index, uuid), Gpu(name, _bytes(total), _bytes(used) or 0, driver)))
    if chosen is None:
        cards = tuple(gpu for _, gpu in found)
        return Gpus(cards, "" if cards else "nvidia-smi lists no card that can be used")
    wanted = [each.strip() for each in chosen.split(",") if each.strip()]
    cards = tuple(gpu for each in wanted for keys, gpu in found if _is(each, *keys))
    return Gpus(cards, "" if cards else f"CUDA_VISIBLE_DEVICES={chosen} names no card that nvidia-smi lists")


def _slices(index: str, name: str, driver: str, listed: str) -> list[tuple[tuple[str, str], Gpu]]:
    """Return the slices of a card that is divided, of which a process uses one."""
    own = re.search(rf"^GPU {index}:.*\n((?:  .*\n?)*)", listed, re.MULTILINE)
    lines = re.findall(r"MIG (\S+?\.(\d+)gb\S*) .*UUID: ([^)]+)\)", own[1] if own else "")
    return [
        ((index, uuid), Gpu(f"{name} MIG {profile}", int(int(size) * GIB * SLICE_SHARE), driver=driver))
        for profile, size, uuid in lines
    ]


def _is(wanted: str, index: str, uuid: str) -> bool:
    return wanted == index if wanted.isdecimal() else uuid.startswith(wanted)


def _bytes(mebibytes: str) -> int | None:
    return int(mebibytes) << 20 if mebibytes.isdecimal() else None


def _ask(*arguments: str) -> str:
    command = ["nvidia-smi", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=True).stdout
