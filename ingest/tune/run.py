"""The training child from outside: started, listened to, ended. It goes on from its last checkpoint when run again."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.sandbox.subprocesses import OUT_OF_MEMORY, ROOT
from app.settings import inherited_environment
from ingest.jobs.tasks import TaskFailed
from ingest.tune.plan import REFUSED

log = logging.getLogger("kyujang.tune")

NEEDED = ("trl", "peft", "accelerate", "datasets")
MAX_THREADS = 8
LOG = "log"
TAIL_BYTES = 4000


class TrainingDied(Exception):
    """Killed, or crashed: may be run again."""


def require_installed() -> None:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise TaskFailed(
            "not_installed",
            f"The worker cannot train: {', '.join(missing)} is not installed. Its operator installs the extra 'tune' "
            "(pip install -e '.[tune]' -c constraints.txt) and restarts the worker.",
        )


async def train(folder: Path, heard: Callable[[dict[str, Any]], None], *, threads: int | None, memory_mb: int) -> None:
    """`heard` gets each message of the child. Ends it when cancelled. Raises TaskFailed, TrainingDied."""
    with (folder / LOG).open("wb") as complaints:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "ingest.tune.train", str(folder)),
            # It ends when this pipe does.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=complaints,
            env=_environment(folder, threads),
            start_new_session=True,
        )
    refusal = None
    try:
        assert process.stdout is not None
        async for line in process.stdout:
            message = json.loads(line)
            refusal = message.get("error", refusal)
            heard(message)
        code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code == REFUSED and refusal:
        raise TaskFailed("refused", refusal)
    if code == OUT_OF_MEMORY:
        raise TaskFailed(
            "too_large",
            f"The training needs more memory than it may have ({memory_mb} MB on a CPU, KYUJANG_TUNE_MEMORY_MB). "
            "Take a smaller batch_size or max_length.",
        )
    if code != 0:
        _say_why(folder / LOG, code)
        raise TrainingDied(f"the training ended with {code}")


def _environment(folder: Path, threads: int | None) -> dict[str, str]:
    return {
        **inherited_environment(),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": str(threads or min(MAX_THREADS, len(os.sched_getaffinity(0)))),
        # Spinning threads would take the engine's time.
        "OMP_WAIT_POLICY": "PASSIVE",
        "TOKENIZERS_PARALLELISM": "false",
        "TQDM_DISABLE": "1",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(folder / "cache"),
    }


def _say_why(path: Path, code: int) -> None:
    if code == -signal.SIGKILL:
        log.warning("the training was killed")
        return
    log.error("the training failed", extra={"code": code, "complaint": path.read_text(errors="replace")[-TAIL_BYTES:]})
