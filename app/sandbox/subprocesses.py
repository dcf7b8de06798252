"""What the worker's child processes share: what they inherit, and how their end is read."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parents[2]
# No secret of the worker's environment reaches a parser.
ENVIRONMENT = {
    "PYTHONPATH": str(ROOT),
    "PATH": os.defpath,
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "ORT_DISABLE_TELEMETRY": "1",
}
# The exit status by which a child says so.
OUT_OF_MEMORY = 77
# Python says so itself, Rust says it and aborts.
WORDS_OF_MEMORY = (b"memory allocation of", b"MemoryError")

End = Literal["out of memory", "out of time", "crashed", "failed"]


def end_of(code: int, complaint: bytes) -> End:
    """Of a child that ended without its answer; `failed` is a fault of Kyujang's own."""
    # The kernel kills whoever is largest when it has no memory left.
    if code in (OUT_OF_MEMORY, -signal.SIGKILL) or any(words in complaint for words in WORDS_OF_MEMORY):
        return "out of memory"
    if code == -signal.SIGXCPU:
        return "out of time"
    return "failed" if code > 0 else "crashed"
